"""The stage between decode and partition: a decoded slice through the chain, and into the rows that objects have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.config.sink import ArchiveValue, NullValues
from streamsink.record import (
    ENVELOPE,
    ENVELOPE_FIELDS,
    ENVELOPE_TOMBSTONE,
    ENVELOPE_VALUE,
    BadRecord,
    DecodedSlice,
    RawSlice,
)
from streamsink.transform.chain import Failure, TransformChain
from streamsink.transform.record_keys import KeyWriter
from streamsink.transform.rows import Datum, Member, Rows, mask_of, one_topic, struct_of
from streamsink.transform.shape import OutputShape

STAGE = "TRANSFORMATION"
PUT_STAGE = "TASK_PUT"
KEY_STAGE = "KEY_CONVERTER"

_VALUE_FIELD = pa.field("value", pa.binary())
_NULL_VALUE = "the value is null, and behavior.on.null.values=fail"

KeyReader = Callable[[str, pa.Array], tuple[Datum, dict[int, str]]]
"""A topic's keys' bytes as keys, null where one is bad, and what is wrong with those."""


@dataclass(frozen=True, slots=True)
class StagePlan:
    """The work of the stage.

    Args:
        archive_value: What values become.
        envelope: Whether rows have `_kafka`.
        null_values: What becomes of values that are null after the transforms.
        reads_value: Whether values are decoded: a transform looks at them, or they become columns.
        whole_value: Whether a decoded value is the one column `value`, not its fields.
        declared: Whether values come with a schema.
        routes: Whether any transform chooses topics.
        read_keys: How keys are read, None if no transform looks at them.
        write_keys: How changed ones are written, None if none changes them.
    """

    archive_value: ArchiveValue
    envelope: bool
    null_values: NullValues
    reads_value: bool
    whole_value: bool
    declared: bool
    routes: bool
    read_keys: KeyReader | None
    write_keys: KeyWriter | None


class TransformStage:
    """Holds each topic's shape; one thread owns it."""

    def __init__(self, plan: StagePlan, chain: TransformChain) -> None:
        self._plan = plan
        self._chain = chain
        self._shapes: dict[tuple[str, str], OutputShape] = {}

    def apply(self, raw: RawSlice, decoded: DecodedSlice) -> DecodedSlice:
        """Take a slice through the chain, and give it the topic's columns.

        Args:
            raw: As it was read.
            decoded: Values' columns alone, without the envelope.

        Returns:
            The rows that are left, in offset order, and the records that could not be transformed beside them.
        """
        if not len(decoded.offsets):
            return decoded
        given = raw.rows.take(pa.array(_positions(raw.rows, decoded.offsets)))
        bad: list[BadRecord] = []
        parts, failures = self._chain.apply(self._rows(given, decoded, bad))
        bad += [_failed(given, decoded, failure) for failure in failures]
        parts = [self._without_nulls(part, given, decoded, bad) for part in parts]
        return self._finished([part for part in parts if len(part)] or parts[:1], given, decoded, bad)

    def _rows(self, given: pa.RecordBatch, decoded: DecodedSlice, bad: list[BadRecord]) -> Rows:
        keys, bad_keys = given.column("key"), dict[int, str]()
        key = Datum(keys)
        if self._plan.read_keys is not None:
            key, bad_keys = self._plan.read_keys(decoded.topic_partition.topic, keys)
        count = len(keys)
        rows = Rows(
            source=decoded.topic_partition,
            topics=one_topic(decoded.topic_partition.topic, count),
            offsets=decoded.offsets,
            timestamps=decoded.timestamps,
            headers=given.column("headers"),
            key=key,
            value=self._value(given, decoded),
            rekeyed=np.zeros(count, bool),
        )
        for row, error in sorted(bad_keys.items()):
            bad.append(_bad(given, decoded, row, KEY_STAGE, error, "DecodeError", "key.converter"))
        left = np.ones(count, bool)
        left[list(bad_keys)] = False
        return rows.where(left)

    def _value(self, given: pa.RecordBatch, decoded: DecodedSlice) -> Datum:
        values = given.column("value")
        if not self._plan.reads_value:
            return Datum(values)
        columns = decoded.rows
        if self._plan.whole_value:
            return Datum(columns.column("value"))
        # A JSON document that is just null is a null value, as Connect's converter has it.
        absent = pc.or_(values.is_null(), pc.equal(values, b"null").fill_null(True))
        kinds = columns.schema
        members = {kind.name: Member(kind, columns.column(number)) for number, kind in enumerate(kinds)}
        return Datum(struct_of(members, len(values), absent), declared=self._plan.declared)

    def _without_nulls(self, rows: Rows, given: pa.RecordBatch, decoded: DecodedSlice, bad: list[BadRecord]) -> Rows:
        """The rows that `behavior.on.null.values` lets through."""
        nulls = mask_of(rows.value.array.is_null())
        if self._plan.null_values is NullValues.WRITE or not nulls.any():
            return rows
        if self._plan.null_values is NullValues.FAIL:
            bad += [
                _bad(given, decoded, row, PUT_STAGE, _NULL_VALUE, "DecodeError", "streamsink.ArchiveSink")
                for row in _positions(given, rows.offsets)[nulls].tolist()
            ]
        return rows.where(~nulls)

    def _finished(
        self, parts: list[Rows], given: pa.RecordBatch, decoded: DecodedSlice, bad: list[BadRecord]
    ) -> DecodedSlice:
        told = (*decoded.bad, *sorted(bad, key=lambda record: record.offset))
        if not parts:
            nothing = pa.array([], pa.int64())
            empty = _batch({}, 0, None)
            return replace(decoded, rows=empty, offsets=nothing, timestamps=nothing, bad=told, partition_columns=None)
        offsets = pa.concat_arrays([part.offsets for part in parts])
        kept = given.take(pa.array(_positions(given, offsets)))
        members, beside = self._columns(parts, kept, decoded, offsets)
        if self._plan.envelope:
            members = {ENVELOPE: self._envelope(parts, kept, offsets), **members}
        rows = _batch(members, len(offsets), self._metadata(parts, decoded))
        topics = pa.concat_arrays([part.topics.cast(pa.string()) for part in parts]).dictionary_encode()
        order = np.argsort(np.asarray(offsets), kind="stable")
        if not bool((order[1:] > order[:-1]).all()):
            places = pa.array(order)
            rows, offsets, topics = rows.take(places), offsets.take(places), topics.take(places)
            kept = kept.take(places)
            beside = None if beside is None else beside.take(places)
        return replace(
            decoded,
            rows=rows,
            offsets=offsets,
            timestamps=kept.column("timestamp").cast(pa.int64()),
            bad=told,
            partition_columns=beside,
            topics=topics if self._plan.routes else None,
        )

    def _columns(
        self, parts: list[Rows], kept: pa.RecordBatch, decoded: DecodedSlice, offsets: pa.Int64Array
    ) -> tuple[dict[str, Member], pa.RecordBatch | None]:
        """The value's columns. Where these are bytes only, a partitioner's columns come beside them."""
        values = [part.value for part in parts]
        if self._plan.archive_value is not ArchiveValue.RAW:
            shape = self._shapes.setdefault((decoded.topic_partition.topic, decoded.schema_tag), OutputShape())
            return shape.columns(values), None
        members = {"value": Member(_VALUE_FIELD, kept.column("value"))}
        if self._plan.reads_value:
            return members, _batch(OutputShape().columns(values), len(offsets), None)
        beside = decoded.partition_columns
        return members, beside if beside is None else beside.take(pa.array(_places(decoded.offsets, offsets)))

    def _envelope(self, parts: list[Rows], kept: pa.RecordBatch, offsets: pa.Int64Array) -> Member:
        arrays = {
            "partition": pa.array(np.full(len(offsets), parts[0].source.partition, np.int32)),
            "offset": offsets,
            "timestamp": kept.column("timestamp"),
            "timestamp_type": kept.column("timestamp_type"),
            "key": self._keys(parts, kept),
            "headers": pa.concat_arrays([part.headers for part in parts]),
            "value": kept.column("value"),
            "tombstone": pa.concat_arrays([part.value.array.is_null() for part in parts]),
        }
        fields = list(ENVELOPE_FIELDS)
        if self._plan.archive_value is not ArchiveValue.RAW:
            fields.append(ENVELOPE_VALUE if self._plan.archive_value is ArchiveValue.BOTH else ENVELOPE_TOMBSTONE)
        array = pa.StructArray.from_arrays([arrays[field.name] for field in fields], fields=fields)
        return Member(pa.field(ENVELOPE, array.type, nullable=False), array)

    def _keys(self, parts: list[Rows], kept: pa.RecordBatch) -> pa.Array:
        """Give keys' bytes. Keys that a transform has had in hand are written anew, the others stay."""
        touched = np.concatenate([part.rekeyed for part in parts])
        if self._plan.write_keys is None or not touched.any():
            return kept.column("key")
        written = pa.concat_arrays([self._plan.write_keys(part.key) for part in parts])
        return pc.if_else(pa.array(touched), written, kept.column("key"))

    def _metadata(self, parts: list[Rows], decoded: DecodedSlice) -> dict[bytes, bytes] | None:
        found = dict(decoded.rows.schema.metadata or {})
        for value in (part.value for part in parts):
            if value.name:
                found[b"connect.name"] = value.name.encode()
            if value.version is not None:
                found[b"connect.version"] = str(value.version).encode()
        return found or None


