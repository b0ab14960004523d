"""Turns raw slices into the rows an object will have. Does no I/O but through shelves; knows topics' columns.

With `archive.value=raw` a value is not looked into, so that even one that is broken is archived, unless its encoded
partition is made of its fields. In columns a tombstone is a row whose columns are all null, as `{}` is: `_kafka`
tells them apart, by `value` with `both` and by `tombstone` with `columns`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import orjson
import pyarrow as pa
import structlog

from streamsink.config.sink import ArchiveValue, Converter, NullValues, SinkConfig
from streamsink.decode.column_history import ColumnShelf
from streamsink.decode.envelope import (
    KEY_STAGE,
    PUT_STAGE,
    VALUE_FIELD,
    VALUE_STAGE,
    bad_record,
    beside_envelope,
    envelope_of,
    timestamps_ms,
)
from streamsink.decode.json import text as json_text
from streamsink.decode.json.connect_schema import SchemaError, shape_of
from streamsink.decode.json.shape import Kind, Shape
from streamsink.decode.protocol import Decoder
from streamsink.decode.registry.client import SchemaShelf
from streamsink.decode.value_readers import ValueReader, make_value_reader
from streamsink.errors import ConfigError, DecodeError, Problem
from streamsink.record import ENVELOPE, DecodedSlice, RawSlice

_log = structlog.get_logger("streamsink.decode")

_HINT_SKIP = "errors.tolerance=all skips such records, errors.deadletterqueue.topic.name keeps them"
_HINT_NULLS = "behavior.on.null.values=write keeps tombstones, ignore drops them"


def make_decoder(
    config: SinkConfig,
    *,
    always: frozenset[str] = frozenset(),
    shelf: SchemaShelf | None = None,
    columns: ColumnShelf | None = None,
    keeps_bytes: bool | None = None,
) -> Decoder:
    """The decoder a configuration asks for.

    Args:
        config: Which converter, and what values become.
        always: Fields that get a column each, however many there are.
        shelf: Where a registry's schemas are kept beside the archive.
        columns: Where topics' column sets are kept. Without it, JSON's columns widen as long as the decoder lives.
        keeps_bytes: Whether values are archived beside their columns; None where `archive.value` says it.

    Raises:
        ConfigError: `value.schema` is no Connect struct schema.
    """
    if keeps_bytes is None:
        keeps_bytes = config.archive_value is ArchiveValue.BOTH
    reader = make_value_reader(config, _declared(config.value_schema), always=always, shelf=shelf, columns=columns)
    return SinkDecoder(config, reader, keeps_bytes=keeps_bytes)


@dataclass(slots=True)
class _Decoded:
    """What becomes of the values of one slice: columns, and why rows are left out."""

    arrays: list[pa.Array] = field(default_factory=list)
    fields: list[pa.Field] = field(default_factory=list)
    partition_columns: pa.RecordBatch | None = None
    bad: dict[int, tuple[str, str]] = field(default_factory=dict)
    dropped: pa.BooleanArray | None = None
    tag: str = ""
    metadata: dict[str, str] | None = None


class SinkDecoder:
    """Decodes for one sink task; made by `make_decoder`."""

    def __init__(self, config: SinkConfig, reader: ValueReader | None, *, keeps_bytes: bool) -> None:
        self._config = config
        self._reader = reader
        self._raw = config.archive_value is ArchiveValue.RAW
        self._keeps_bytes = keeps_bytes
        self._renamed: set[str] = set()

    def parts(self, raw: RawSlice) -> Sequence[RawSlice]:
        """Records of different lanes apart; see `Decoder`."""
        if self._reader is None or not raw.rows.num_rows:
            return (raw,)
        lanes = self._reader.split(raw.topic_partition.topic, raw.rows.column("value"))
        if len(lanes) < 2:
            return (raw,)
        return [replace(raw, rows=raw.rows.take(pa.array(rows))) for rows in lanes]

    def decode(self, raw: RawSlice) -> DecodedSlice:
        """Rows of one slice; see `Decoder`."""
        decoded = self._values(raw)
        self._judge_keys(raw, decoded)
        self._judge_nulls(raw, decoded)
        if decoded.bad and not self._config.errors.tolerate_all:
            _raise_first(raw, decoded.bad)
        rows = self._rows(raw, decoded)
        if decoded.metadata:
            rows = rows.replace_schema_metadata(decoded.metadata)
        offsets, times = raw.rows.column("offset"), timestamps_ms(raw.rows)
        beside = decoded.partition_columns
        keep = _kept(raw, decoded)
        if keep is not None:
            rows, offsets, times = rows.filter(keep), offsets.filter(keep), times.filter(keep)
            beside = None if beside is None else beside.filter(keep)
        bad = tuple(
            bad_record(raw, row, stage=stage, error=error) for row, (stage, error) in sorted(decoded.bad.items())
        )
        return DecodedSlice(
            topic_partition=raw.topic_partition,
            start=raw.start,
            next_offset=raw.next_offset,
            rows=rows,
            offsets=offsets,
            timestamps=times,
            bad=bad,
            schema_tag=decoded.tag,
            partition_columns=beside,
        )

    def _rows(self, raw: RawSlice, decoded: _Decoded) -> pa.RecordBatch:
        if not self._config.archive_envelope:
            return _batch(decoded.arrays, decoded.fields, raw.rows.num_rows)
        envelope = envelope_of(raw, self._config.archive_value)
        fields = [self._beside_envelope(raw.topic_partition.topic, member) for member in decoded.fields]
        return _batch([envelope, *decoded.arrays], [pa.field(ENVELOPE, envelope.type, nullable=False), *fields], 0)

    def _beside_envelope(self, topic: str, member: pa.Field) -> pa.Field:
        """A field whose name would clash with the envelope, under another one, so that no two become one."""
        name = beside_envelope(member.name)
        if name == member.name:
            return member
        if topic not in self._renamed:
            self._renamed.add(topic)
            _log.warning("a field has the name of the envelope's column", topic=topic, field=member.name, column=name)
        return member.with_name(name)

    def _values(self, raw: RawSlice) -> _Decoded:
        values = raw.rows.column("value")
        if self._reader is None:
            return _Decoded([values], [VALUE_FIELD])
        found = self._reader.read(raw.topic_partition.topic, values)
        wrong = self._told(raw, found.differing) | found.bad
        bad = {row: (VALUE_STAGE, error) for row, error in wrong.items()}
        if self._raw:
            beside = _batch(found.arrays, found.fields, len(values))
            return _Decoded([values], [VALUE_FIELD], partition_columns=beside, bad=bad)
        return _Decoded(found.arrays, found.fields, bad=bad, tag=found.tag, metadata=found.metadata)

    def _told(self, raw: RawSlice, differing: dict[int, str]) -> dict[int, str]:
        """The faults of values that don't come back from their columns; none where their bytes are kept."""
        if not differing or not self._keeps_bytes:
            return differing
        row = min(differing)
        _log.warning(
            "values do not come back from their columns; archive.value=both keeps their bytes",
            topic=raw.topic_partition.topic,
            partition=raw.topic_partition.partition,
            offset=raw.rows.column("offset")[row].as_py(),
            differing=len(differing),
            reason=differing[row],
        )
        return {}

    def _judge_keys(self, raw: RawSlice, decoded: _Decoded) -> None:
        if self._config.key_converter is not Converter.JSON:
            return
        for row, key in enumerate(raw.rows.column("key").to_pylist()):
            if key is None:
                continue
            try:
                orjson.loads(key)
            except orjson.JSONDecodeError as error:
                decoded.bad[row] = (KEY_STAGE, f"the key is not valid JSON: {error}")

    def _judge_nulls(self, raw: RawSlice, decoded: _Decoded) -> None:
        values = raw.rows.column("value")
        if not values.null_count or self._config.null_values is NullValues.WRITE:
            return
        if self._config.null_values is NullValues.IGNORE:
            decoded.dropped = values.is_null()
            return
        for row in np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False)).tolist():
            decoded.bad.setdefault(row, (PUT_STAGE, "the value is null, and behavior.on.null.values=fail"))


