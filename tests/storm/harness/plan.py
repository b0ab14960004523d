"""Draws a storm from its seed: who takes part, and what goes wrong when. Starts nothing."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from streamsink.observe.points import Point

SESSION_S = 6
WORKERS = 3
TASK_TARGETS = 2
"""How many faults of a single task may happen at a time, besides those of the workers."""
CLOCK_STEPS_S = (-600, -45, -3, 3, 45, 600)
"""Within what S3 allows between a signature and its own clock: 15 minutes."""


class Protocol(StrEnum):
    """Kafka's two group protocols."""

    CLASSIC = "classic"
    CONSUMER = "consumer"


class Grouping(StrEnum):
    """How workers share a sink: its group alone, or a cluster of workers."""

    STANDALONE = "standalone"
    DISTRIBUTED = "distributed"


class Client(StrEnum):
    """How sinks read: by confluent-kafka, natively, or the members of one group each in its own way."""

    PLAIN = "plain"
    NATIVE = "native"
    MIXED = "mixed"


class StoreKind(StrEnum):
    """Where objects go."""

    LOCAL = "local"
    S3 = "s3"


class Kind(StrEnum):
    """What may go wrong."""

    KILL_WORKER = "kill worker"
    KILL_TASK = "kill task"
    KILL_AT_POINT = "kill at point"
    FREEZE_WORKER = "freeze worker"
    FREEZE_TASK = "freeze task"
    LEAVE = "leave and return"
    RESTART = "stop and start"
    CLOCK = "clock step"
    NO_FILES = "no file descriptors"
    DISK_FULL = "disk full"
    BROKER_KILL = "broker killed"
    BROKER_CUT = "broker cut"
    BROKER_DELAY = "broker delayed"
    BROKER_STALL = "broker stalled"
    BROKER_HALF_OPEN = "broker half-open"
    STORE_RAIN = "store rain"
    STORE_AWAY = "store away"
    STORE_SLOW = "store slow"
    STORE_FULL = "store full"
    TRIM = "retention"


KILLS = frozenset({Kind.KILL_WORKER, Kind.KILL_TASK, Kind.KILL_AT_POINT})
FREEZES = frozenset({Kind.FREEZE_WORKER, Kind.FREEZE_TASK})
BROKER_FAULTS = frozenset(
    {Kind.BROKER_KILL, Kind.BROKER_CUT, Kind.BROKER_DELAY, Kind.BROKER_STALL, Kind.BROKER_HALF_OPEN}
)
RETURNS = frozenset({Kind.LEAVE, Kind.RESTART, Kind.KILL_WORKER, Kind.KILL_AT_POINT, *FREEZES})
"""After these a member of the group is back that the group had given up, or that had left."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong on its target: after `wait_s` of peace, for `lasts_s`.

    `amount` is seconds of a clock step or a delay, a share of requests, or the count of passes at a point.
    """

    kind: Kind
    wait_s: float
    lasts_s: float
    amount: float = 0.0
    point: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """A storm. `targets` has what befalls each target, in order, until the storm's time is up."""

    seed: int
    protocol: Protocol
    grouping: Grouping
    store: StoreKind
    seconds: float
    records_a_second: int
    static_members: bool
    raw_format: str
    overtaken: bool
    made_anew: bool
    targets: dict[str, tuple[Fault, ...]]
    workers: int = WORKERS
    client: Client = Client.PLAIN


