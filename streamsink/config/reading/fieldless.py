"""Finds fields that partitioning asks for and that values which stay whole can't have. Pure."""

from __future__ import annotations

from streamsink.config.sink import ArchiveValue, Converter, ExtractorKind, PartitionerKind, SinkConfig
from streamsink.errors import Problem
from streamsink.names import ENVELOPE

_TIMED = {PartitionerKind.TIME, PartitionerKind.HOURLY, PartitionerKind.DAILY, PartitionerKind.FIELD_TIME}
_BY_FIELD = {PartitionerKind.FIELD, PartitionerKind.FIELD_TIME}
_WHOLE = {Converter.BYTES, Converter.STRING}


def fieldless(config: SinkConfig) -> list[Problem]:
    """Find fields that are asked for and that values don't have. All rows would end up under `f=null`."""
    if config.value_converter not in _WHOLE or any("value" in one.writes for one in config.transforms):
        return []
    rules = config.partitioning
    there = {ENVELOPE} if config.archive_envelope else set()
    if config.value_converter is Converter.STRING and config.archive_value is not ArchiveValue.RAW:
        there.add("value")
    asked = [("partition.field.name", name) for name in rules.fields] if rules.kind in _BY_FIELD else []
    if rules.kind in _TIMED and rules.extractor is ExtractorKind.RECORD_FIELD:
        asked.append(("timestamp.field", rules.timestamp_field))
    return [
        Problem(key, f"{name!r} is a field, and {config.value_converter.value} values have none: value.converter=json")
        for key, name in asked
        if name.split(".")[0] not in there
    ]
