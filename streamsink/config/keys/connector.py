"""Keys that Kafka Connect gives every sink connector. Definitions only."""

from __future__ import annotations

from streamsink.config.keys import validators as check
from streamsink.config.keys.definition import REQUIRED, ConfigKey, Importance, KeyType, Width, grouped
from streamsink.config.keys.registry import REGISTRY_KEYS

NATIVE_CLASS = "streamsink.ArchiveSink"

CONVERTERS = ("bytes", "string", "json", "avro", "protobuf", "jsonschema", "bson")
PARTITIONERS = ("default", "field", "time", "hourly", "daily", "fieldtime")
EXTRACTORS = ("Record", "RecordField", "Wallclock")
FORMATS = ("parquet", "avro", "jsonl", "raw")

COMMON_KEYS = grouped(
    "Common",
    [
        ConfigKey(
            "name",
            KeyType.STRING,
            REQUIRED,
            "The connector's name, one of its kind in the worker. Its consumer group is connect-NAME.",
            Importance.HIGH,
            check.connector_name,
        ),
        ConfigKey(
            "connector.class",
            KeyType.STRING,
            REQUIRED,
            "What kind of connector this is: streamsink.ArchiveSink, or the class of a Confluent, Aiven or Lenses "
            "sink, whose keys, defaults and files are then taken.",
            Importance.HIGH,
            recommended=(NATIVE_CLASS,),
            width=Width.LONG,
        ),
        ConfigKey(
            "tasks.max",
            KeyType.INT,
            "1",
            "How many tasks share the topics' partitions; each is a separate process.",
            Importance.HIGH,
            check.between(1, 1000),
            width=Width.SHORT,
        ),
        ConfigKey(
            "tasks.max.enforce",
            KeyType.BOOLEAN,
            "true",
            "Kafka Connect's key; there are never more tasks than tasks.max here.",
            Importance.LOW,
        ),
        ConfigKey(
            "connector.plugin.version",
            KeyType.STRING,
            None,
            "Kafka Connect's key; the connector is always the one of this version of streamsink.",
            Importance.LOW,
        ),
        ConfigKey(
            "config.action.reload",
            KeyType.STRING,
            "restart",
            "Kafka Connect's key. Secrets are read when a task starts.",
            Importance.LOW,
            check.one_of(("none", "restart")),
            ("none", "restart"),
        ),
    ],
)

TOPIC_KEYS = grouped(
    "Topics",
    [
        ConfigKey(
            "topics",
            KeyType.LIST,
            "",
            "Topics to archive, joined by commas. Either this or topics.regex.",
            Importance.HIGH,
            check.topic_names,
            width=Width.LONG,
        ),
        ConfigKey(
            "topics.regex",
            KeyType.STRING,
            "",
            "A regular expression that names of topics to archive match as a whole. Topics that appear later are "
            "taken in.",
            Importance.HIGH,
            check.regex,
            width=Width.LONG,
        ),
    ],
)

CONVERTER_KEYS = grouped(
    "Converters",
    [
        ConfigKey(
            "key.converter",
            KeyType.CLASS,
            None,
            "How keys are read: bytes, string, json, or the class name of Connect's converter; else the worker's. "
            "Keys are archived as bytes whatever it is.",
            recommended=CONVERTERS,
            width=Width.LONG,
        ),
        ConfigKey(
            "value.converter",
            KeyType.CLASS,
            None,
            "How values are read: bytes, string, json, avro, protobuf, jsonschema, bson, or the class name of "
            "Connect's or Confluent's converter, or one of your own; else the worker's, else bytes.",
            Importance.HIGH,
            recommended=CONVERTERS,
            width=Width.LONG,
        ),
        ConfigKey(
            "converters",
            KeyType.LIST,
            "",
            "Names of rules for topics that are written otherwise, the first that matches counts. "
            "converters.NAME.topics.regex matches the topics' names as a whole; converters.NAME.value.converter and "
            "key.converter, with their settings after them, are for these. value.schema and archive.value may be given "
            "too.",
            Importance.LOW,
            width=Width.LONG,
        ),
        ConfigKey(
            "header.converter",
            KeyType.CLASS,
            None,
            "How JSON of Aiven's and Lenses' classes has header values: SimpleHeaderConverter guesses each one's type, "
            "StringConverter has texts, ByteArrayConverter base64; store.kafka.headers has the text of that. "
            "Elsewhere it has no effect: headers are archived as bytes.",
            Importance.LOW,
            width=Width.LONG,
        ),
        ConfigKey(
            "key.converter.schemas.enable",
            KeyType.BOOLEAN,
            None,
            "Whether JSON keys come in Connect's envelope of schema and payload.",
            Importance.LOW,
        ),
        ConfigKey(
            "value.converter.schemas.enable",
            KeyType.BOOLEAN,
            None,
            "Whether JSON values come in Connect's envelope of schema and payload. Without it: true for the class "
            "org.apache.kafka.connect.json.JsonConverter, as in Connect, and false for the short name json.",
        ),
        ConfigKey(
            "value.converter.replace.null.with.default",
            KeyType.BOOLEAN,
            None,
            "Whether a null, or a field that isn't there, becomes its schema's default, in JSON values with schemas: "
            "true without it, as in Connect. With false a null stays null, and is a bad record where its field is "
            "required.",
            Importance.LOW,
        ),
    ],
)

