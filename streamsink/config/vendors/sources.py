"""Lists the classes of source connectors, and how their keys and defaults differ. Values only."""

from __future__ import annotations

from streamsink.config.keys import validators as check
from streamsink.config.keys.archive import ARCHIVE_KEYS
from streamsink.config.keys.connector import COMMON_KEYS, CONNECTOR_KEYS
from streamsink.config.keys.database import DATABASE_KEYS
from streamsink.config.keys.definition import ConfigKey, Definition, Importance, KeyType, Required, grouped
from streamsink.config.keys.source import BULK, CONTINUOUS, REPLAY_KEYS
from streamsink.config.sink import Profile
from streamsink.config.vendors.keys import CONFLUENT_KEYS
from streamsink.config.vendors.locations import BUCKET_SCHEMES, COMBINED_KEYS, VENDOR_OPTIONS
from streamsink.config.vendors.profiles import ConnectorClass

SOURCE_CLASS = "streamsink.ArchiveSource"
DATABASE_CLASS = "streamsink.DatabaseSource"
S3_SOURCE_CLASS = "io.confluent.connect.s3.source.S3SourceConnector"

BACKUP = "RESTORE_BACKUP"

_SHARED = {
    *("archive.url", "topics.dir", "directory.delim", "file.delim", "storage.class", "s3.credentials.provider.class"),
    *("format.class", "partitioner.class", "key.converter", "value.converter"),
    *BUCKET_SCHEMES,
    *(key for keys in VENDOR_OPTIONS.values() for key in keys),
    *COMBINED_KEYS,
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
    ConnectorClass(DATABASE_CLASS, Profile.NATIVE, Definition((*COMMON_KEYS, *DATABASE_KEYS))),
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
