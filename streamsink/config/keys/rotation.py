"""Keys of folders, rotation and resources: which file a record goes to, and when that closes. Definitions only."""

from __future__ import annotations

from streamsink.config.keys import validators as check
from streamsink.config.keys.connector import EXTRACTORS, PARTITIONERS
from streamsink.config.keys.definition import ConfigKey, Importance, KeyType, Width, grouped

MIB = 1024 * 1024

PARTITION_KEYS = grouped(
    "Partitioning",
    [
        ConfigKey(
            "partitioner.class",
            KeyType.CLASS,
            "default",
            "What folders records go to: default by Kafka's partition, field by fields of the value, time, hourly or "
            "daily by time, fieldtime by both; or the class name of Confluent's partitioner.",
            Importance.HIGH,
            recommended=PARTITIONERS,
            width=Width.LONG,
        ),
        ConfigKey(
            "partition.field.name",
            KeyType.LIST,
            "",
            "Fields of the value that make the folders of field and fieldtime; dots reach into nested ones.",
        ),
        ConfigKey(
            "partition.duration.ms",
            KeyType.LONG,
            "-1",
            "How much time one folder of time and fieldtime covers.",
            validator=check.limit,
        ),
        ConfigKey(
            "path.format",
            KeyType.STRING,
            "",
            "The folders of time and fieldtime as a date pattern, as 'dt'=yyyy-MM-dd/'hour'=HH.",
            validator=check.path_format,
            width=Width.LONG,
        ),
        ConfigKey(
            "locale", KeyType.STRING, "en-US", "Language of names of months and days in folders.", Importance.LOW
        ),
        ConfigKey(
            "timezone",
            KeyType.STRING,
            "UTC",
            "Time zone of folders and of scheduled rotation.",
            validator=check.timezone,
            recommended=("UTC",),
        ),
        ConfigKey(
            "timestamp.extractor",
            KeyType.CLASS,
            "Record",
            "Whose time it is: Record (of the Kafka record), RecordField (a field of the value), or Wallclock (when it "
            "is archived, which can't be exactly once).",
            recommended=EXTRACTORS,
        ),
        ConfigKey("timestamp.field", KeyType.STRING, "timestamp", "The field RecordField takes the time from."),
    ],
)

_OFF = " -1 or empty: never."

ROTATION_KEYS = grouped(
    "Rotation",
    [
        ConfigKey(
            "flush.size",
            KeyType.INT,
            "-1",
            f"A file closes with this many records, and never has more.{_OFF}",
            Importance.HIGH,
            check.limit,
        ),
        ConfigKey(
            "rotate.size.bytes",
            KeyType.LONG,
            str(128 * MIB),
            f"A file closes when its encoded size reaches this; no object is larger than twice it. 60 MiB on sj://.{_OFF}",
            Importance.HIGH,
            check.limit,
        ),
        ConfigKey(
            "rotate.age.ms",
            KeyType.LONG,
            "600000",
            f"A file closes this long after its first record came in, also if no more come.{_OFF}",
            Importance.HIGH,
            check.limit,
        ),
        ConfigKey(
            "rotate.interval.ms",
            KeyType.LONG,
            "-1",
            f"A file closes when a record's own time is this much past that of its first record.{_OFF}",
            validator=check.limit,
        ),
        ConfigKey(
            "rotate.schedule.interval.ms",
            KeyType.LONG,
            "-1",
            f"Files close at multiples of this since midnight in the time zone.{_OFF}",
            validator=check.limit,
        ),
        ConfigKey(
            "rotation.scope",
            KeyType.STRING,
            "file",
            "What closes: file closes the one that reached a limit, partition all files of its Kafka partition, whose "
            "records flush.size then counts together, as Confluent's sinks do.",
            validator=check.one_of(("file", "partition")),
            recommended=("file", "partition"),
            width=Width.SHORT,
        ),
        ConfigKey(
            "partitioner.max.open.files",
            KeyType.INT,
            "-1",
            "How many files of one Kafka partition are open at most; the oldest closes for a further one. -1 or "
            "empty: as many as memory allows.",
            Importance.LOW,
            check.limit,
        ),
    ],
)

LIMIT_KEYS = grouped(
    "Resources",
    [
        ConfigKey(
            "memory.bytes.max",
            KeyType.LONG,
            str(256 * MIB),
            "Memory a task may take. Near it files close early and partitions wait.",
            Importance.HIGH,
            check.at_least(64 * MIB),
        ),
        ConfigKey(
            "drain.timeout.ms",
            KeyType.LONG,
            "30000",
            "How long a task that stops, or loses a partition, may take to store and commit what it holds.",
            validator=check.at_least(1),
        ),
        ConfigKey(
            "stall.timeout.ms",
            KeyType.LONG,
            "120000",
            "How long a partition that is behind its end may give nothing. Then the task says that it is stalled and "
            "reads on from where it stands; after as long again it joins the group anew, then it is started again.",
            Importance.LOW,
            check.at_least(1000),
        ),
        ConfigKey(
            "upload.threads",
            KeyType.INT,
            "4",
            "How many objects a task stores at once.",
            Importance.LOW,
            check.between(1, 64),
        ),
        ConfigKey(
            "upload.retry.timeout.ms",
            KeyType.LONG,
            "600000",
            "How long storing an object is tried before the task gives up and is started again.",
            Importance.LOW,
            check.at_least(1),
        ),
        ConfigKey(
            "poll.records.max",
            KeyType.INT,
            "10000",
            "How many records are taken from Kafka at once.",
            Importance.LOW,
            check.between(1, 1_000_000),
        ),
        ConfigKey(
            "consumer.native",
            KeyType.BOOLEAN,
            "false",
            "Whether records become columns without a Python object each, which saves two fifths of a task's CPU. "
            "Needs the native library and the librdkafka of confluent-kafka's wheel, on Linux or macOS. Records, names "
            "and commits are the same either way, so it may change at any start.",
            Importance.LOW,
        ),
    ],
)
