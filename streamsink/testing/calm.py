"""The calm end of a simulated history: faults stop, and everything runs to its end. Decides no move before that."""

from __future__ import annotations

from collections.abc import Callable

from streamsink.testing.world import RECORDS_POLLED_MAX, SimWorld

SETTLE_STEPS_MAX = 3000
CALM_POLLS = 8


def settle(world: SimWorld, judge: Callable[[], None]) -> None:
    """Stop the faults and let everything run to its end.

    Args:
        world: It is `settled` in the end, or says in `stuck` why not.
        judge: Called after each step and once more in the end; raises where a law does not hold.
    """
    world.calm = True
    for _ in range(SETTLE_STEPS_MAX):
        _step(world)
        judge()
        if _at_rest(world):
            break
    else:
        world.stuck = f"not at rest after {SETTLE_STEPS_MAX} steps without faults"
    world.settled = not world.stuck
    judge()


def _step(world: SimWorld) -> None:
    while world.ghosts:
        world.ghost_arrives(0)
    world.adopt_orphans()
    for member in list(world.members):
        member.consumer.away = member.decoder.away = member.dead_letters.away = False
        if member.consumer.lost_without_word:
            world.lose(member)
        for partition in member.positions * CALM_POLLS:
            if member in world.members and not member.caught_up(partition):
                world.poll(member, partition, RECORDS_POLLED_MAX)
                world.finish_all(member)
        world.finish_all(member)
    world.pass_time(40.0)


def _at_rest(world: SimWorld) -> bool:
    everywhere = all((s.committed or (0, ""))[0] == len(s.log) for s in world.broker.partitions.values())
    return everywhere and all(member.idle for member in world.members)
