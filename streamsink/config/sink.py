"""What a sink task runs on: one frozen value, made from a validated connector configuration. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Profile(StrEnum):
    """Whose files the connector writes: ours, or just what another vendor's connector would."""

    NATIVE = "native"
    CONFLUENT = "confluent"
    AIVEN = "aiven"


class Converter(StrEnum):
    """Short names of Connect's converters, and what stands for a user's own."""

    BYTES = "bytes"
    STRING = "string"
    JSON = "json"
    AVRO = "avro"
    PROTOBUF = "protobuf"
    JSON_SCHEMA = "jsonschema"
    USERS = "users"


class SubjectStrategy(StrEnum):
    """Which subject of a Schema Registry a schema's versions are in."""

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
    """What a record's value becomes (design section 4)."""

    RAW = "raw"
    COLUMNS = "columns"
    BOTH = "both"


class NullValues(StrEnum):
    """`behavior.on.null.values`: what happens to tombstones."""

    WRITE = "write"
    IGNORE = "ignore"
    FAIL = "fail"


class PartitionerKind(StrEnum):
    """Short names of Confluent's partitioners, of ours that joins field and time, and what stands for a user's own."""

    DEFAULT = "default"
    FIELD = "field"
    TIME = "time"
    HOURLY = "hourly"
    DAILY = "daily"
    FIELD_TIME = "fieldtime"
    USERS = "users"


class ExtractorKind(StrEnum):
    """Where a time partitioner takes a record's time from."""

    WALLCLOCK = "Wallclock"
    RECORD = "Record"
    RECORD_FIELD = "RecordField"


class FormatKind(StrEnum):
    """Short names of the file formats, and what stands for a user's own."""

    PARQUET = "parquet"
    AVRO = "avro"
    JSONL = "jsonl"
    RAW = "raw"
    USERS = "users"


class RotationScope(StrEnum):
    """What one rotation closes: the file it concerns, or all files of its topic partition (Confluent's)."""

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
    """A user's own class as configured: its name, and its settings without what keys put before them."""

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
    """A predicate as configured: its kind's name, or a user's class, and its settings."""

    kind: str
    settings: Mapping[str, str] = field(default_factory=dict)
    plugin: bool = False


@dataclass(frozen=True, slots=True)
class TransformSpec:
    """A transform as configured.

    `kind` is Connect's bare name (`Cast`), or, if `plugin`, the name of a user's class. `side` is "key" or "value"
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
    """How rows become encoded partitions; `duration_ms` and `path_format` are resolved for hourly and daily."""

    kind: PartitionerKind = PartitionerKind.DEFAULT
    fields: tuple[str, ...] = ()
    path_format: str = ""
    duration_ms: int = -1
    timezone: str = "UTC"
    locale: str = "en-US"
    extractor: ExtractorKind = ExtractorKind.RECORD
    timestamp_field: str = "timestamp"
    directory_delim: str = "/"
    plugin: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Encoding:
    """Which format, and how it compresses. `codec` is the format's own name; `level` None is the codec's default."""

    kind: FormatKind = FormatKind.PARQUET
    codec: str = "zstd"
    level: int | None = None
    row_group_bytes: int = 8 * 1024 * 1024
    separator: str = "\n"
    raw_extension: str = ".bin"
    plugin: PluginSpec | None = None


@dataclass(frozen=True, slots=True)
class Rotation:
    """When a file closes. A limit that is None never does it."""

    flush_size: int | None = None
    size_bytes: int | None = 128 * 1024 * 1024
    age_ms: int | None = 600_000
    interval_ms: int | None = None
    schedule_interval_ms: int | None = None
    timezone: str = "UTC"
    scope: RotationScope = RotationScope.FILE
    files_open_max: int | None = None


@dataclass(frozen=True, slots=True)
class Naming:
    """What object names are made of (Confluent's keys)."""

    topics_dir: str = "topics"
    directory_delim: str = "/"
    file_delim: str = "+"
    zero_pad_width: int = 10


@dataclass(frozen=True, slots=True)
class SinkConfig:
    """A sink task's whole configuration, secrets resolved. Never logged as a whole.

    `consumer` and `producer` are librdkafka properties, `bootstrap.servers` and `group.id` included.
    `by_topic` has patterns of topics that other converters are for, each with the configuration as it is for them.
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
    value_registry: RegistryRules | None = None
    key_registry: RegistryRules | None = None
    value_plugin: PluginSpec | None = None
    schema_compatibility: Compatibility = Compatibility.NONE
    archive_value: ArchiveValue = ArchiveValue.RAW
    archive_envelope: bool = True
    value_schema: str = ""
    value_columns_max: int = 1000
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
    upload_threads: int = 4
    upload_retry_timeout_ms: int = 600_000
    poll_records_max: int = 10_000
