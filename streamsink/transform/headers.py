"""Transforms of headers: DropHeaders, InsertHeader, HeaderFrom. Pure. Headers are bytes, as Kafka has them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from streamsink.record import HEADERS_TYPE
from streamsink.transform.require import Settings, all_struct, items, refuse
from streamsink.transform.rows import Rows
from streamsink.transform.texts import connect_texts


class DropHeaders:
    """Leaves out the headers of some names."""

    def __init__(self, settings: Settings) -> None:
        self._names = pa.array(items(settings, "headers"), pa.string())

    def apply(self, rows: Rows) -> Rows:
        """The rows with the headers that are left."""
        lengths, flat = opened(rows.headers)
        keep = ~np.isin(np.asarray(flat.field("key").to_pylist(), object), self._names.to_pylist())
        if keep.all():
            return rows
        owners = np.repeat(np.arange(len(rows)), lengths)
        left = np.bincount(owners[keep], minlength=len(rows))
        return _with_headers(rows, left, flat.take(pa.array(np.flatnonzero(keep))))


class InsertHeader:
    """Adds a header of a fixed text."""

    def __init__(self, settings: Settings) -> None:
        self._name = settings["header"]
        self._value = settings["value.literal"].encode()

    def apply(self, rows: Rows) -> Rows:
        """The rows with one header more."""
        return _with_one_more(rows, self._name, pa.array([self._value]).take(pa.array(np.zeros(len(rows), np.int32))))


class HeaderFrom:
    """Copies or moves fields into headers, as Connect's SimpleHeaderConverter writes them."""

    def __init__(self, settings: Settings, *, key: bool) -> None:
        self._key = key
        self._fields = items(settings, "fields")
        self._headers = items(settings, "headers")
        self._moves = settings["operation"].strip() == "move"

    def apply(self, rows: Rows) -> Rows:
        """The rows with the headers more, and with the fields less."""
        datum = all_struct(rows.datum(key=self._key), "copying fields to headers", nulls=False)
        members = datum.fields()
        for name, header in zip(self._fields, self._headers, strict=True):
            member = members.get(name)
            if member is None and datum.declared:
                refuse(np.ones(len(rows), bool), f"there is no field {name!r}")
            texts = (
                [None] * len(rows)
                if member is None
                else connect_texts(member.array, text=member.text, declared=datum.declared)
            )
            values = [None if text is None else text.encode() for text in texts]
            rows = _with_one_more(rows, header, pa.array(values, pa.binary()))
        if not self._moves:
            return rows
        left = {name: member for name, member in members.items() if name not in self._fields}
        return rows.with_datum(datum.with_fields(left), key=self._key)


def opened(headers: pa.ListArray) -> tuple[np.ndarray, pa.StructArray]:
    """Take the rows' lists of headers apart.

    Returns:
        How many headers each row has, and the headers of all rows, one after the other.
    """
    return np.asarray(headers.value_lengths().fill_null(0)), headers.flatten()


def _with_one_more(rows: Rows, name: str, values: pa.Array) -> Rows:
    count = len(rows)
    lengths, flat = opened(rows.headers)
    names = pa.array([name]).take(pa.array(np.zeros(count, np.int32)))
    added = pa.StructArray.from_arrays([names, values], fields=list(HEADERS_TYPE.value_type))
    order = np.insert(np.arange(len(flat)), np.cumsum(lengths), len(flat) + np.arange(count))
    return _with_headers(rows, lengths + 1, pa.concat_arrays([flat, added]).take(pa.array(order)))


def _with_headers(rows: Rows, lengths: np.ndarray, flat: pa.StructArray) -> Rows:
    ends = np.concatenate([np.zeros(1, np.int32), np.cumsum(lengths, dtype=np.int32)])
    headers = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), flat, type=HEADERS_TYPE)
    return replace(rows, headers=headers)
