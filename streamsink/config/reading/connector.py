"""Turns a connector's flat map into what a sink task runs on. Opens, connects to and logs nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from streamsink.config.keys.database import OPTION_PREFIX as DATABASE_OPTION_PREFIX
from streamsink.config.keys.definition import NEAR_CUTOFF, Definition, Values, parse
from streamsink.config.keys.registry import KEY_PREFIX
from streamsink.config.keys.store import PREFIX as OPTION_PREFIX
from streamsink.config.reading import conversion as content
from streamsink.config.reading import partitioning as rules
from streamsink.config.reading.by_topic import PREFIX as CONVERTERS_PREFIX
from streamsink.config.reading.by_topic import read_patterns
from streamsink.config.reading.clients import read_clients
from streamsink.config.reading.fieldless import fieldless
from streamsink.config.reading.lines import as_lines, json_form, read_lines
from streamsink.config.reading.location import DEAD_LETTER_PREFIX, check_credentials, read_dead_letters, read_location
from streamsink.config.reading.plugin_classes import FORMAT_PREFIX, plugin_converter
from streamsink.config.reading.plugins import PluginType, find_plugin
from streamsink.config.reading.registry import WITH_REGISTRY, read_registry
from streamsink.config.reading.siblings import keeps_avro_keys, read_siblings
from streamsink.config.reading.transforms import read_transforms
from streamsink.config.sink import (
    ArchiveValue,
    Compatibility,
    Converter,
    ErrorHandling,
    ExactlyOnce,
    SinkConfig,
)
from streamsink.config.vendors import confluent
from streamsink.config.vendors.keys import INSTEAD, WITHOUT_EFFECT
from streamsink.config.vendors.profiles import CLASSES, NATIVE, ConnectorClass, find_class
from streamsink.config.vendors.translators import TRANSLATORS
from streamsink.errors import ConfigError, Problem

OPEN_PREFIXES = (
    *("consumer.override.", "producer.override.", "admin.override.", OPTION_PREFIX, "transforms.", "predicates."),
    *("key.converter.", "value.converter.", "header.converter.", "errors.", "aws.", "s3.credentials.provider."),
    *(
        "partitioner.",
        "confluent.",
    ),
)
"""What keys may start with and not be defined; only one that is much like a defined key is warned of."""

FREE_PREFIXES = (
    "consumer.override.",
    "producer.override.",
    "admin.override.",
    OPTION_PREFIX,
    DEAD_LETTER_PREFIX,
    CONVERTERS_PREFIX,
    DATABASE_OPTION_PREFIX,
    "transforms.",
    "predicates.",
)
"""Of these, those whose names are made up by others: no defined key is ever meant."""

PLUGIN_PREFIXES = (
    "partitioner.",
    "key.converter.",
    "value.converter.",
    "header.converter.",
    "s3.credentials.provider.",
)
PLUGIN_CUTOFF = 0.9
"""Plugins name keys after these as they like; only a slip of the pen is taken for a defined key."""


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """All problems and warnings of a configuration.

    `definition` has the keys that the connector's class knows; `config` is None where there are problems.
    """

    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    definition: Definition
    config: SinkConfig | None = None


def source_report(values: Values) -> ValidationReport:
    """Report on a source connector's map that was read. Each problem and warning comes once."""
    return ValidationReport(
        tuple(dict.fromkeys(values.problems)), tuple(dict.fromkeys(values.warnings)), values.definition
    )


def usable_warnings(values: Values) -> list[str]:
    """Give the warnings of a source connector's map that can be used.

    Raises:
        ConfigError: Any key can't be used; it has every problem.
    """
    report = source_report(values)
    if report.problems:
        raise ConfigError(list(report.problems), hint="correct the connector's configuration")
    return list(report.warnings)


def parse_sink(raw: Mapping[str, str], worker: Mapping[str, str]) -> tuple[SinkConfig, list[str]]:
    """A task's configuration, and what to warn of.

    Args:
        raw: The connector's flat map, secrets resolved.
        worker: The worker's flat map, secrets resolved.

    Returns:
        The configuration, and its warnings.

    Raises:
        ConfigError: Any key can't be used; it has every problem.
    """
    report = validate_sink(raw, worker)
    if report.config is None:
        raise ConfigError(
            list(report.problems), hint="correct the connector's configuration; connectors.d/README.md lists every key"
        )
    return report.config, list(report.warnings)