TRANSFORM_KEYS = grouped(
    "Transforms",
    [
        ConfigKey(
            "transforms",
            KeyType.LIST,
            "",
            "Names of Kafka Connect's transforms, in the order they run, each with its transforms.NAME.type, its "
            "settings as transforms.NAME.*, and, if it is not for all records, transforms.NAME.predicate and "
            "transforms.NAME.negate.",
            width=Width.LONG,
        ),
        ConfigKey(
            "predicates",
            KeyType.LIST,
            "",
            "Names of predicates that transforms use, each with its predicates.NAME.type and its settings as "
            "predicates.NAME.*.",
            width=Width.LONG,
        ),
    ],
)

ERROR_KEYS = grouped(
    "Error handling",
    [
        ConfigKey(
            "errors.tolerance",
            KeyType.STRING,
            "none",
            "What a record that can't be decoded does: none stops the task, all leaves the record out and goes on.",
            validator=check.one_of(("none", "all")),
            recommended=("none", "all"),
            width=Width.SHORT,
        ),
        ConfigKey(
            "errors.deadletterqueue.topic.name",
            KeyType.STRING,
            "",
            "Topic that records left out go to, with their original bytes; none if empty. It needs "
            "errors.tolerance=all.",
            validator=check.topic_name_or_empty,
        ),
        ConfigKey(
            "errors.deadletterqueue.topic.replication.factor",
            KeyType.INT,
            "3",
            "Replicas of the dead letter topic where it has to be made.",
            validator=check.between(1, 32767),
            width=Width.SHORT,
        ),
        ConfigKey(
            "errors.deadletterqueue.context.headers.enable",
            KeyType.BOOLEAN,
            "false",
            "Whether dead letters carry headers that say where they come from and what was wrong.",
        ),
        ConfigKey(
            "errors.deadletter.url",
            KeyType.STRING,
            "",
            "Where records left out go as objects, with their original bytes and headers that say what was wrong: a "
            "URL as archive.url, outside topics.dir. streamsink replay reads it. It needs errors.tolerance=all. The "
            "store's options are archive.option.* where both URLs are of one kind, and "
            "errors.deadletter.option.*.",
            width=Width.LONG,
        ),
        ConfigKey(
            "errors.log.enable", KeyType.BOOLEAN, "false", "Whether each record left out is logged: where, and why."
        ),
        ConfigKey(
            "errors.log.include.messages",
            KeyType.BOOLEAN,
            "false",
            "Whether that log also has topic, partition, offset and time of the record. Never its content.",
        ),
        ConfigKey(
            "errors.retry.timeout",
            KeyType.LONG,
            None,
            "How long records that can't be decoded or transformed for the moment, as a Schema Registry is away, are "
            "tried again before the task fails, in milliseconds; 0: not at all, -1: for ever. Not given: "
            "upload.retry.timeout.ms, where Kafka Connect has 0.",
            Importance.LOW,
            check.at_least(-1),
        ),
        ConfigKey(
            "errors.retry.delay.max.ms",
            KeyType.LONG,
            "60000",
            "The longest wait between two such tries, in milliseconds. The first is 300, each twice the one before.",
            Importance.LOW,
            check.at_least(1),
        ),
    ],
)

CONNECTOR_KEYS = (*COMMON_KEYS, *TOPIC_KEYS, *CONVERTER_KEYS, *REGISTRY_KEYS, *TRANSFORM_KEYS, *ERROR_KEYS)
