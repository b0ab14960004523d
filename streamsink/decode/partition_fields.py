"""Lists the value's fields that encoded partitions are made of. Pure."""

from __future__ import annotations

from streamsink.config.sink import ExtractorKind, PartitionerKind, SinkConfig

_TIMED = {PartitionerKind.TIME, PartitionerKind.HOURLY, PartitionerKind.DAILY, PartitionerKind.FIELD_TIME}
_BY_FIELD = {PartitionerKind.FIELD, PartitionerKind.FIELD_TIME}


def fields_wanted(config: SinkConfig) -> tuple[str, ...]:
    """The fields that partitions are made of, with dots for nested ones."""
    rules = config.partitioning
    fields = list(rules.fields) if rules.kind in _BY_FIELD else []
    if rules.kind in _TIMED and rules.extractor is ExtractorKind.RECORD_FIELD:
        fields.append(rules.timestamp_field)
    return tuple(dict.fromkeys(fields))