def validate_sink(raw: Mapping[str, str], worker: Mapping[str, str]) -> ValidationReport:
    """Check a connector's flat map as a whole.

    Args:
        raw: The connector's flat map, secrets resolved.
        worker: The worker's flat map, secrets resolved.

    Returns:
        Every problem and warning once, and the configuration. That is None where there is any problem.
    """
    kind = find_class(raw.get("connector.class", ""))
    known = kind or NATIVE
    translator = TRANSLATORS.get(known.profile)
    if translator is not None:
        raw = translator.rename(raw)
    values = known.definition.read(raw)
    if kind is None and values.given("connector.class"):
        classes = ", ".join(one.name for one in CLASSES)
        values.problem("connector.class", f"{raw['connector.class']!r} is unknown; known are {classes}")
    warn_of_unknown(values)
    _warn_of_idle(values)
    confluent.warn_of_envelope(values)
    theirs = values
    if translator is not None:
        ours = translator.translate(values, worker)
        again = known.definition.read(ours)
        again.problems = values.problems + [one for one in again.problems if one not in values.problems]
        again.warnings = values.warnings
        values = again
    config = _read(values, known, worker)
    if translator is not None:
        config = translator.finish(theirs, config)
    confluent.check_affix(values, config)
    if config.revoke_timeout_ms < config.drain_timeout_ms:
        values.warn(
            "drain.timeout.ms: a partition that the group takes back is drained for "
            f"{config.revoke_timeout_ms} ms at most, six tenths of max.poll.interval.ms"
        )
    values.problems += [one for one in fieldless(config) if not values.wrong(one.key, "value.converter")]
    config = replace(config, by_topic=_by_topic(values, worker))
    problems = tuple(dict.fromkeys(values.problems))
    return ValidationReport(
        problems, tuple(dict.fromkeys(values.warnings)), known.definition, None if problems else config
    )


def _by_topic(values: Values, worker: Mapping[str, str]) -> tuple[tuple[str, SinkConfig], ...]:
    """The configuration for each rule's topics; its problems are told under the rule's keys."""
    found: list[tuple[str, SinkConfig]] = []
    for alias, pattern, raw in read_patterns(values):
        report = validate_sink(raw, worker)
        for problem in report.problems:
            if problem not in values.problems:
                values.problem(f"{CONVERTERS_PREFIX}{alias}.{problem.key}", problem.message)
        if report.config is not None:
            found.append((pattern, report.config))
    return tuple(found)


def _read(values: Values, kind: ConnectorClass, worker: Mapping[str, str]) -> SinkConfig:
    profile = kind.profile
    archive_url, options = read_location(values, kind)
    check_credentials(values)
    topics = tuple(dict.fromkeys(values.items("topics")))
    transforms = read_transforms(values)
    key_converter, key_schemas = content.read_key_converter(
        values, worker, transforms, as_avro=keeps_avro_keys(values, profile)
    )
    # A JSON Schema's keys are JSON behind their head: nobody has to be asked.
    asks = key_converter is not Converter.JSON_SCHEMA
    converter, schemas_enable = content.read_value_converter(values, worker)
    content.warn_of_idle(values, converter)
    encoding = content.read_encoding(values)
    encoding = replace(encoding, json_form=json_form(values, profile, encoding))
    lines = read_lines(values, profile, converter, encoding, transforms, schemas_enable=schemas_enable)
    null_values = content.read_null_values(values, profile)
    siblings = read_siblings(values, profile, encoding, key_converter, null_values)
    if lines is None:
        archive_value = content.read_archive_value(values, profile, converter, encoding.kind, transforms)
    else:
        archive_value, encoding = ArchiveValue.RAW, as_lines(encoding)
    consumer, producer = read_clients(values, worker)
    return SinkConfig(
        name=values.text("name"),
        archive_url=archive_url,
        consumer=consumer,
        producer=producer,
        topics=topics,
        topics_regex=values.text("topics.regex").strip(),
        profile=profile,
        key_converter=key_converter,
        key_schemas_enable=key_schemas and key_converter is Converter.JSON,
        value_converter=converter,
        schemas_enable=schemas_enable and converter is Converter.JSON,
        replace_null_with_default=content.read_replace_null(values, worker, converter, with_schema=schemas_enable),
        key_registry=read_registry(values, worker, key_converter, prefix=KEY_PREFIX) if asks else None,
        value_plugin=plugin_converter(values, worker),
        value_registry=read_registry(values, worker, converter),
        schema_compatibility=_read_compatibility(values, converter),
        lines=lines,
        header_converter=content.read_header_converter(values, worker, profile),
        archive_value=archive_value,
        siblings=siblings,
        archive_envelope=values.flag("archive.envelope") or siblings is not None,
        value_schema=values.text("value.schema").strip(),
        value_columns_max=values.whole("value.columns.max"),
        value_check_sample=values.whole("value.check.sample"),
        null_values=null_values,
        errors=_read_errors(values, topics, read_dead_letters(values, archive_url, options)),
        transforms=transforms,
        partitioning=rules.read_partitioning(values, profile),
        encoding=encoding,
        rotation=rules.read_rotation(values, profile, archive_url),
        naming=rules.read_naming(values),
        archive_options=options,
        exactly_once=ExactlyOnce(values.text("exactly.once").strip().lower()),
        memory_bytes_max=values.whole("memory.bytes.max"),
        drain_timeout_ms=values.whole("drain.timeout.ms"),
        stall_timeout_ms=values.whole("stall.timeout.ms"),
        upload_threads=values.whole("upload.threads"),
        upload_retry_timeout_ms=values.whole("upload.retry.timeout.ms"),
        poll_records_max=values.whole("poll.records.max"),
        consumer_native=values.flag("consumer.native"),
    )


