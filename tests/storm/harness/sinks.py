"""The topics of a storm and the connectors that archive them. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from tests.storm.harness.oracle import Place
from tests.storm.harness.plan import SESSION_S, Client, Grouping, Plan, Protocol


class Manner(StrEnum):
    """How a topic is written."""

    PLAIN = "plain"
    TRANSACTIONS = "transactions"
    COMPACTED = "compacted"


@dataclass(frozen=True, slots=True)
class Sink:
    """A connector, named as its topic is."""

    name: str
    manner: Manner
    partitions: int
    share: float
    """Of all records, how many go here."""
    config: Mapping[str, str]
    topic: Mapping[str, str]

    @property
    def group(self) -> str:
        """Its consumer group."""
        return f"connect-{self.name}"

    @property
    def places(self) -> list[Place]:
        """Its partitions."""
        return [(self.name, partition) for partition in range(self.partitions)]


def sinks_of(plan: Plan) -> list[Sink]:
    """A storm's connectors."""
    return [
        Sink(
            "plain",
            Manner.PLAIN,
            6,
            0.6,
            {"format.class": plan.raw_format, "flush.size": "20000", "rotate.age.ms": "4000"},
            {},
        ),
        Sink(
            "lanes",
            Manner.TRANSACTIONS,
            4,
            0.3,
            {
                "value.converter": "json",
                "archive.value": "both",
                "partitioner.class": "field",
                "partition.field.name": "kind",
                "flush.size": "700",
                "rotate.age.ms": "3000",
            },
            {},
        ),
        Sink(
            "compacted",
            Manner.COMPACTED,
            3,
            0.1,
            {"rotate.age.ms": "2500", "rotate.schedule.interval.ms": "7000"},
            {
                "cleanup.policy": "compact",
                "segment.bytes": str(1 << 20),
                "segment.ms": "1000",
                "min.cleanable.dirty.ratio": "0.01",
                "min.compaction.lag.ms": "0",
                "delete.retention.ms": "1000",
            },
        ),
    ]


def connector(sink: Sink, plan: Plan, *, url: str, options: Mapping[str, str], worker: int) -> dict[str, str]:
    """A connector's configuration, for one worker where each has its own."""
    native = plan.client is Client.NATIVE or (plan.client is Client.MIXED and worker % 2 == 0)
    config = {
        "connector.class": "streamsink.ArchiveSink",
        "topics": sink.name,
        "archive.url": url,
        **{f"archive.option.{key}": value for key, value in options.items()},
        "exactly.once": "required",
        "drain.timeout.ms": "8000",
        "consumer.override.reconnect.backoff.max.ms": "1000",
        "consumer.native": str(native).lower(),
        **sink.config,
    }
    if plan.protocol is Protocol.CONSUMER:
        config["consumer.override.group.protocol"] = "consumer"
    else:
        config["consumer.override.session.timeout.ms"] = str(SESSION_S * 1000)
        config["consumer.override.heartbeat.interval.ms"] = "1000"
    if plan.grouping is Grouping.DISTRIBUTED:
        config["tasks.max"] = "3"
    if plan.static_members:
        config["consumer.override.group.instance.id"] = f"{sink.name}-{worker}"
    return config
