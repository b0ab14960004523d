"""Turns raw slices into the rows an object will have. Does no I/O; its only state is each topic's widening shape.

With `archive.value=raw` a value is not looked into, so that even one that is broken is archived, unless its encoded
partition is made of its fields. In `columns` a tombstone is a row whose columns are all null, as `{}` is; `both` tells
them apart, since `_kafka.value` is null for the tombstone only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import orjson
import pyarrow as pa
import structlog

from streamsink.config.sink import (
    ArchiveValue,
    Compatibility,
    Converter,
    FormatKind,
    NullValues,
    SinkConfig,
)
from streamsink.decode import json_text
from streamsink.decode.connect_schema import SchemaError, shape_of
from streamsink.decode.envelope import (
    KEY_STAGE,
    PUT_STAGE,
    VALUE_FIELD,
    VALUE_STAGE,
    bad_record,
    envelope_of,
    timestamps_ms,
)
from streamsink.decode.json_columns import JsonColumns, JsonRules
from streamsink.decode.protocol import Decoder
from streamsink.decode.registry import SchemaRegistry, SchemaShelf
from streamsink.decode.registry_values import RegistryValues
from streamsink.decode.shape import Kind, Shape
from streamsink.decode.users import UsersValues
from streamsink.decode.wanted import fields_wanted
from streamsink.errors import ConfigError, DecodeError, Problem
from streamsink.record import ENVELOPE, DecodedSlice, RawSlice

_log = structlog.get_logger("streamsink.decode")

_HINT_SKIP = "errors.tolerance=all skips such records, errors.deadletterqueue.topic.name keeps them"
_HINT_NULLS = "behavior.on.null.values=write keeps tombstones, ignore drops them"


def make_decoder(
    config: SinkConfig, *, always: frozenset[str] = frozenset(), shelf: SchemaShelf | None = None
) -> Decoder:
    """The decoder a configuration asks for.

    Args:
        config: Which converter, and what values become.
        always: Fields that get a column of their own, however many there are.
        shelf: Where a registry's schemas are kept beside the archive.

    Raises:
        ConfigError: `value.schema` is no Connect struct schema.
    """
    return SinkDecoder(config, _declared(config.value_schema), always, _registry_values(config, shelf))


def _registry_values(config: SinkConfig, shelf: SchemaShelf | None) -> RegistryValues | None:
    """What reads values whose schemas a registry has; None where none has, or nothing looks at the values."""
    rules = config.value_registry
    if rules is None or (config.archive_value is ArchiveValue.RAW and not fields_wanted(config)):
        return None
    return RegistryValues(
        config.value_converter,
        SchemaRegistry(rules, shelf),
        rules,
        compatibility=config.schema_compatibility,
        columns_max=config.value_columns_max,
        copies=_copies(config),
    )


def _copies(config: SinkConfig) -> bool:
    """Whether nothing looks into values before they are Avro again, and all of a lane's are of one schema."""
    looks = bool(config.transforms or fields_wanted(config))
    if config.schema_compatibility is not Compatibility.NONE or looks:
        return False
    return config.encoding.kind is FormatKind.AVRO and config.archive_value is not ArchiveValue.RAW


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

    def __init__(
        self, config: SinkConfig, declared: Shape, always: frozenset[str], registry: RegistryValues | None = None
    ) -> None:
        self._config = config
        self._registry = registry
        self._users = UsersValues(config.value_plugin) if config.value_plugin is not None else None
        self._is_json = config.value_converter is Converter.JSON
        self._wanted = fields_wanted(config)
        self._raw = config.archive_value is ArchiveValue.RAW
        heads = {path.split(".")[0] for path in self._wanted}
        self._rules = JsonRules(
            declared=declared,
            schemas_enable=config.schemas_enable,
            columns_max=config.value_columns_max,
            always=frozenset({*self._wanted, *heads, *always}),
            wanted=self._wanted if self._raw else None,
        )
        self._topics: dict[str, JsonColumns] = {}
        self._renamed: set[str] = set()

    def parts(self, raw: RawSlice) -> Sequence[RawSlice]:
        """Records of different lanes apart; see `Decoder`."""
        if self._registry is None or self._raw or not raw.rows.num_rows:
            return (raw,)
        lanes = self._registry.split(raw.topic_partition.topic, raw.rows.column("value"))
        if len(lanes) == 1:
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
        envelope = envelope_of(raw, with_value=self._config.archive_value is ArchiveValue.BOTH)
        fields = [self._beside_envelope(raw.topic_partition.topic, member) for member in decoded.fields]
        return _batch([envelope, *decoded.arrays], [pa.field(ENVELOPE, envelope.type, nullable=False), *fields], 0)

    def _beside_envelope(self, topic: str, member: pa.Field) -> pa.Field:
        """Names that would clash with the envelope get one underscore more, so that no two become one."""
        if member.name.rstrip("_") != ENVELOPE:
            return member
        name = f"{member.name}_"
        if topic not in self._renamed:
            self._renamed.add(topic)
            _log.warning("a field has the name of the envelope's column", topic=topic, field=member.name, column=name)
        return member.with_name(name)

    def _values(self, raw: RawSlice) -> _Decoded:
        values = raw.rows.column("value")
        if self._raw:
            decoded = _Decoded([values], [VALUE_FIELD])
            if self._is_json and self._wanted:
                beside = self._json(raw)
                decoded.partition_columns = _batch(beside.arrays, beside.fields, len(values))
                decoded.bad = beside.bad
            if self._users is not None and self._wanted:
                beside = self._own(raw)
                decoded.partition_columns = _batch(beside.arrays, beside.fields, len(values))
                decoded.bad = beside.bad
            if self._registry is not None and self._wanted:
                heads = frozenset(path.split(".")[0] for path in self._wanted)
                apart = self._registry.read_apart(raw.topic_partition.topic, values, heads | set(self._wanted))
                decoded.partition_columns = _batch(apart.arrays, apart.fields, len(values))
                decoded.bad = {row: (VALUE_STAGE, error) for row, error in apart.bad.items()}
            return decoded
        if self._registry is not None:
            found = self._registry.read(raw.topic_partition.topic, values)
            bad = {row: (VALUE_STAGE, error) for row, error in found.bad.items()}
            return _Decoded(found.arrays, found.fields, bad=bad, tag=found.tag, metadata=found.metadata)
        if self._users is not None:
            return self._own(raw)
        if self._is_json:
            return self._json(raw)
        if self._config.value_converter is Converter.STRING:
            return _strings(values)
        return _Decoded([values], [VALUE_FIELD])

    def _json(self, raw: RawSlice) -> _Decoded:
        topic = raw.topic_partition.topic
        if topic not in self._topics:
            self._topics[topic] = JsonColumns(self._rules)
        columns = self._topics[topic].read(raw.rows.column("value"))
        bad = {row: (VALUE_STAGE, error) for row, error in columns.bad.items()}
        return _Decoded(columns.arrays, columns.fields, bad=bad)

    def _own(self, raw: RawSlice) -> _Decoded:
        assert self._users is not None
        found = self._users.read(raw.topic_partition.topic, raw.rows.column("value"))
        bad = {row: (VALUE_STAGE, error) for row, error in found.bad.items()}
        return _Decoded(found.arrays, found.fields, bad=bad)

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


def _strings(values: pa.Array) -> _Decoded:
    try:
        return _Decoded([values.cast(pa.string())], [pa.field("value", pa.string())])
    except pa.ArrowInvalid:
        bad: dict[int, tuple[str, str]] = {}
        texts: list[str | None] = []
        for row, value in enumerate(values.to_pylist()):
            try:
                texts.append(None if value is None else value.decode())
            except UnicodeDecodeError as error:
                bad[row] = (VALUE_STAGE, f"the value is not UTF-8: {error.reason} at byte {error.start}")
                texts.append(None)
        return _Decoded([pa.array(texts, pa.string())], [pa.field("value", pa.string())], bad=bad)


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
