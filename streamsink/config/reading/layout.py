"""Computes the layout's fingerprint: equal where two configurations name and file records alike. Pure."""

from __future__ import annotations

import hashlib
import json

from streamsink.config.sink import (
    ArchiveValue,
    Encoding,
    FormatKind,
    JsonForm,
    PartitionerKind,
    Partitioning,
    PredicateSpec,
    SinkConfig,
)

_FIELDS = frozenset({PartitionerKind.FIELD, PartitionerKind.FIELD_TIME})
_TIMED = frozenset(PartitionerKind) - {PartitionerKind.DEFAULT, PartitionerKind.FIELD, PartitionerKind.PLUGIN}


def layout_fingerprint(config: SinkConfig) -> str:
    """Eight hexadecimal digits of what decides objects' names, and which object a record belongs to.

    Rotation is not among it: any rule may follow any other. Nor is a setting that the partitioner doesn't look at.
    """
    text = json.dumps(_decisive(config), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _decisive(config: SinkConfig) -> dict[str, object]:
    rules, encoding, naming = config.partitioning, config.encoding, config.naming
    decisive: dict[str, object] = {
        "partitioner": rules.kind.value,
        "topics_dir": naming.topics_dir,
        "delimiters": [naming.directory_delim, naming.file_delim, rules.directory_delim],
        "pad": naming.zero_pad_width,
        "format": encoding.kind.value,
        "codec": "" if encoding.kind is FormatKind.AVRO else encoding.codec,
        "value": config.archive_value.value,
        "envelope": config.archive_envelope,
        "nulls": config.null_values.value,
    }
    if config.archive_value is not ArchiveValue.RAW:
        nulls = [] if config.replace_null_with_default else ["nulls stay"]
        decisive["converter"] = [config.value_converter.value, config.schemas_enable, *nulls]
        if config.value_registry is not None:
            decisive["schemas"] = [config.schema_compatibility.value, config.value_registry.strategy.value]
    if (output := config.output) is not None:
        fields = [field.value for field in output.fields]
        texts = [output.layout.value, output.whole_codec, output.between, output.behind]
        decisive["output"] = [fields, output.envelope, output.base64, *texts, config.header_converter.value]
    if naming.template:
        decisive["template"] = naming.template
    if (siblings := config.siblings) is not None:
        beside = [None if one is None else [one.kind.value, one.codec] for one in (siblings.keys, siblings.headers)]
        read = [config.key_converter.value, config.key_schemas_enable, config.header_converter.value]
        decisive["siblings"] = [*beside, siblings.tombstones, *read]
    if config.lines is not None:
        decisive["lines"] = [config.value_converter.value, config.lines.schemas_enable, config.lines.decimal_numeric]
    decisive |= _of_encoding(encoding)
    own = {"value_plugin": config.value_plugin, "format_plugin": encoding.plugin}
    decisive |= {key: [spec.name, dict(spec.settings)] for key, spec in own.items() if spec is not None}
    decisive |= _of_partitioner(rules)
    if config.by_topic:
        decisive["by_topic"] = [[pattern, _decisive(rule)] for pattern, rule in config.by_topic]
    if config.transforms:
        decisive["transforms"] = [
            [one.kind, one.side, dict(one.settings), _predicate(one.predicate), one.negate] for one in config.transforms
        ]
        decisive["keys"] = [config.key_converter.value, config.value_converter.value]
    return decisive


def _of_encoding(encoding: Encoding) -> dict[str, object]:
    decisive: dict[str, object] = {}
    if encoding.kind is FormatKind.RAW:
        decisive["extension"] = encoding.raw_extension
    elif encoding.json_form is not JsonForm.ISO:
        decisive["json"] = encoding.json_form.value
    return decisive


def _of_partitioner(rules: Partitioning) -> dict[str, object]:
    decisive: dict[str, object] = {}
    if rules.plugin:
        decisive["plugin"] = [rules.plugin, dict(rules.settings)]
    if rules.kind in _FIELDS:
        decisive["fields"] = list(rules.fields)
    if rules.kind in _TIMED:
        decisive["time"] = [rules.path_format, rules.duration_ms, rules.timezone, rules.locale, rules.extractor.value]
        if rules.extractor.value == "RecordField":
            decisive["field"] = rules.timestamp_field
    if rules.values_alone:
        decisive["values_alone"] = True
    if rules.by_key:
        decisive["by_key"] = True
    if rules.schema_affix:
        decisive["affix"] = rules.schema_affix
    return decisive


def _predicate(spec: PredicateSpec | None) -> list[object]:
    return [] if spec is None else [spec.kind, dict(spec.settings)]
