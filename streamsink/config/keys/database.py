"""Keys of the source connector that puts snapshots of a database into topics. Definitions only."""

from __future__ import annotations

from streamsink.config.keys import validators as check
from streamsink.config.keys.definition import REQUIRED, ConfigKey, Importance, KeyType, Width, grouped

OPTION_PREFIX = "database.option."

DATABASE_KEYS = grouped(
    "Database: its source only",
    [
        ConfigKey(
            "database.url",
            KeyType.STRING,
            REQUIRED,
            "The database, without a password: mongodb://reader@host:27017/shop. database.option.password has that, "
            "and database.option.* all else that streamsink database takes with --option.",
            Importance.HIGH,
            width=Width.LONG,
        ),
        ConfigKey(
            "database.tables",
            KeyType.LIST,
            "",
            "Tables or collections, joined by commas. If empty: all that there are when a snapshot begins.",
            Importance.HIGH,
            width=Width.LONG,
        ),
        ConfigKey(
            "topic.prefix",
            KeyType.STRING,
            "db",
            "What topics' names begin with: PREFIX.DATABASE.TABLE, and PREFIX.DATABASE for the records that frame each "
            "snapshot.",
            Importance.HIGH,
            check.topic_names,
        ),
        ConfigKey(
            "snapshot.interval.ms",
            KeyType.LONG,
            "-1",
            "How long after the end of a snapshot the next one begins. -1: there is one, and no other.",
            Importance.HIGH,
            check.limit,
        ),
        ConfigKey(
            "database.rate",
            KeyType.INT,
            "-1",
            "Rows a second at most that a task reads. -1: as many as go.",
            Importance.MEDIUM,
            check.limit,
        ),
        ConfigKey(
            "transactional",
            KeyType.BOOLEAN,
            "true",
            "Commit the position in the same transaction as the rows: readers of committed records see each once.",
            Importance.MEDIUM,
        ),
    ],
)
