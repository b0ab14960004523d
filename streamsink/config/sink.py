"""The configuration that a sink task runs on: one frozen value, made from a validated flat map. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from streamsink.config.output import OutputRules


class Profile(StrEnum):
    """Whose files the connector writes: ours, or just what another vendor's connector would."""

    NATIVE = "native"
    CONFLUENT = "confluent"
    AIVEN = "aiven"
    LENSES = "lenses"


class Converter(StrEnum):
    """Short names of Connect's converters, and what stands for a plugin."""

    BYTES = "bytes"
    STRING = "string"
    JSON = "json"
    AVRO = "avro"
    PROTOBUF = "protobuf"
    JSON_SCHEMA = "jsonschema"
    BSON = "bson"
    PLUGIN = "users"  # part of layouts' fingerprints: another word would be another layout


class SubjectStrategy(StrEnum):
    """The rule that names a schema's subject in a Schema Registry."""

    TOPIC = "TopicNameStrategy"
    RECORD = "RecordNameStrategy"
    TOPIC_RECORD = "TopicRecordNameStrategy"


class Compatibility(StrEnum):
    """`schema.compatibility`: which versions of a schema share files, and in whose columns."""

    NONE = "NONE"
    BACKWARD = "BACKWARD"
    FORWARD = "FORWARD"
    FULL = "FULL"


class ArchiveValue(StrEnum):
    """The form of a record's value in the archive."""

    RAW = "raw"
    COLUMNS = "columns"
    BOTH = "both"


class NullValues(StrEnum):
    """`behavior.on.null.values`: what happens to tombstones."""

    WRITE = "write"
    IGNORE = "ignore"
    FAIL = "fail"


class PartitionerKind(StrEnum):
    """Short names of Confluent's partitioners, of ours that joins field and time, and what stands for a plugin."""

    DEFAULT = "default"
    FIELD = "field"
    TIME = "time"
    HOURLY = "hourly"
    DAILY = "daily"
    FIELD_TIME = "fieldtime"
    PLUGIN = "users"  # part of layouts' fingerprints: another word would be another layout


class ExtractorKind(StrEnum):
    """The source of a record's time for a time partitioner."""

    WALLCLOCK = "Wallclock"
    RECORD = "Record"
    RECORD_FIELD = "RecordField"


class FormatKind(StrEnum):
    """Short names of the file formats, and what stands for a plugin."""

    PARQUET = "parquet"
    AVRO = "avro"
    JSONL = "jsonl"
    RAW = "raw"
    PLUGIN = "users"  # part of layouts' fingerprints: another word would be another layout


class RotationScope(StrEnum):
    """The files that one rotation closes: the one it concerns, or all of its topic partition (Confluent's)."""

    FILE = "file"
    PARTITION = "partition"


class ExactlyOnce(StrEnum):
    """Whether a store that can't create atomically is refused."""

    REQUIRED = "required"
    PREFERRED = "preferred"


@dataclass(frozen=True, slots=True)
class RegistryRules:
    """A converter's Schema Registry: its client's properties in confluent-kafka's words, and how versions are found."""

    properties: Mapping[str, str]
    strategy: SubjectStrategy = SubjectStrategy.TOPIC
    use_latest_version: bool = False


@dataclass(frozen=True, slots=True)
class PluginSpec:
    """A plugin as configured: its name, and its settings without what keys put before them."""

    name: str
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ErrorHandling:
    """Connect's `errors.*`: whether one bad record stops the task, and where it goes if not."""

    tolerate_all: bool = False
    dead_letter_topic: str = ""
    dead_letter_headers: bool = False
    dead_letter_replication_factor: int = 3
    dead_letter_url: str = ""
    dead_letter_options: Mapping[str, str] = field(default_factory=dict)
    retry_timeout_ms: int | None = None
    retry_delay_max_ms: int = 60_000
    log: bool = False
    log_messages: bool = False


@dataclass(frozen=True, slots=True)
class PredicateSpec:
    """A predicate as configured: its kind's name, or a plugin, and its settings."""

    kind: str
    settings: Mapping[str, str] = field(default_factory=dict)
    plugin: bool = False


@dataclass(frozen=True, slots=True)
class TransformSpec:
    """A transform as configured.

    `kind` is Connect's bare name (`Cast`), or, if `plugin`, a plugin's name. `side` is "key" or "value"
    where the kind has both. `reads` and `writes` say which of "key", "value" and "topic" it looks at and changes.
    """

    name: str
    kind: str
    side: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    predicate: PredicateSpec | None = None
    negate: bool = False
    reads: frozenset[str] = frozenset()
    writes: frozenset[str] = frozenset()
    plugin: bool = False


@dataclass(frozen=True, slots=True)
class Partitioning:
    """The rules that make encoded partitions of rows.

    `duration_ms` and `path_format` are resolved for hourly and daily.

    With `by_key` a record's key is the first part of its path; with `values_alone` fields' names are no part of it.
    `schema_affix` is "PREFIX" or "SUFFIX" where a folder `schema_name=null` stands before or behind the others.
    """

    kind: PartitionerKind = PartitionerKind.DEFAULT
    fields: tuple[str, ...] = ()
    path_format: str = ""
    duration_ms: int = -1
    timezone: str = "UTC"
    locale: str = "en-US"
    extractor: ExtractorKind = ExtractorKind.RECORD
    timestamp_field: str = "timestamp"
    directory_delim: str = "/"
    by_key: bool = False
    values_alone: bool = False
    schema_affix: str = ""
    plugin: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


class HeaderConverter(StrEnum):
    """How other products' sinks read header values: as a guess at each text's type, as texts, or as bytes."""

    SIMPLE = "simple"
    STRING = "string"
    BYTES = "bytes"


