"""Each rule of the sink, broken once: some law must notice, or the laws prove nothing."""

from collections.abc import Callable
from functools import partial

import pytest

from streamsink.sink.core import machine as machine_module
from streamsink.sink.core import partition_state
from streamsink.sink.core.effects import Open
from streamsink.sink.core.filing import Filing
from streamsink.sink.core.flushes import Flushes
from streamsink.sink.core.lane_state import LaneState, Takeover, take_over
from streamsink.sink.core.ledger import CommitMetadata, Ledger
from streamsink.sink.core.looking import Looking
from streamsink.sink.core.machine import SinkMachine
from streamsink.sink.core.memory import MemoryBudget
from streamsink.sink.core.partition_state import PartitionState
from streamsink.sink.core.rotation import Reason
from streamsink.sink.core.stored_ranges import Ranges, StoredRanges
from streamsink.sink.core.storing import Storing
from streamsink.sink.files import TaskFiles
from streamsink.sink.look import Look
from streamsink.testing.broken import LawBrokenError
from streamsink.testing.format import SimWriter
from streamsink.testing.simulate import simulate, simulate_again, simulate_failing_uploads, simulate_there_and_back
from streamsink.testing.store import SimStore

Mutation = Callable[[pytest.MonkeyPatch], None]
MUTATIONS: dict[str, tuple[Mutation, set[str], Callable[..., object]]] = {}
MOVES = partial(simulate, steps=250)


def mutation(*laws: str, history: Callable[..., object] = MOVES) -> Callable[[Mutation], Mutation]:
    """Register a way to break the sink, the laws of which at least one must notice, and in what histories."""

    def register(mutate: Mutation) -> Mutation:
        MUTATIONS[mutate.__name__] = (mutate, set(laws), history)
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
    original = Filing.close

    def close(self, lane, reason):
        original(self, lane, reason)
        if not lane.uploading:
            lane.waiting.rotate(1)

    patch.setattr(Filing, "close", close)


@mutation("every_record_stored_once", "never_commits_past_unstored", "settles_when_faults_stop")
def conflict_taken_for_our_own(patch):
    original = SinkMachine.handle

    def handle(self, event, **times):
        if isinstance(event, machine_module.on.Conflict):
            event = machine_module.on.Uploaded(event.file_id)
        original(self, event, **times)

    patch.setattr(SinkMachine, "handle", handle)


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
    patch.setattr(Filing, "_first_unseen", lambda self, run: 0)


@mutation("names_follow_from_records", "every_record_stored_once")
def names_from_a_counter(patch):
    original = TaskFiles.open

    def open_numbered(self, order):
        original(self, Open(order.file_id, order.topic_partition, order.lane, order.schema, order.file_id))

    patch.setattr(TaskFiles, "open", open_numbered)


@mutation("silent_after_revoke")
def work_goes_on_for_lost_partitions(patch):
    patch.setattr(SinkMachine, "_lost", lambda self, partitions: None)


@mutation("memory_below_ceiling")
def memory_never_relieved(patch):
    patch.setattr(MemoryBudget, "relief", lambda self: ([], []))
    patch.setattr(MemoryBudget, "full", property(lambda self: False))


@mutation("settles_when_faults_stop", history=simulate_failing_uploads)
def failed_uploads_not_retried(patch):
    patch.setattr(Storing, "retry_due", lambda self, now: None)


@mutation("settles_when_faults_stop")
def no_rotation_by_age(patch):
    patch.setattr(Storing, "close_due", lambda self, now: None)


@mutation("flush_answers_when_committed")
def a_flush_is_answered_before_its_commits(patch):
    patch.setattr(Flushes, "begin", lambda self, flush_id, partitions: self._targets.update({flush_id: {}}) or ())


@mutation("flush_answers_when_committed")
def a_flush_is_never_answered(patch):
    patch.setattr(Flushes, "answered", lambda self: [])


