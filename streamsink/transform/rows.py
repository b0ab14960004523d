"""Rows as transforms see them: Connect's records, a batch at a time. Values only; changes nothing in place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from streamsink.record import JSON_TEXT_METADATA, TopicPartition

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Datum:
    """The keys, or the values, of some rows.

    Args:
        array: One value a row, null for none (a tombstone). A struct is Connect's Struct, or a map without schema.
        declared: Whether the values came with a schema. What has none is more lenient in Connect.
        text: Whether the strings are JSON texts: values without schema that no one type holds.
        name: The schema's name, "" for none.
        version: The schema's version.
    """

    array: pa.Array
    declared: bool = False
    text: bool = False
    name: str = ""
    version: int | None = None

    @property
    def is_struct(self) -> bool:
        """Whether values have fields."""
        return bool(pa.types.is_struct(self.array.type))

    def of(self, array: pa.Array, *, text: bool = False) -> Datum:
        """Put other values in place of these.

        Args:
            array: As many values as there are rows.
            text: Whether its strings are JSON texts.

        Returns:
            A copy with name, version and `declared` as they were.
        """
        return replace(self, array=array, text=text)

    def fields(self) -> dict[str, Member]:
        """A struct's fields by name, null where the struct is."""
        assert self.is_struct
        kinds = list(self.array.type)
        return {
            kind.name: Member(kind, array)
            for kind, array in zip(kinds, self.array.flatten(), strict=True)
            if kind.name != "_empty" or not pa.types.is_null(kind.type)
        }

    def with_fields(self, members: dict[str, Member]) -> Datum:
        """The same rows with these fields."""
        nulls = self.array.is_null() if self.array.null_count else None
        return self.of(struct_of(members, len(self.array), nulls))


@dataclass(frozen=True, slots=True)
class Member:
    """One field of a struct."""

    field: pa.Field
    array: pa.Array

    @property
    def text(self) -> bool:
        """Whether its strings are JSON texts."""
        return is_text(self.field)

    def named(self, name: str) -> Member:
        """The same under another name."""
        return Member(self.field.with_name(name), self.array)


@dataclass(frozen=True, slots=True)
class Rows:
    """Some records of one topic partition, in offset order.

    Args:
        source: The topic partition they were read from.
        topics: The topic each is routed to, at first the source's; dictionary-encoded strings.
        offsets: int64, never null.
        timestamps: int64 milliseconds, null where unknown.
        headers: As `HEADERS_TYPE`.
        key: The keys.
        value: The values.
        rekeyed: Which rows' keys a transform has had in hand.
    """

    source: TopicPartition
    topics: pa.DictionaryArray
    offsets: pa.Int64Array
    timestamps: pa.Int64Array
    headers: pa.ListArray
    key: Datum
    value: Datum
    rekeyed: Mask

    def __len__(self) -> int:
        return len(self.offsets)

    def taken(self, chosen: npt.NDArray[np.int64]) -> Rows:
        """These rows, by number."""
        indexes = pa.array(chosen)
        return replace(
            self,
            topics=self.topics.take(indexes),
            offsets=self.offsets.take(indexes),
            timestamps=self.timestamps.take(indexes),
            headers=self.headers.take(indexes),
            key=replace(self.key, array=self.key.array.take(indexes)),
            value=replace(self.value, array=self.value.array.take(indexes)),
            rekeyed=self.rekeyed[chosen],
        )

    def where(self, mask: Mask) -> Rows:
        """The rows that the mask marks."""
        return self if mask.all() else self.taken(np.flatnonzero(mask))

    def datum(self, *, key: bool) -> Datum:
        """The keys or the values."""
        return self.key if key else self.value

    def with_datum(self, datum: Datum, *, key: bool) -> Rows:
        """Put other keys or values in place of these.

        Args:
            datum: As many as there are rows.
            key: Whether they are keys. All rows then count as `rekeyed`.

        Returns:
            A copy.
        """
        if key:
            return replace(self, key=datum, rekeyed=np.ones(len(self), bool))
        return replace(self, value=datum)


def is_text(field: pa.Field) -> bool:
    """Whether a field's strings are JSON texts."""
    marks = field.metadata or {}
    return all(marks.get(key.encode()) == mark.encode() for key, mark in JSON_TEXT_METADATA.items())


def field_of(name: str, kind: pa.DataType, *, text: bool = False) -> pa.Field:
    """Make a nullable field.

    Args:
        name: The field's name.
        kind: Its Arrow type.
        text: Whether its strings are JSON texts; the field's metadata then says so.
    """
    return pa.field(name, kind, metadata=JSON_TEXT_METADATA if text else None)


def struct_of(members: dict[str, Member], rows: int, nulls: pa.BooleanArray | None) -> pa.StructArray:
    """Make a struct array, which may have no fields.

    Args:
        members: Fields and values by name, each of `rows` values.
        rows: Rows. It is needed where there are no members.
        nulls: Set where a struct is null; None for nowhere.

    Returns:
        One struct a row.
    """
    if members:
        arrays = [member.array for member in members.values()]
        return pa.StructArray.from_arrays(arrays, fields=[member.field for member in members.values()], mask=nulls)
    absent = [False] * rows if nulls is None else nulls.to_pylist()
    return pa.array([None if null else {} for null in absent], pa.struct([]))


def one_topic(topic: str, rows: int) -> pa.DictionaryArray:
    """Repeat one topic for all rows.

    Args:
        topic: A Kafka topic's name.
        rows: How many rows.

    Returns:
        Dictionary-encoded strings, int32 codes.
    """
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([topic], pa.string()))


def mask_of(array: Any) -> Mask:
    """A boolean array as numpy's, null as false."""
    mask: Mask = np.asarray(array.fill_null(False) if array.null_count else array, dtype=bool)
    return mask