def _read_compatibility(values: Values, converter: Converter) -> Compatibility:
    said = Compatibility(values.text("schema.compatibility").strip().upper() or "NONE")
    if said is not Compatibility.NONE and converter not in WITH_REGISTRY:
        values.warn(f"schema.compatibility: has no effect on {converter.value} values, which have no versions")
        return Compatibility.NONE
    return said


def _read_errors(values: Values, topics: tuple[str, ...], dead_letters: tuple[str, dict[str, str]]) -> ErrorHandling:
    pattern = values.text("topics.regex").strip()
    if not values.wrong("topics", "topics.regex"):
        if not topics and not pattern:
            for key in ("topics", "topics.regex"):
                values.problem(key, "Must configure one of topics or topics.regex")
        if topics and pattern:
            for key in ("topics", "topics.regex"):
                values.problem(key, "topics and topics.regex are mutually exclusive options, but both are set.")
    dead = values.text("errors.deadletterqueue.topic.name").strip()
    matched = bool(pattern) and not values.wrong("topics.regex") and re.fullmatch(pattern, dead) is not None
    if dead and (dead in topics or matched):
        values.problem("errors.deadletterqueue.topic.name", f"{dead!r} is one of the topics archived")
    tolerate_all = values.text("errors.tolerance").strip().lower() == "all"
    if dead and not tolerate_all:
        values.warn("errors.deadletterqueue.topic.name: nothing goes there, since errors.tolerance is not all")
    url, options = dead_letters
    if url and not tolerate_all:
        values.warn("errors.deadletter.url: nothing goes there, since errors.tolerance is not all")
    return ErrorHandling(
        tolerate_all=tolerate_all,
        dead_letter_topic=dead,
        dead_letter_headers=values.flag("errors.deadletterqueue.context.headers.enable"),
        dead_letter_replication_factor=values.whole("errors.deadletterqueue.topic.replication.factor"),
        dead_letter_url=url,
        dead_letter_options=options,
        retry_timeout_ms=values.number("errors.retry.timeout"),
        retry_delay_max_ms=values.whole("errors.retry.delay.max.ms"),
        log=values.flag("errors.log.enable"),
        log_messages=values.flag("errors.log.include.messages"),
    )


def refuse_transforms(values: Values, why: str) -> None:
    """Tell of transforms and predicates, which sources don't have.

    Args:
        values: Takes the problems.
        why: Follows "is not supported for sources: ".
    """
    for key in ("transforms", "predicates"):
        if values.given(key):
            values.problem(key, f"is not supported for sources: {why}")


def warn_of_unknown(values: Values) -> None:
    """Keys nobody defines: told with the nearest name, and quietly passed over where others make up the names."""
    own_format = find_plugin(PluginType.FORMAT, values.raw.get("format.class", "")) is not None
    for key in values.raw:
        if key in values.definition or key.startswith(FREE_PREFIXES) or (own_format and key.startswith(FORMAT_PREFIX)):
            continue
        near = values.definition.near(key, PLUGIN_CUTOFF if key.startswith(PLUGIN_PREFIXES) else NEAR_CUTOFF)
        if near:
            values.warn(f"{key}: unknown key, is {near} meant?")
        elif not key.startswith(OPEN_PREFIXES):
            values.warn(f"{key}: unknown key, it has no effect")


def _warn_of_idle(values: Values) -> None:
    """Keys that change nothing here, with what happens instead."""
    for key in sorted(WITHOUT_EFFECT):
        if _differs(values, key) and key != "s3.credentials.provider.class":
            instead = INSTEAD.get(key, "")
            values.warn(f"{key}: has no effect here{f': {instead}' if instead else ''}")


def _differs(values: Values, key: str) -> bool:
    """Whether the key is given with another value than its default."""
    if not values.given(key) or values.wrong(key):
        return False
    default = values.definition[key].default_text
    return default is None or values.parsed[key] != parse(values.definition[key], default)[0]
