"""Keys of source connectors, which replay an archive. Definitions only."""

from __future__ import annotations

from streamsink.config import validators as check
from streamsink.config.archive_keys import ARCHIVE_KEYS
from streamsink.config.connector_keys import COMMON_KEYS, CONNECTOR_KEYS
from streamsink.config.definition import REQUIRED, ConfigKey, Definition, Importance, KeyType, Required, grouped
from streamsink.config.location import BUCKET_SCHEMES, VENDOR_OPTIONS
from streamsink.config.profiles import ConnectorClass
from streamsink.config.sink import Profile
from streamsink.config.vendor_keys import CONFLUENT_KEYS

SOURCE_CLASS = "streamsink.ArchiveSource"
S3_SOURCE_CLASS = "io.confluent.connect.s3.source.S3SourceConnector"

BULK, CONTINUOUS = "bulk", "continuous"
BACKUP = "RESTORE_BACKUP"

REPLAY_KEYS = grouped(
    "Replay: sources only",
    [
        ConfigKey(
            "source.topics",
            KeyType.LIST,
            "",
            "Archived topics to replay, joined by commas. If empty: every topic the archive has when the task starts.",
            Importance.HIGH,
        ),
        ConfigKey(
            "target.topic",
            KeyType.STRING,
            REQUIRED,
            "The topic that records go to; ${topic} in it stands for the archived topic's name.",
            Importance.HIGH,
        ),
        ConfigKey(
            "mode",
            KeyType.STRING,
            BULK,
            "bulk replays what the archive has when the task starts, in offset order; continuous goes on with new "
            "objects as they come, in order within each encoded partition.",
            Importance.HIGH,
            check.one_of((BULK, CONTINUOUS)),
            (BULK, CONTINUOUS),
        ),
        ConfigKey(
            "poll.interval.ms",
            KeyType.INT,
            "10000",
            "How often continuous mode looks for new objects.",
            Importance.MEDIUM,
            check.between(100, 24 * 3600 * 1000),
        ),
        ConfigKey(
            "replay.partitions",
            KeyType.STRING,
            "keep",
            "Which partition a record gets: keep, the one it had; hash, by its key as Java's producers do; or a map "
            "such as 0:2,1:0.",
            Importance.MEDIUM,
        ),
        ConfigKey(
            "create.topic",
            KeyType.BOOLEAN,
            "false",
            "Create the target topic, with as many partitions as were archived.",
            Importance.MEDIUM,
        ),
        ConfigKey(
            "allow.same.topic",
            KeyType.BOOLEAN,
            "false",
            "Whether records may go into a topic of the name they were archived from.",
            Importance.MEDIUM,
        ),
        ConfigKey(
            "skip.corrupt",
            KeyType.BOOLEAN,
            "false",
            "Leave objects out that are not what they should be, and log which; else the task fails at the first.",
            Importance.MEDIUM,
        ),
        ConfigKey(
            "replay.rate",
            KeyType.INT,
            "-1",
            "Records a second at most, for each task. -1: as many as go.",
            Importance.LOW,
            check.limit,
        ),
        ConfigKey(
            "transactional",
            KeyType.BOOLEAN,
            "true",
            "Commit the position in the same transaction as the records: readers of committed records see each once.",
            Importance.MEDIUM,
        ),
    ],
)

_SHARED = {
    *("archive.url", "topics.dir", "directory.delim", "file.delim", "storage.class", "s3.credentials.provider.class"),
    *("format.class", "partitioner.class", "key.converter", "value.converter"),
    *BUCKET_SCHEMES,
    *(key for keys in VENDOR_OPTIONS.values() for key in keys),
}
"""Keys that sinks have as well: where the archive is. A sink's configuration may be copied."""

_KEYS = (
    *COMMON_KEYS,
    *REPLAY_KEYS,
    *(
        key
        for key in (*CONNECTOR_KEYS, *ARCHIVE_KEYS, *CONFLUENT_KEYS)
        if key.name in _SHARED and key.name not in {common.name for common in COMMON_KEYS}
    ),
)

_S3: dict[str, str | Required | None] = {
    "target.topic": "${topic}",
    "allow.same.topic": "true",
    "mode": BACKUP,
    "s3.region": "us-west-2",
}

_S3_KEYS = (
    *(key for key in _KEYS if key.name not in {"mode", "poll.interval.ms"}),
    *grouped(
        "Confluent",
        [
            ConfigKey(
                "mode",
                KeyType.STRING,
                BACKUP,
                "RESTORE_BACKUP replays what a sink has stored, and goes on with what it stores later.",
                Importance.MEDIUM,
                check.one_of((BACKUP, BULK, CONTINUOUS)),
                (BACKUP,),
            ),
            ConfigKey(
                "s3.poll.interval.ms",
                KeyType.INT,
                "60000",
                "How often it looks for new objects.",
                Importance.MEDIUM,
                check.between(100, 24 * 3600 * 1000),
            ),
        ],
    ),
)

SOURCES = (
    ConnectorClass(SOURCE_CLASS, Profile.NATIVE, Definition(_KEYS)),
    ConnectorClass(S3_SOURCE_CLASS, Profile.CONFLUENT, Definition(_S3_KEYS, _S3), "s3.bucket.name"),
)
"""Every kind of source there is."""


def find_source(name: str) -> ConnectorClass | None:
    """The source of a full name, or of its last part with or without `Connector`, as Connect allows."""
    bare = name.strip()
    for known in SOURCES:
        short = known.name.rpartition(".")[2]
        if bare in {known.name, short, short.removesuffix("Connector")}:
            return known
    return None
