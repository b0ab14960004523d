"""Random histories from a seed: `simulate` runs one and checks every law after every step. The seed is all dice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from random import Random

from streamsink.config.sink import Rotation, RotationScope
from streamsink.record import TopicPartition
from streamsink.testing.calm import settle
from streamsink.testing.commits import CommitFate
from streamsink.testing.consumer import Wedge
from streamsink.testing.interventions import change_layout, change_layout_in_good_order, lose_object, set_back
from streamsink.testing.laws import LAWS, judge
from streamsink.testing.member import SimMember, WorldSettings
from streamsink.testing.quiet import without_logs
from streamsink.testing.records import BAD, SimRecord
from streamsink.testing.store import StoreFault
from streamsink.testing.world import MEMBERS_MAX, RECORDS_POLLED_MAX, UPLOAD_FAULTS, SimWorld

COMMIT_FATES = (CommitFate.TAKEN,) * 5 + (CommitFate.BEFORE, CommitFate.AFTER, CommitFate.NEVER)


AGAIN_ROUNDS = 3
"""How often an archive is damaged and archived again."""


def random_settings(random: Random) -> WorldSettings:
    """Settings that make all rotation rules meet."""
    rotation = Rotation(
        flush_size=random.choice([None, None, 3, 9, 20]),
        size_bytes=random.choice([None, 120, 300, 600]),
        age_ms=random.choice([15_000, 60_000, 600_000]),
        interval_ms=random.choice([None, None, None, 150]),
        schedule_interval_ms=random.choice([None, None, 45_000]),
        scope=random.choice([RotationScope.FILE, RotationScope.FILE, RotationScope.PARTITION]),
        files_open_max=random.choice([None, None, 2]),
    )
    return WorldSettings(
        rotation=rotation,
        partitions=random.choice([1, 2, 3]),
        drain_timeout_ms=random.choice([500, 10_000, 30_000]),
        compacted=random.choice([True, False]),
    )


def random_record(random: Random) -> SimRecord | None:
    """A record of one of a few lanes, or a hole."""
    if random.random() < 0.15:
        return None
    schema = random.choices(["v1", "v2", "tag1", "tag2", BAD], [24, 2, 4, 4, 1])[0]
    return SimRecord(random.choice("aaabbcd"), schema, random.randrange(200), random.randrange(1, 30))


def random_step(world: SimWorld, random: Random) -> None:
    """Make one move of the world.

    Args:
        world: The one that changes.
        random: Decides the move.
    """
    partitions = sorted(world.broker.partitions)
    dice = random.random()
    if dice < 0.20 or not world.members:
        for _ in range(random.randrange(1, 8)):
            world.produce(random.choice(partitions), random_record(random))
        world.adopt_orphans()
        return
    member = random.choice(world.members)
    if dice < 0.50:
        world.poll(member, random.choice(partitions), random.randrange(1, RECORDS_POLLED_MAX + 1))
    elif dice < 0.70:
        if member.pool.jobs:
            fault = StoreFault.DENIED if random.random() < 0.002 else random.choice(UPLOAD_FAULTS)
            world.finish_upload(member, random.randrange(len(member.pool.jobs)), fault)
    elif dice < 0.84:
        if member.consumer.commits.sent:
            fate = CommitFate.DENIED if random.random() < 0.002 else random.choice(COMMIT_FATES)
            world.finish_commit(member, random.randrange(len(member.consumer.commits.sent)), fate)
    elif dice < 0.86:
        world.flush(member)
    elif dice < 0.92:
        world.pass_time(random.choice([0.1, 1, 5, 30, 120]))
    else:
        _rare_step(world, member, random)


def _rare_step(world: SimWorld, member: SimMember, random: Random) -> None:
    """A move of the group, the process, or the operator."""
    partition = random.choice(sorted(world.broker.partitions))
    moves: list[Callable[[], None]] = [
        lambda: world.crash(member, random.randrange(3)),
        lambda: world.take_over(partition) if len(world.members) < MEMBERS_MAX else None,
        lambda: world.revoke(member, random.choice(member.positions)) if member.positions else None,
        lambda: world.lose(member),
        lambda: world.stop(member),
        lambda: change_layout(world, random.choice("AB")),
        lambda: world.ghost_arrives(random.randrange(len(world.ghosts))) if world.ghosts else None,
        lambda: world.rejoin(member),
        world.adopt_orphans,
        lambda: world.turn(member),
        lambda: setattr(member.consumer, "away", not member.consumer.away),
        lambda: setattr(member.decoder, "away", not member.decoder.away),
        lambda: setattr(member.dead_letters, "away", not member.dead_letters.away),
        lambda: world.set_clock(random.choice([-3600.0, 3600.0])),
        lambda: world.wedge(member, partition, random.choice([Wedge.SEEK, Wedge.REJOIN])),
        lambda: _set_back(world, partition, random),
        lambda: lose_object(world, random.choice(sorted(world.store.objects))) if world.store.objects else None,
        lambda: world.compact(partition, random.randint(0, len(world.broker.partitions[partition].log))),
    ]
    random.choices(moves, [15, 15, 15, 10, 6, 4, 10, 6, 10, 5, 6, 6, 6, 2, 4, 6, 6, 12])[0]()


def _set_back(world: SimWorld, partition: TopicPartition, random: Random) -> None:
    at = (world.broker.partitions[partition].committed or (0, ""))[0]
    set_back(world, partition, random.choice([None, at, random.randint(0, at)]), random.randrange(3))


def simulate(seed: int, steps: int, laws: Sequence[str] = tuple(LAWS)) -> SimWorld:
    """Run one history.

    Args:
        seed: Decides everything.
        steps: How many moves, before the world settles.
        laws: Names of the laws to check; all by default.

    Returns:
        The settled world.

    Raises:
        LawBrokenError: A law does not hold; seed and steps repeat it.
    """
    random = Random(seed)  # noqa: S311 - a simulation wants the same dice every time
    with without_logs():
        world = SimWorld(random_settings(random), random)
        for _ in range(steps):
            random_step(world, random)
            judge(world, laws)
        settle(world, partial(judge, world, laws))
    return world


def simulate_again(seed: int, laws: Sequence[str] = tuple(LAWS)) -> SimWorld:
    """Run one history of an archive that is at rest, then damaged, and archived again, a few times over.

    Looking before writing decides everything here. A random history seldom comes to it.

    Args:
        seed: Decides everything that happens.
        laws: The laws to hold, by name.

    Returns:
        The world at the end.

    Raises:
        LawBrokenError: A law does not hold.
    """
    random = Random(seed)  # noqa: S311 - as above
    with without_logs():
        world = SimWorld(random_settings(random), random)
        for _ in range(AGAIN_ROUNDS):
            _produce_some(world, random)
            settle(world, partial(judge, world, laws))
            world.go_on()
            if random.random() < 0.5:
                change_layout_in_good_order(world, "B" if world.layout == "A" else "A")
            for _ in range(random.randrange(1, 4)):
                lose_object(world, random.choice(sorted(world.store.objects)))
                judge(world, laws)
            _set_back(world, random.choice(sorted(world.broker.partitions)), random)
            for _ in range(random.randrange(20)):
                random_step(world, random)
                judge(world, laws)
        settle(world, partial(judge, world, laws))
    return world


def simulate_there_and_back(seed: int, laws: Sequence[str] = tuple(LAWS)) -> SimWorld:
    """Run one history of a layout that changes in good order, writes without a commit, dies, and is taken back.

    The objects of the second layout are known only if it was announced to the group before.

    Args:
        seed: Decides everything that happens.
        laws: The laws to hold, by name.

    Returns:
        The world at the end.

    Raises:
        LawBrokenError: A law does not hold.
    """
    random = Random(seed)  # noqa: S311 - as above
    with without_logs():
        world = SimWorld(random_settings(random), random)
        for _ in range(AGAIN_ROUNDS):
            _produce_some(world, random)
            settle(world, partial(judge, world, laws))
            world.go_on()
            before, after = world.layout, "B" if world.layout == "A" else "A"
            change_layout_in_good_order(world, after)
            _produce_some(world, random)
            world.adopt_orphans()
            for _ in range(random.randrange(5, 40)):
                _write_without_commits(world, random)
                judge(world, laws)
            change_layout(world, before)
            settle(world, partial(judge, world, laws))
            world.go_on()
    return world


def simulate_failing_uploads(seed: int, laws: Sequence[str] = tuple(LAWS)) -> SimWorld:
    """Run one history of files whose first uploads all fail, and of a producer that is silent from then on.

    Only another try helps here. In a random history a later file, a crash or a rebalance does it.

    Args:
        seed: Decides everything that happens.
        laws: The laws to hold, by name.

    Returns:
        The world at the end.

    Raises:
        LawBrokenError: A law does not hold.
    """
    random = Random(seed)  # noqa: S311 - as above
    with without_logs():
        world = SimWorld(random_settings(random), random)
        for _ in range(AGAIN_ROUNDS):
            _produce_some(world, random)
            world.adopt_orphans()
            for _ in range(random.randrange(20, 60)):
                _fail_uploads(world, random)
                judge(world, laws)
            settle(world, partial(judge, world, laws))
            world.go_on()
    return world


def _produce_some(world: SimWorld, random: Random) -> None:
    for _ in range(random.randrange(15, 45)):
        world.produce(random.choice(sorted(world.broker.partitions)), random_record(random))


def _fail_uploads(world: SimWorld, random: Random) -> None:
    for member in list(world.members):
        world.poll(member, random.choice(sorted(world.broker.partitions)), RECORDS_POLLED_MAX)
        while member in world.members and member.pool.jobs:
            world.finish_upload(member, 0, StoreFault.BEFORE)
    world.pass_time(random.choice([0.1, 30]))


def _write_without_commits(world: SimWorld, random: Random) -> None:
    for member in list(world.members):
        world.poll(member, random.choice(sorted(world.broker.partitions)), RECORDS_POLLED_MAX)
        world.pass_time(random.choice([0.1, 30]))
        if member in world.members and member.pool.jobs:
            world.finish_upload(member, 0, StoreFault.NONE)
