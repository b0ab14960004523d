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
from streamsink.record import ENVELOPE, ENVELOPE_FIELDS, BadRecord, DecodedSlice, RawSlice
from streamsink.transform.chain import Failure, TransformChain
from streamsink.transform.keys import KeyWriter
from streamsink.transform.rows import Datum, Member, Rows, one_topic, struct_of
from streamsink.transform.shape import OutputShape, columns_of

STAGE = "TRANSFORMATION"
PUT_STAGE = "TASK_PUT"
KEY_STAGE = "KEY_CONVERTER"

_VALUE_FIELD = pa.field("value", pa.binary())
_NULL_VALUE = "the value is null, and behavior.on.null.values=fail"

KeyReader = Callable[[pa.Array], tuple[Datum, dict[int, str]]]
"""Keys' bytes as keys, null where one is bad, and what is wrong with those."""


@dataclass(frozen=True, slots=True)
class StagePlan:
    """What the stage has to do.

    Args:
        archive_value: What values become.
        envelope: Whether rows have `_kafka`.
        null_values: What becomes of values that are null after the transforms.
        reads_value: Whether any transform looks at values; else they are passed on as bytes.
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
        """The slice transformed.

        Args:
            raw: As it was read.
            decoded: Values' columns alone, without the envelope.
        """
        if not len(decoded.offsets):
            return decoded
        given = raw.rows.take(pa.array(_positions(raw.rows, decoded.offsets)))
        bad: list[BadRecord] = []
        rows = self._rows(given, decoded, bad)
        rows, failures = self._chain.apply(rows)
        origins = _positions(given, rows.offsets)
        bad += [_failed(given, decoded, failure) for failure in failures]
        rows, origins = self._without_nulls(rows, origins, given, decoded, bad)
        return self._finished(rows, origins, given, decoded, bad)

    def _rows(self, given: pa.RecordBatch, decoded: DecodedSlice, bad: list[BadRecord]) -> Rows:
        keys, bad_keys = given.column("key"), dict[int, str]()
        key = Datum(keys)
        if self._plan.read_keys is not None:
            key, bad_keys = self._plan.read_keys(keys)
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

    def _without_nulls(
        self,
        rows: Rows,
        origins: npt.NDArray[np.int64],
        given: pa.RecordBatch,
        decoded: DecodedSlice,
        bad: list[BadRecord],
    ) -> tuple[Rows, npt.NDArray[np.int64]]:
        """The rows that `behavior.on.null.values` lets through."""
        nulls = np.asarray(rows.value.array.is_null(), bool)
        if self._plan.null_values is NullValues.WRITE or not nulls.any():
            return rows, origins
        if self._plan.null_values is NullValues.FAIL:
            bad += [
                _bad(given, decoded, row, PUT_STAGE, _NULL_VALUE, "DecodeError", "streamsink.ArchiveSink")
                for row in origins[nulls].tolist()
            ]
        return rows.where(~nulls), origins[~nulls]

    def _finished(
        self,
        rows: Rows,
        origins: npt.NDArray[np.int64],
        given: pa.RecordBatch,
        decoded: DecodedSlice,
        bad: list[BadRecord],
    ) -> DecodedSlice:
        kept = given.take(pa.array(origins))
        members, beside = self._columns(rows, kept, decoded)
        if self._plan.envelope:
            members = {ENVELOPE: self._envelope(rows, kept), **members}
        return replace(
            decoded,
            rows=_batch(members, len(rows), self._metadata(rows, decoded)),
            offsets=rows.offsets,
            timestamps=rows.timestamps,
            bad=(*decoded.bad, *sorted(bad, key=lambda record: record.offset)),
            partition_columns=beside,
            topics=rows.topics if self._plan.routes else None,
        )

    def _columns(
        self, rows: Rows, kept: pa.RecordBatch, decoded: DecodedSlice
    ) -> tuple[dict[str, Member], pa.RecordBatch | None]:
        """The value's columns, and those that encoded partitions are made of where these are bytes only."""
        if self._plan.archive_value is not ArchiveValue.RAW:
            shape = self._shapes.setdefault((decoded.topic_partition.topic, decoded.schema_tag), OutputShape())
            return shape.columns(rows.value), None
        members = {"value": Member(_VALUE_FIELD, kept.column("value"))}
        if self._plan.reads_value:
            return members, _batch(columns_of(rows.value), len(rows), None)
        beside = decoded.partition_columns
        return members, beside if beside is None else beside.take(pa.array(_places(decoded.offsets, rows.offsets)))

    def _envelope(self, rows: Rows, kept: pa.RecordBatch) -> Member:
        arrays = {
            "partition": pa.array(np.full(len(rows), rows.source.partition, np.int32)),
            "offset": rows.offsets,
            "timestamp": kept.column("timestamp"),
            "timestamp_type": kept.column("timestamp_type"),
            "key": self._keys(rows, kept),
            "headers": rows.headers,
            "value": kept.column("value"),
        }
        with_value = self._plan.archive_value is ArchiveValue.BOTH
        fields = [*ENVELOPE_FIELDS, _VALUE_FIELD] if with_value else list(ENVELOPE_FIELDS)
        array = pa.StructArray.from_arrays([arrays[field.name] for field in fields], fields=fields)
        return Member(pa.field(ENVELOPE, array.type, nullable=False), array)

    def _keys(self, rows: Rows, kept: pa.RecordBatch) -> pa.Array:
        if self._plan.write_keys is None or not rows.rekeyed.any():
            return kept.column("key")
        return pc.if_else(pa.array(rows.rekeyed), self._plan.write_keys(rows.key), kept.column("key"))

    def _metadata(self, rows: Rows, decoded: DecodedSlice) -> dict[bytes, bytes] | None:
        found = dict(decoded.rows.schema.metadata or {})
        if rows.value.name:
            found[b"connect.name"] = rows.value.name.encode()
        if rows.value.version is not None:
            found[b"connect.version"] = str(rows.value.version).encode()
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
    record = given.slice(row, 1).to_pylist()[0]
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
