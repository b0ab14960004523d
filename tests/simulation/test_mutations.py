"""Each rule of the sink, broken once: some law must notice, or the laws prove nothing."""

import dataclasses
from collections.abc import Callable

import pytest

from streamsink.batch.rotation import Reason
from streamsink.commit.ledger import CommitMetadata, Ledger
from streamsink.sink import machine as machine_module
from streamsink.sink import partition_state
from streamsink.sink.effects import Open
from streamsink.sink.flushes import Flushes
from streamsink.sink.lane_state import LaneState, Takeover, take_over
from streamsink.sink.machine import SinkMachine
from streamsink.sink.memory import MemoryBudget
from streamsink.sink.partition_state import PartitionState
from streamsink.testing.laws import LawBrokenError
from streamsink.testing.simulate import simulate
from streamsink.testing.store import SimStore
from streamsink.testing.task import SimTask

Mutation = Callable[[pytest.MonkeyPatch], None]
MUTATIONS: dict[str, tuple[Mutation, set[str]]] = {}


def mutation(*laws: str) -> Callable[[Mutation], Mutation]:
    """Register a way to break the sink, and the laws of which at least one must notice."""

    def register(mutate: Mutation) -> Mutation:
        MUTATIONS[mutate.__name__] = (mutate, set(laws))
        return mutate

    return register


@mutation("every_record_stored_once")
def no_ahead_in_commit_metadata(patch):
    patch.setattr(Ledger, "ahead", lambda self: {})


@mutation("every_record_stored_once", "object_covers_its_range", "replay_equals_topic", "never_commits_past_unstored")
def overwrite_instead_of_create(patch):
    original = SimStore.__init__
    patch.setattr(SimStore, "__init__", lambda self, *, atomic=True: original(self, atomic=False))


@mutation("never_commits_past_unstored")
def commit_before_upload(patch):
    patch.setattr(Ledger, "frontier", property(lambda self: self.position))


@mutation("every_record_stored_once", "never_commits_past_unstored", "object_covers_its_range")
def files_of_a_lane_out_of_order(patch):
    original = PartitionState.close

    def close(self, lane, reason):
        original(self, lane, reason)
        if not lane.uploading:
            lane.waiting.rotate(1)

    patch.setattr(PartitionState, "close", close)


@mutation("every_record_stored_once", "never_commits_past_unstored", "settles_when_faults_stop")
def conflict_taken_for_our_own(patch):
    original = SimTask.tell

    def tell(self, event, now):
        if isinstance(event, machine_module.on.Conflict):
            event = machine_module.on.Uploaded(event.file_id)
        original(self, event, now)

    patch.setattr(SimTask, "tell", tell)


@mutation("every_record_stored_once", "object_covers_its_range", "never_commits_past_unstored")
def adopted_records_not_dropped(patch):
    def keep_all(lane, last_offset):
        first = next(lane.files())
        return Takeover(stored=[first], surrendered=[])

    patch.setattr(partition_state, "take_over", keep_all)


@mutation("never_commits_past_unstored", "every_record_stored_once")
def surrendered_records_not_read_again(patch):
    patch.setattr(Ledger, "rewind", lambda self, next_offset: None)
    patch.setattr(
        PartitionState,
        "adopt",
        _without_seek(PartitionState.adopt),
    )


def _without_seek(adopt):
    def adopt_without_seek(self, lane, last_offset):
        emit, self._emit = self._emit, lambda effect: None
        try:
            return adopt(self, lane, last_offset)
        finally:
            self._emit, self._seek_to = emit, None

    return adopt_without_seek


@mutation("every_record_stored_once", "object_covers_its_range")
def records_seen_before_are_taken_again(patch):
    patch.setattr(PartitionState, "_first_unseen", lambda self, run: 0)


@mutation("names_follow_from_records", "every_record_stored_once")
def names_from_a_counter(patch):
    original = SimTask._one

    def one(self, effect):
        if isinstance(effect, Open):
            effect = Open(effect.file_id, effect.topic_partition, effect.lane, effect.schema, effect.file_id)
        original(self, effect)

    patch.setattr(SimTask, "_one", one)


@mutation("silent_after_revoke")
def uploads_go_on_after_letting_go(patch):
    patch.setattr(SimTask, "object_of", SimTask.object_of)
    original = SinkMachine._let_go

    def let_go(self, partition, *, clean):
        original(self, partition, clean=clean)
        self._effects.append(machine_module.do.Commit(partition.topic_partition, 0, ""))

    patch.setattr(SinkMachine, "_let_go", let_go)


@mutation("memory_below_ceiling")
def memory_never_relieved(patch):
    patch.setattr(MemoryBudget, "relief", lambda self: ([], []))
    patch.setattr(MemoryBudget, "full", property(lambda self: False))


@mutation("settles_when_faults_stop")
def failed_uploads_not_retried(patch):
    patch.setattr(SinkMachine, "_retry_due", lambda self, now: None)


@mutation("settles_when_faults_stop")
def no_rotation_by_age(patch):
    patch.setattr(SinkMachine, "_close_due", lambda self, now: None)


@mutation("flush_answers_when_committed")
def a_flush_is_answered_before_its_commits(patch):
    patch.setattr(Flushes, "begin", lambda self, flush_id, positions: self._targets.update({flush_id: {}}))


@mutation("flush_answers_when_committed")
def a_flush_is_never_answered(patch):
    patch.setattr(Flushes, "answered", lambda self: [])


def _accept_always(self, partition, now):
    partition.layout_before = None
    return True


@mutation("every_record_stored_once", "replay_equals_topic")
def another_layout_accepted_without_a_drain(patch):
    patch.setattr(SinkMachine, "_accept_layout", _accept_always)


@mutation("every_record_stored_once", "replay_equals_topic")
def drained_is_claimed_while_files_are_open(patch):
    original = CommitMetadata.encode
    drained = lambda self: original(CommitMetadata(self.layout, self.ahead, drained=True))  # noqa: E731
    patch.setattr(CommitMetadata, "encode", drained)


@mutation("order_kept_within_object")
def rows_of_a_file_reversed(patch):
    original = SimTask.object_of

    def object_of(self, file_id):
        item = original(self, file_id)
        return dataclasses.replace(item, rows=item.rows[::-1])

    patch.setattr(SimTask, "object_of", object_of)


@mutation("every_record_stored_once", "replay_equals_topic")
def uploads_before_the_claim(patch):
    original = PartitionState.assigned

    def assigned(self, offset, metadata):
        original(self, offset, metadata)
        self.commits.claimed = True

    patch.setattr(PartitionState, "assigned", assigned)


@pytest.mark.parametrize("name", sorted(MUTATIONS))
def test_a_law_notices_when_a_rule_is_broken(name, monkeypatch):
    mutate, laws = MUTATIONS[name]
    mutate(monkeypatch)
    for seed in range(400):
        try:
            simulate(seed, 300, sorted(laws))
        except LawBrokenError as broken:
            noticed = str(broken).split(":")[0]
            assert noticed in laws, f"{name} was noticed by {noticed}, expected one of {sorted(laws)}"
            return
        except AssertionError:
            return
    pytest.fail(f"{name}: no law noticed in 400 histories")


def test_the_helpers_of_the_mutations_still_exist():
    assert take_over(LaneState(lane=None), 0) == Takeover(stored=[], surrendered=[])
    assert Reason.AGE in Reason
