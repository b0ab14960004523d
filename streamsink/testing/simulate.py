"""Random histories from a seed: `simulate` runs one and checks every law after every step. The seed is all dice."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from random import Random

from streamsink.config.sink import Rotation, RotationScope
from streamsink.testing.broker import SimRecord
from streamsink.testing.laws import LAWS, judge
from streamsink.testing.world import RECORDS_POLLED_MAX, SimWorld, WorldSettings

UPLOAD_FAULTS = ("", "", "", "before", "after")
COMMIT_FAULTS = ("", "", "", "", "before", "after")


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
    return WorldSettings(rotation=rotation, partitions=random.choice([1, 2, 3]))


def random_record(random: Random) -> SimRecord | None:
    """A record of one of a few lanes, or a hole."""
    if random.random() < 0.15:
        return None
    schema = random.choices(["v1", "v2", "tag1", "tag2"], [12, 1, 2, 2])[0]
    return SimRecord(random.choice("aaabbcd"), schema, random.randrange(200), random.randrange(1, 30))


def random_step(world: SimWorld, random: Random) -> None:  # noqa: C901, PLR0912 - one branch a kind of move
    """One move of the world."""
    dice = random.random()
    partitions = sorted(world.broker.partitions)
    if dice < 0.20 or not world.tasks:
        for _ in range(random.randrange(1, 8)):
            world.produce(random.choice(partitions), random_record(random))
        world.adopt_orphans()
        return
    task = random.choice(world.tasks)
    if dice < 0.50:
        world.poll(task, random.choice(partitions), random.randrange(1, RECORDS_POLLED_MAX + 1))
    elif dice < 0.70:
        if task.uploads:
            world.finish_upload(task, random.randrange(len(task.uploads)), random.choice(UPLOAD_FAULTS))
    elif dice < 0.84:
        if task.commits:
            world.finish_commit(task, random.choice(COMMIT_FAULTS))
    elif dice < 0.86:
        world.flush(task)
    elif dice < 0.92:
        world.pass_time(random.choice([0.1, 1, 5, 30, 120]))
    elif dice < 0.935:
        world.crash(task, random.randrange(3))
    elif dice < 0.95:
        if len(world.tasks) < 5:
            world.take_over(random.choice(partitions))
    elif dice < 0.965:
        if task.positions:
            world.revoke(task, random.choice(sorted(task.positions)), random.choice([0.5, 10, 300]))
    elif dice < 0.975:
        world.lose(task)
    elif dice < 0.985:
        world.stop(task, random.choice([0.5, 10, 300]))
    elif dice < 0.99:
        world.change_layout(random.choice("AB"))
    elif world.ghosts:
        world.ghost_arrives(random.randrange(len(world.ghosts)))


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
    world = SimWorld(random_settings(random))
    for _ in range(steps):
        random_step(world, random)
        judge(world, laws)
    world.settle(partial(judge, world, laws))
    return world