def _accept_always(self, partition, now):
    partition.layout_before = None
    return True


@mutation("every_record_stored_once", "replay_equals_topic", history=simulate_there_and_back)
def another_layout_accepted_without_a_drain(patch):
    patch.setattr(SinkMachine, "_accept_layout", _accept_always)


@mutation("every_record_stored_once", "replay_equals_topic", history=simulate_there_and_back)
def drained_is_claimed_while_files_are_open(patch):
    original = CommitMetadata.encode
    drained = lambda self: original(CommitMetadata(self.layout, self.ahead, drained=True))  # noqa: E731
    patch.setattr(CommitMetadata, "encode", drained)


@mutation("order_kept_within_object")
def rows_of_a_file_reversed(patch):
    original = SimWriter.flush

    def flush(self):
        self._waiting.reverse()
        original(self)

    patch.setattr(SimWriter, "flush", flush)


@mutation("every_record_stored_once", "object_covers_its_range", history=simulate_there_and_back)
def uploads_before_the_claim(patch):
    original = PartitionState.assigned

    def assigned(self, offset, metadata, **about):
        original(self, offset, metadata, **about)
        self.commits.claimed = True

    patch.setattr(PartitionState, "assigned", assigned)


@mutation("every_record_stored_once", "object_covers_its_range")
def nobody_looks_before_writing(patch):
    patch.setattr(Looking, "assigned", lambda self, said, layout, offset, *, compacted: None)


@mutation("every_record_stored_once")
def nobody_looks_after_an_unclean_end(patch):
    original = Looking.assigned
    patch.setattr(
        Looking,
        "assigned",
        lambda self, said, layout, offset, *, compacted: original(self, said, layout, offset, compacted=False),
    )


@mutation("every_record_stored_once", "object_covers_its_range", history=simulate_again)
def a_commit_does_not_say_that_others_have_to_look(patch):
    def passed(self, frontier):
        original(self, frontier)
        return -1

    original = Looking.passed
    patch.setattr(Looking, "passed", passed)


@mutation("every_record_stored_once", "never_commits_past_unstored", "settles_when_faults_stop")
def a_look_tells_of_more_than_is_stored(patch):
    original = Look.find

    def too_much(self, partition, offset):
        found = original(self, partition, offset)
        return StoredRanges({lane: Ranges.of([(0, ranges.last + 1)]) for lane, ranges in found.lanes.items()})

    patch.setattr(Look, "find", too_much)


@mutation("every_record_stored_once", "object_covers_its_range", history=simulate_again)
def files_go_on_behind_stored_objects(patch):
    patch.setattr(Filing, "_close_before_stored", lambda self, lane, offset: None)


@mutation("every_record_stored_once", history=simulate_again)
def objects_of_another_layout_are_not_looked_at(patch):
    original = Look.find
    patch.setattr(Look, "find", lambda self, *where: StoredRanges(original(self, *where).lanes))


# Slices that come while a partition looks can't come here: the simulated consumer gives nothing of a paused partition.
# `test_slices_that_come_before_it_is_known_what_is_stored_are_read_again` holds the machine to it.
@pytest.mark.parametrize("name", sorted(MUTATIONS))
def test_a_law_notices_when_a_rule_is_broken(name, monkeypatch):
    mutate, laws, history = MUTATIONS[name]
    mutate(monkeypatch)
    for seed in range(150):
        try:
            history(seed, laws=sorted(laws))
        except LawBrokenError as broken:
            noticed = str(broken).split(":")[0]
            assert noticed in laws, f"{name} was noticed by {noticed}, expected one of {sorted(laws)}"
            return
        except AssertionError:
            return
    pytest.fail(f"{name}: no law noticed in 150 histories")


def test_the_helpers_of_the_mutations_still_exist():
    assert take_over(LaneState(lane=None), 0) == Takeover(stored=[], surrendered=[])
    assert Reason.AGE in Reason
