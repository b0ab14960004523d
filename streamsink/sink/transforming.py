"""Joins decode and transform: a decoder whose slices have gone through the connector's transforms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from streamsink.config.reading.transforms import mentioned_fields
from streamsink.config.sink import ArchiveValue, Converter, NullValues, SinkConfig
from streamsink.decode.column_history import ColumnShelf
from streamsink.decode.decoder import make_decoder
from streamsink.decode.lines.decoder import LineDecoder
from streamsink.decode.protocol import Decoder
from streamsink.decode.record_keys import KeyDecoder
from streamsink.decode.registry.client import SchemaRegistry, SchemaShelf
from streamsink.decode.registry.record_keys import RegistryKeys
from streamsink.decode.registry.values import RegistryValues
from streamsink.errors import DecodeError
from streamsink.record import DecodedSlice, RawSlice
from streamsink.sink.by_topic import DecoderByTopic
from streamsink.sink.column_fitting import FittingDecoder
from streamsink.transform.make import make_chain
from streamsink.transform.record_keys import key_writer
from streamsink.transform.rows import Datum
from streamsink.transform.stage import KeyReader, StagePlan, TransformStage

_HINT = "errors.tolerance=all skips such records, errors.deadletterqueue.topic.name keeps them"
_WHOLE = frozenset({Converter.BYTES, Converter.STRING})
_WITHOUT_SCHEMA = frozenset({*_WHOLE, Converter.JSON, Converter.BSON})


class TransformingDecoder:
    """Decodes, then transforms; made by `with_transforms`."""

    def __init__(self, decoder: Decoder, stage: TransformStage, *, tolerant: bool) -> None:
        self._decoder = decoder
        self._stage = stage
        self._tolerant = tolerant

    def parts(self, raw: RawSlice) -> Sequence[RawSlice]:
        """See `Decoder`."""
        return self._decoder.parts(raw)

    def decode(self, raw: RawSlice) -> DecodedSlice:
        """Rows of one slice; see `Decoder`."""
        transformed = self._stage.apply(raw, self._decoder.decode(raw))
        if transformed.bad and not self._tolerant:
            first = transformed.bad[0]
            raise DecodeError(f"{first.stage}: {first.topic_partition}@{first.offset}: {first.error}", hint=_HINT)
        return transformed


def with_transforms(
    config: SinkConfig, shelf: SchemaShelf | None = None, columns: ColumnShelf | None = None
) -> Decoder:
    """The decoder a configuration asks for, and its transforms if it has any.

    Args:
        config: The task's configuration.
        shelf: Where a registry's schemas are kept beside the archive.
        columns: Where topics' column sets are kept; None where rows go into no archive, or into another product's form.

    Raises:
        ConfigError: `value.schema` is no Connect struct schema.
        TerminalError: A user's transform is not installed any more.
    """
    if config.by_topic:
        rules = [(pattern, with_transforms(rule, shelf, columns)) for pattern, rule in config.by_topic]
        return DecoderByTopic(rules, with_transforms(replace(config, by_topic=()), shelf, columns))
    if config.lines is not None:
        # A line is JSON without a schema, whatever its value was.
        plain = replace(config, lines=None, value_converter=Converter.JSON, schemas_enable=False)
        decoder = with_transforms(plain, shelf)
        tolerant = config.errors.tolerate_all
        return LineDecoder(decoder, config.value_converter, config.lines, tolerant=tolerant)
    if columns is not None and _widens(config):
        decoder = with_transforms(config, shelf)
        return FittingDecoder(decoder, columns, config.value_columns_max, renames=_renames(config))
    if not config.transforms:
        return make_decoder(config, shelf=shelf, columns=columns)
    touched = frozenset[str]().union(*(one.reads | one.writes for one in config.transforms))
    reads_value = "value" in touched or config.archive_value is not ArchiveValue.RAW
    inner = replace(config, archive_envelope=False, null_values=NullValues.WRITE)
    if reads_value:
        inner = replace(inner, archive_value=ArchiveValue.COLUMNS)
    rekeys = any("key" in one.writes for one in config.transforms)
    as_json = config.key_converter is Converter.JSON
    plan = StagePlan(
        archive_value=config.archive_value,
        envelope=config.archive_envelope,
        null_values=config.null_values,
        reads_value=reads_value,
        whole_value=config.value_converter in _WHOLE,
        declared=config.schemas_enable or config.value_converter not in _WITHOUT_SCHEMA,
        routes=any("topic" in one.writes for one in config.transforms),
        read_keys=_key_reader(config, shelf) if "key" in touched else None,
        write_keys=key_writer(as_json=as_json, with_schema=config.key_schemas_enable) if rekeys else None,
    )
    keeps_bytes = config.archive_value is ArchiveValue.BOTH
    decoder = make_decoder(inner, always=mentioned_fields(config.transforms), shelf=shelf, keeps_bytes=keeps_bytes)
    stage = TransformStage(plan, make_chain(config.transforms))
    return TransformingDecoder(decoder, stage, tolerant=config.errors.tolerate_all)


def _widens(config: SinkConfig) -> bool:
    """Whether the columns that a decoder makes follow from the records it has seen, and not from the column set."""
    if config.archive_value is ArchiveValue.RAW or config.value_registry is not None:
        return False
    return bool(config.transforms) or config.schemas_enable or config.value_converter is Converter.PLUGIN


def _renames(config: SinkConfig) -> bool:
    """Whether transforms make one archive topic of each source topic, whatever its records say."""
    routers = [one for one in config.transforms if "topic" in one.writes]
    return bool(routers) and all(one.kind == "RegexRouter" and one.predicate is None for one in routers)


def _key_reader(config: SinkConfig, shelf: SchemaShelf | None) -> KeyReader:
    decoder: KeyDecoder | RegistryKeys
    if (rules := config.key_registry) is not None:
        decoder = RegistryKeys(RegistryValues(config.key_converter, SchemaRegistry(rules, shelf), rules))
    else:
        decoder = KeyDecoder(config.key_converter, schemas_enable=config.key_schemas_enable)

    def read(topic: str, keys: pa.Array) -> tuple[Datum, dict[int, str]]:
        found = decoder.decode(topic, keys)
        return Datum(found.array, declared=found.declared, text=found.is_json), found.bad

    return read
