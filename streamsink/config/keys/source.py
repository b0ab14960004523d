"""Keys of source connectors, which replay an archive. Definitions only."""

from __future__ import annotations

from streamsink.config.keys import validators as check
from streamsink.config.keys.definition import REQUIRED, ConfigKey, Importance, KeyType, grouped

BULK, CONTINUOUS = "bulk", "continuous"

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
            "allow.target.changes",
            KeyType.BOOLEAN,
            "false",
            "Whether records may go into a topic whose settings change them or drop some: a retention shorter than "
            "their age, LogAppendTime, limits of time or size. Else the task fails before it sends the first.",
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