def draw_plan(
    seed: int,
    *,
    protocol: Protocol,
    seconds: float,
    records_a_second: int = 3000,
    grouping: Grouping | None = None,
    store: StoreKind | None = None,
    client: Client = Client.PLAIN,
) -> Plan:
    """The storm of a seed; what is given is not drawn.

    Args:
        seed: Any number.
        protocol: The group protocol of every sink.
        seconds: For how long faults happen.
        records_a_second: Produced to all topics together.
        grouping: How workers share the sinks.
        store: Where objects go.
        client: How the sinks read; mixed ones are standalone, since a cluster has one configuration a sink.
    """
    dice = random.Random(seed)
    drawn_grouping = dice.choice([Grouping.STANDALONE, Grouping.STANDALONE, Grouping.DISTRIBUTED])
    drawn_store = dice.choice([StoreKind.S3, StoreKind.S3, StoreKind.LOCAL])
    if client is Client.MIXED:
        drawn_grouping = Grouping.STANDALONE
    grouping, store = grouping or drawn_grouping, store or drawn_store
    kinds_of_worker = _WORKER if store is StoreKind.S3 else (*_WORKER, _DISK_FULL)
    targets = {f"worker-{number}": _until(seconds, dice, kinds_of_worker, 3.0, 9.0) for number in range(WORKERS)}
    targets |= {f"tasks-{number}": _until(seconds, dice, _TASKS, 0.5, 2.5) for number in range(TASK_TARGETS)}
    targets["broker"] = _until(seconds, dice, _BROKER, 6.0, 14.0)
    targets["topic"] = _until(seconds, dice, _TOPIC, 5.0, 15.0)
    if store is StoreKind.S3:
        targets["store"] = _until(seconds, dice, _STORE, 1.0, 6.0)
    return Plan(
        seed=seed,
        protocol=protocol,
        grouping=grouping,
        store=store,
        seconds=seconds,
        records_a_second=records_a_second,
        static_members=dice.random() < 0.4,
        raw_format=dice.choice(["parquet", "parquet", "avro"]),
        overtaken=dice.random() < 0.4,
        made_anew=dice.random() < 0.4,
        targets=targets,
        client=client,
    )


Draw = Callable[[random.Random, float], Fault]


def _plain(kind: Kind, shortest_s: float, longest_s: float, *amounts: float) -> Draw:
    return lambda dice, wait_s: Fault(
        kind, wait_s, dice.uniform(shortest_s, longest_s), dice.choice(amounts) if amounts else 0.0
    )


def _at_point(dice: random.Random, wait_s: float) -> Fault:
    return Fault(Kind.KILL_AT_POINT, wait_s, dice.uniform(0, 3), dice.choice([1, 1, 2, 5]), dice.choice(list(Point)))


_FROZEN_S = (SESSION_S + 1.0, SESSION_S + 5.0)
_WORKER: tuple[tuple[float, Draw], ...] = (
    (2, _plain(Kind.KILL_WORKER, 0, 3)),
    (4, _plain(Kind.KILL_TASK, 0, 0)),
    (1, _at_point),
    (1, _plain(Kind.FREEZE_WORKER, *_FROZEN_S)),
    (5, _plain(Kind.LEAVE, 0.5, 4)),
    (0.5, _plain(Kind.RESTART, 0, 2)),
    (1, _plain(Kind.CLOCK, 1, 6, *CLOCK_STEPS_S)),
    (1, _plain(Kind.NO_FILES, 2, 6)),
)
_TASKS: tuple[tuple[float, Draw], ...] = (
    (5, _plain(Kind.KILL_TASK, 0, 0)),
    (2, _plain(Kind.FREEZE_TASK, *_FROZEN_S)),
)
_DISK_FULL: tuple[float, Draw] = (3, _plain(Kind.DISK_FULL, 2, 8))
_BROKER: tuple[tuple[float, Draw], ...] = (
    (1, _plain(Kind.BROKER_KILL, 0, 3)),
    (3, _plain(Kind.BROKER_CUT, 0.2, 8)),
    (2, _plain(Kind.BROKER_DELAY, 3, 8, 0.05, 0.3, 1.0)),
    (2, _plain(Kind.BROKER_STALL, 2, 9)),
    (2, _plain(Kind.BROKER_HALF_OPEN, 2, 9)),
)
_STORE: tuple[tuple[float, Draw], ...] = (
    (5, _plain(Kind.STORE_RAIN, 4, 12, 0.2, 0.4, 0.6)),
    (1, _plain(Kind.STORE_AWAY, 2, 8)),
    (1, _plain(Kind.STORE_SLOW, 2, 8)),
    (1, _plain(Kind.STORE_FULL, 2, 6)),
)
_TOPIC: tuple[tuple[float, Draw], ...] = ((1, _plain(Kind.TRIM, 0, 0)),)


def _until(
    seconds: float, dice: random.Random, kinds: tuple[tuple[float, Draw], ...], calm_s_min: float, calm_s_max: float
) -> tuple[Fault, ...]:
    """Faults for a target until the time is up, whatever carrying them out costs besides."""

    def drawn() -> Iterator[Fault]:
        left_s = seconds
        while left_s > 0:
            draw = dice.choices([draw for _, draw in kinds], [weight for weight, _ in kinds])[0]
            fault = draw(dice, dice.uniform(calm_s_min, calm_s_max))
            left_s -= fault.wait_s + fault.lasts_s
            yield fault

    return tuple(drawn())