def _declared(schema: str) -> Shape:
    if not schema.strip():
        return Shape(Kind.STRUCT)
    try:
        shape = shape_of(json_text.read(schema.encode()))
    except (SchemaError, json_text.NotJsonError) as error:
        raise ConfigError([Problem("value.schema", str(error))]) from error
    if shape.kind is not Kind.STRUCT:
        raise ConfigError([Problem("value.schema", "is not the schema of a struct")])
    return replace(shape, required=False, default=None)


def _batch(arrays: list[pa.Array], fields: list[pa.Field], rows: int) -> pa.RecordBatch:
    if not arrays:
        return pa.RecordBatch.from_struct_array(pa.array([{}] * rows, pa.struct([])))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _kept(raw: RawSlice, decoded: _Decoded) -> pa.BooleanArray | None:
    """Which rows stay, or None for all."""
    if not decoded.bad and decoded.dropped is None:
        return None
    keep = np.ones(raw.rows.num_rows, bool)
    if decoded.dropped is not None:
        keep &= ~decoded.dropped.to_numpy(zero_copy_only=False)
    keep[list(decoded.bad)] = False
    return pa.array(keep)


def _raise_first(raw: RawSlice, bad: dict[int, tuple[str, str]]) -> None:
    row = min(bad)
    stage, error = bad[row]
    offset = raw.rows.column("offset")[row].as_py()
    hint = _HINT_NULLS if stage == PUT_STAGE else _HINT_SKIP
    raise DecodeError(f"{stage}: {raw.topic_partition}@{offset}: {error}", hint=hint)
