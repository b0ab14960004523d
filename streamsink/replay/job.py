"""The order for a replay, and the report of its outcome. Values only."""

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
    allow_target_changes: bool = False
    """Whether records may go to a topic whose settings change them or drop some."""
    skip_corrupt: bool = False
    rate: float | None = None
    speed: float | None = None
    register_schemas: str = ""
    """The URL of another Schema Registry, where schemas are registered; "" keeps the ids of the first."""
    growing: bool = False
    """Whether objects may come later that lie behind other lanes' objects."""
    share: tuple[int, int] = (0, 1)
    """Which of how many tasks this is, that share the partitions."""

    @property
    def bootstrap(self) -> str:
        """The brokers' addresses."""
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
    """A replay's progress. `records_total` is None where only the rows tell."""

    records: int = 0
    records_total: int | None = None
    done: bool = False


@dataclass(slots=True)
class Forecast:
    """The forecast of a replay."""

    plan: ReplayPlan
    records: int
    duration_s: float | None
    moves: list[GroupMove] = field(default_factory=list)
    left_out: list[CorruptObjectError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    made_of: frozenset[str] = frozenset()
    """What values must be made of, as the first object tells; see `fidelity.py`."""


@dataclass(slots=True)
class ReplayReport:
    """The outcome of a replay."""

    plan: ReplayPlan
    target: str
    resume_id: str
    records: int = 0
    seconds: float = 0.0
    resumed: bool = False
    stopped: bool = False
    made_of: frozenset[str] = frozenset()
    """What values were made of where the archive has no original bytes; see `fidelity.py`."""
    timestamps_moved: int = 0
    target_changes: list[str] = field(default_factory=list)
    """What the target topic does to the records, or had to be told not to do."""
    left_out: list[CorruptObjectError] = field(default_factory=list)
    moves: list[GroupMove] = field(default_factory=list)
    positions: dict[int, Position] = field(default_factory=dict)
    """Where source partitions stand, by number."""
