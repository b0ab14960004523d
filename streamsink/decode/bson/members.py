"""Finds the members of many arrays at once: the first of all, then the second of those that have one. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from streamsink.decode.bson import positions as at
from streamsink.decode.bson.positions import Data, Int64s, Mask, Values

FEW_ARRAYS, FEW_MEMBERS = 16, 16
"""So few arrays with more members than so many are not worth a step for each: the exact reader has them."""


@dataclass(frozen=True, slots=True)
class Members:
    """What some arrays hold.

    Attributes:
        values: Of all arrays, one array behind the other.
        arrays: Which array each value is of.
        counts: How many values each array has.
        wrong: Arrays that only the exact reader can read; they have no values here.
    """

    values: Values
    arrays: Int64s
    counts: Int64s
    wrong: Mask


def find_members(data: Data, arrays: Values) -> Members:
    """Find the members of arrays whose names are their numbers, as every driver writes them.

    Args:
        data: All documents.
        arrays: Where the arrays lie; what is no array counts as wrong.
    """
    ends = arrays.starts + arrays.sizes
    wrong = (arrays.types != at.ARRAY) | (arrays.sizes < at.EMPTY_BYTES)
    wrong |= data.bytes[np.where(wrong, 0, ends - 1)] != 0
    left = np.flatnonzero(~wrong & (arrays.sizes > at.EMPTY_BYTES))
    places = arrays.starts[left] + 4
    found: list[tuple[Int64s, Values]] = []
    while left.size:
        number = len(found)
        if left.size < FEW_ARRAYS and number >= FEW_MEMBERS:
            wrong[left] = True
            break
        name = b"%d\0" % number
        starts = places + (1 + len(name))
        inside = starts < ends[left]
        wrong[left[~inside]] = True
        left, places, starts = left[inside], places[inside], starts[inside]
        types = data.bytes[places]
        sizes = at.sizes_of(data, types, starts, ends[left])
        good = data.begins_with(places + 1, name) & (sizes >= 0)
        wrong[left[~good]] = True
        left, values = left[good], Values(types, starts, sizes).of(good)
        found.append((left, values))
        places = values.starts + values.sizes
        more = places < ends[left] - 1
        left, places = left[more], places[more]
    return _in_order(found, wrong)


def _in_order(found: list[tuple[Int64s, Values]], wrong: Mask) -> Members:
    of = np.concatenate([np.empty(0, np.int64), *(rows for rows, _ in found)])
    types = np.concatenate([np.empty(0, np.uint8), *(values.types for _, values in found)])
    starts = np.concatenate([np.empty(0, np.int64), *(values.starts for _, values in found)])
    sizes = np.concatenate([np.empty(0, np.int64), *(values.sizes for _, values in found)])
    order = np.argsort(of, kind="stable")
    order = order[~wrong[of[order]]]
    return Members(
        Values(types, starts, sizes).of(order), of[order], np.bincount(of[order], minlength=wrong.size), wrong
    )