class JsonForm(StrEnum):
    """How JSON has dates, times and decimals: as ISO 8601 and texts, or as Connect's JsonConverter writes them.

    That one writes days and milliseconds since 1970, and decimals as base64 of their unscaled bytes, or as numbers.
    """

    ISO = "iso"
    CONNECT = "connect"
    CONNECT_NUMERIC = "connect numeric"


@dataclass(frozen=True, slots=True)
class Encoding:
    """Format and compression. `codec` is the format's name for it; `level` None is the codec's default."""

    kind: FormatKind = FormatKind.PARQUET
    codec: str = "zstd"
    level: int | None = None
    row_group_bytes: int = 8 * 1024 * 1024
    separator: str = "\n"
    raw_extension: str = ".bin"
    plugin: PluginSpec | None = None
    json_form: JsonForm = JsonForm.ISO


@dataclass(frozen=True, slots=True)
class LineRules:
    """The rules that make each value a line of JSON by itself, as Confluent's JsonFormat writes it."""

    schemas_enable: bool = False
    decimal_numeric: bool = False


@dataclass(frozen=True, slots=True)
class SiblingRules:
    """Objects of keys and headers beside the values' objects, as Confluent's sink writes them. None: there are none.

    `tombstones` is the folder of tombstones, whose objects hold keys alone; "" where tombstones aren't written.
    """

    keys: Encoding | None = None
    headers: Encoding | None = None
    tombstones: str = ""


@dataclass(frozen=True, slots=True)
class Rotation:
    """The limits at which a file closes. A limit that is None closes none.

    `on_folder_change` closes all files of a Kafka partition where a record has another folder than the one before.
    """

    flush_size: int | None = None
    size_bytes: int | None = 128 * 1024 * 1024
    age_ms: int | None = 600_000
    interval_ms: int | None = None
    schedule_interval_ms: int | None = None
    timezone: str = "UTC"
    scope: RotationScope = RotationScope.FILE
    files_open_max: int | None = None
    on_folder_change: bool = False


@dataclass(frozen=True, slots=True)
class Naming:
    """The parts of objects' names: Confluent's keys, or a template of another product's (`upload/template.py`)."""

    topics_dir: str = "topics"
    directory_delim: str = "/"
    file_delim: str = "+"
    zero_pad_width: int = 10
    template: str = ""


POLL_INTERVAL_MS = 300_000
"""librdkafka's `max.poll.interval.ms` where nothing else is said."""
REVOKE_SHARE = 0.6
"""Of `max.poll.interval.ms`, what a drain within a rebalance may take; what was polled before takes some as well."""


@dataclass(frozen=True, slots=True)
class SinkConfig:
    """A sink task's whole configuration, secrets resolved. Never logged as a whole.

    `consumer` and `producer` are librdkafka properties, `bootstrap.servers` and `group.id` included.
    `by_topic` has patterns of topics that other converters are for, each with the configuration as it is for them.
    With `lines`, values are written as lines of JSON, and `encoding` is raw.
    With `siblings`, keys and headers are in separate objects, with `output` records are as another product's sink
    writes them: `archive_envelope` is then true, and `_kafka` goes into each object's sidecar.
    `value_schema` is Connect's schema JSON (a struct), or "" where none is declared.
    """

    name: str
    archive_url: str
    consumer: Mapping[str, str]
    producer: Mapping[str, str] = field(default_factory=dict)
    topics: tuple[str, ...] = ()
    topics_regex: str = ""
    profile: Profile = Profile.NATIVE
    key_converter: Converter = Converter.BYTES
    key_schemas_enable: bool = False
    value_converter: Converter = Converter.BYTES
    schemas_enable: bool = False
    replace_null_with_default: bool = True
    value_registry: RegistryRules | None = None
    key_registry: RegistryRules | None = None
    value_plugin: PluginSpec | None = None
    schema_compatibility: Compatibility = Compatibility.NONE
    lines: LineRules | None = None
    siblings: SiblingRules | None = None
    output: OutputRules | None = None
    header_converter: HeaderConverter = HeaderConverter.SIMPLE
    archive_value: ArchiveValue = ArchiveValue.RAW
    archive_envelope: bool = True
    value_schema: str = ""
    value_columns_max: int = 1000
    value_check_sample: int = 100_000
    null_values: NullValues = NullValues.WRITE
    errors: ErrorHandling = ErrorHandling()
    transforms: tuple[TransformSpec, ...] = ()
    by_topic: tuple[tuple[str, SinkConfig], ...] = ()
    partitioning: Partitioning = Partitioning()
    encoding: Encoding = Encoding()
    rotation: Rotation = Rotation()
    naming: Naming = Naming()
    archive_options: Mapping[str, str] = field(default_factory=dict)
    exactly_once: ExactlyOnce = ExactlyOnce.PREFERRED
    memory_bytes_max: int = 256 * 1024 * 1024
    drain_timeout_ms: int = 30_000
    stall_timeout_ms: int = 120_000
    upload_threads: int = 4
    upload_retry_timeout_ms: int = 600_000
    poll_records_max: int = 10_000
    consumer_native: bool = False

    @property
    def revoke_timeout_ms(self) -> int:
        """The time for draining a partition that the group takes back: we must poll within `max.poll.interval.ms`."""
        said = self.consumer.get("max.poll.interval.ms", "")
        poll_interval_ms = int(said) if said.isascii() and said.isdigit() else POLL_INTERVAL_MS
        return min(self.drain_timeout_ms, max(1, int(poll_interval_ms * REVOKE_SHARE)))
