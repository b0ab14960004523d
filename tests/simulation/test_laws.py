"""The laws as Hypothesis state machines: the moves are Hypothesis's to choose, and to shrink when a law breaks."""

from functools import partial
from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from streamsink.config.sink import Rotation, RotationScope
from streamsink.testing.calm import settle
from streamsink.testing.commits import CommitFate
from streamsink.testing.interventions import change_layout
from streamsink.testing.laws import LAWS, judge
from streamsink.testing.member import WorldSettings
from streamsink.testing.quiet import without_logs
from streamsink.testing.records import BAD, SimRecord
from streamsink.testing.store import StoreFault
from streamsink.testing.world import SimWorld

rotations = st.builds(
    Rotation,
    flush_size=st.sampled_from([None, 2, 5]),
    size_bytes=st.sampled_from([None, 100, 300]),
    age_ms=st.sampled_from([10_000, 60_000]),
    interval_ms=st.sampled_from([None, 50]),
    schedule_interval_ms=st.sampled_from([None, 45_000]),
    scope=st.sampled_from(RotationScope),
    files_open_max=st.sampled_from([None, 2]),
)
records = st.none() | st.builds(
    SimRecord,
    st.sampled_from("abc"),
    st.sampled_from(["v1", "v1", "v2", "tag1", BAD]),
    st.integers(0, 150),
    st.integers(1, 29),
)
faults = st.sampled_from([StoreFault.NONE, StoreFault.NONE, StoreFault.BEFORE, StoreFault.AFTER, StoreFault.BUSY])
fates = st.sampled_from([CommitFate.TAKEN, CommitFate.TAKEN, CommitFate.BEFORE, CommitFate.AFTER, CommitFate.NEVER])
choices = st.integers(0, 7)


class SinkHistory(RuleBasedStateMachine):
    """Producers, tasks, crashes, zombies, faults; `law` is checked after every move and once all has settled."""

    law = ""

    @initialize(rotation=rotations, partitions=st.integers(1, 3), waits=st.integers(0, 1000))
    def begin(self, rotation, partitions, waits):
        self.world = SimWorld(WorldSettings(rotation=rotation, partitions=partitions), Random(waits))

    def _partition(self, choice):
        names = sorted(self.world.broker.partitions)
        return names[choice % len(names)]

    def _task(self, choice):
        return self.world.members[choice % len(self.world.members)]

    @rule(choice=choices)
    @precondition(lambda self: self.world.members)
    def flush(self, choice):
        self.world.flush(self._task(choice))

    @rule(choice=choices, batch=st.lists(records, min_size=1, max_size=8))
    def produce(self, choice, batch):
        for record in batch:
            self.world.produce(self._partition(choice), record)

    @rule()
    def give_orphans_an_owner(self):
        self.world.adopt_orphans()

    @precondition(lambda self: self.world.members)
    @rule(task=choices, partition=choices, records_max=st.integers(1, 6))
    def poll(self, task, partition, records_max):
        self.world.poll(self._task(task), self._partition(partition), records_max)

    @precondition(lambda self: any(task.pool.jobs for task in self.world.members))
    @rule(choice=choices, index=choices, fault=faults)
    def an_upload_ends(self, choice, index, fault):
        uploading = [task for task in self.world.members if task.pool.jobs]
        task = uploading[choice % len(uploading)]
        self.world.finish_upload(task, index % len(task.pool.jobs), fault)

    @precondition(lambda self: any(task.consumer.commits.sent for task in self.world.members))
    @rule(choice=choices, index=choices, fate=fates)
    def a_commit_ends(self, choice, index, fate):
        committing = [task for task in self.world.members if task.consumer.commits.sent]
        task = committing[choice % len(committing)]
        self.world.finish_commit(task, index % len(task.consumer.commits.sent), fate)

    @rule(seconds=st.sampled_from([0.5, 5.0, 70.0]))
    def time_passes(self, seconds):
        self.world.pass_time(seconds)

    @precondition(lambda self: self.world.members)
    @rule(task=choices, ghosts=st.integers(0, 2))
    def crash(self, task, ghosts):
        self.world.crash(self._task(task), ghosts)

    @precondition(lambda self: self.world.ghosts)
    @rule(choice=choices)
    def a_dead_writers_upload_arrives(self, choice):
        self.world.ghost_arrives(choice % len(self.world.ghosts))

    @precondition(lambda self: len(self.world.members) < 4)
    @rule(partition=choices)
    def take_over_without_telling(self, partition):
        self.world.take_over(self._partition(partition))

    @precondition(lambda self: any(task.positions for task in self.world.members))
    @rule(choice=choices, partition=choices)
    def revoke(self, choice, partition):
        holding = [task for task in self.world.members if task.positions]
        task = holding[choice % len(holding)]
        names = sorted(task.positions)
        self.world.revoke(task, names[partition % len(names)])

    @precondition(lambda self: self.world.zombies)
    @rule(choice=choices)
    def a_zombie_hears_of_it(self, choice):
        self.world.lose(self.world.zombies[choice % len(self.world.zombies)])

    @precondition(lambda self: self.world.members)
    @rule(task=choices)
    def stop(self, task):
        self.world.stop(self._task(task))

    @precondition(lambda self: self.world.members)
    @rule(task=choices)
    def leave_and_come_back(self, task):
        self.world.rejoin(self._task(task))

    @precondition(lambda self: self.world.members)
    @rule(task=choices, what=st.sampled_from(["consumer", "decoder", "dead_letters"]), away=st.booleans())
    def something_goes_away_or_comes_back(self, task, what, away):
        getattr(self._task(task), what).away = away

    @rule(seconds=st.sampled_from([-3600.0, 3600.0]))
    def the_wall_clock_is_set(self, seconds):
        self.world.set_clock(seconds)

    @rule(layout=st.sampled_from("AB"))
    def change_layout(self, layout):
        change_layout(self.world, layout)

    @invariant()
    def law_holds(self):
        if hasattr(self, "world"):
            judge(self.world, [self.law])

    def teardown(self):
        if hasattr(self, "world"):
            settle(self.world, partial(judge, self.world, [self.law]))


def _history_of(law):
    return type(f"HistoryFor_{law}", (SinkHistory,), {"law": law})


@pytest.mark.parametrize("law", LAWS)
def test_law_holds(law):
    with without_logs():
        run_state_machine_as_test(
            _history_of(law),
            settings=settings(
                max_examples=8,
                stateful_step_count=30,
                deadline=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            ),
        )


def test_no_law_was_forgotten():
    assert len(LAWS) == 14