def _positions(batch: pa.RecordBatch, offsets: pa.Int64Array) -> npt.NDArray[np.int64]:
    return _places(batch.column("offset"), offsets)


def _places(all_offsets: pa.Int64Array, offsets: pa.Int64Array) -> npt.NDArray[np.int64]:
    return np.searchsorted(np.asarray(all_offsets), np.asarray(offsets)).astype(np.int64)


def _batch(members: dict[str, Member], rows: int, metadata: Any) -> pa.RecordBatch:
    if not members:
        return pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([])))
    schema = pa.schema([member.field for member in members.values()], metadata=metadata)
    return pa.RecordBatch.from_arrays([member.array for member in members.values()], schema=schema)


def _failed(given: pa.RecordBatch, decoded: DecodedSlice, failure: Failure) -> BadRecord:
    row = int(_positions(given, pa.array([failure.offset], pa.int64()))[0])
    error = f"transform {failure.step.name}: {failure.error}"
    return _bad(given, decoded, row, STAGE, error, "TransformError", failure.step.kind)


def _bad(
    given: pa.RecordBatch, decoded: DecodedSlice, row: int, stage: str, error: str, error_class: str, executing: str
) -> BadRecord:
    """One row as it came, with what is wrong with it."""
    record = {name: given.column(name)[row].as_py() for name in ("offset", "key", "value", "headers")}
    stamp = given.column("timestamp")[row]
    return BadRecord(
        topic_partition=decoded.topic_partition,
        offset=record["offset"],
        timestamp_ms=stamp.value if stamp.is_valid else None,
        key=record["key"],
        value=record["value"],
        headers=tuple((header["key"], header["value"]) for header in record["headers"]),
        stage=stage,
        error=error,
        error_class=error_class,
        executing=executing,
    )
