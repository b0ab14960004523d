"""What a replay is asked to do, and what it says of how it went. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from streamsink.errors import CorruptObjectError
from streamsink.replay.plan import Position, ReplayPlan, Selection
from streamsink.replay.target import Partitions


@dataclass(frozen=True, slots=True)
class ReplayJob:
    """One replay. `properties` are librdkafka's; `topic` is empty where the archive has one only."""

    to: str
    properties: Mapping[str, str]
    topic: str = ""
    selection: Selection = field(default_factory=Selection)
    partitions: Partitions = field(default_factory=Partitions)
    transactional: bool = True
    resume_id: str = ""
    groups: tuple[str, ...] = ()
    create_topic: bool = False
    allow_same_topic: bool = False
    skip_corrupt: bool = False
    rate: float | None = None
    speed: float | None = None
    register_schemas: str = ""
    """The URL of another Schema Registry, where schemas are registered; "" keeps the ids of the first."""
    growing: bool = False
    """Whether objects may come later that lie behind those of other lanes."""
    share: tuple[int, int] = (0, 1)
    """Which of how many tasks this is, that share the partitions."""

    @property
    def bootstrap(self) -> str:
        """Where the brokers are."""
        return self.properties.get("bootstrap.servers", "")


@dataclass(frozen=True, slots=True)
class GroupMove:
    """A consumer group's place in one partition: in the source topic, and in the target once it is known."""

    group: str
    partition: int
    source_offset: int
    target_offset: int | None = None


@dataclass(slots=True)
class Progress:
    """How far a replay is. `records_total` is None where only the rows tell."""

    records: int = 0
    records_total: int | None = None
    done: bool = False


@dataclass(slots=True)
class Forecast:
    """What a replay would do."""

    plan: ReplayPlan
    records: int
    duration_s: float | None
    moves: list[GroupMove] = field(default_factory=list)
    left_out: list[CorruptObjectError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ReplayReport:
    """What a replay did."""

    plan: ReplayPlan
    target: str
    resume_id: str
    records: int = 0
    seconds: float = 0.0
    resumed: bool = False
    stopped: bool = False
    encoded_anew: bool = False
    timestamps_moved: int = 0
    left_out: list[CorruptObjectError] = field(default_factory=list)
    moves: list[GroupMove] = field(default_factory=list)
    positions: dict[int, Position] = field(default_factory=dict)
    """Where source partitions stand, by number."""
