"""The machine by hand: the rules one at a time, where the simulator shows them all at once."""

import pytest

from streamsink.config.sink import Rotation, RotationScope
from streamsink.errors import TerminalError, TransientError
from streamsink.record import TopicPartition
from streamsink.sink.core import effects as do
from streamsink.sink.core import events as on
from streamsink.sink.core.ledger import CommitMetadata
from streamsink.sink.core.machine import SinkMachine
from streamsink.sink.core.open_file import Lane
from streamsink.sink.core.retries import Dependency
from streamsink.sink.core.rotation import Reason
from streamsink.sink.core.settings import MachineSettings
from streamsink.sink.core.stored_ranges import Ranges, StoredRanges

P = TopicPartition("logs", 0)
NOW = 1_000_000.0
CLAIM = CommitMetadata("L").encode()


class Driver:
    """Tells a machine and remembers what it said."""

    def __init__(self, rotation=None, *, offset=0, metadata=CLAIM, now=NOW, compacted=False, **settings):
        self.now = now
        self.machine = SinkMachine(MachineSettings(rotation or Rotation(size_bytes=None), layout="L", **settings))
        self.said = []
        self.tell(on.Assigned(P, offset, metadata, compacted))

    def tell(self, event, *, now=None, wall_s=None):
        self.now = now or self.now
        self.machine.handle(event, now=self.now, wall_s=self.now if wall_s is None else wall_s)
        fresh = list(self.machine.effects())
        self.said += fresh
        return fresh

    def poll(self, start, lanes, *, schema="s", times=None):
        """Slices as text: each letter is a record of that lane, a dot is a hole."""
        runs = []
        for name in sorted(set(lanes) - {"."}):
            offsets = [start + i for i, letter in enumerate(lanes) if letter == name]
            times_ms = None if times is None else [times[offset - start] for offset in offsets]
            runs.append(on.LaneRun(Lane(name), schema, offsets, times_ms, None))
        return self.tell(on.Polled(P, start, start + len(lanes), tuple(runs)))

    def commit(self):
        """The commit in flight is taken."""
        state = self.machine.partitions[P]
        return self.tell(on.Committed(P, *state.commits.committing))

    def of(self, kind):
        return [effect for effect in self.said if isinstance(effect, kind)]


def failed_commit(driver, text, **fields):
    """The commit in flight is refused."""
    return on.CommitFailed(P, *driver.machine.partitions[P].commits.committing, RuntimeError(text), **fields)


def kinds(effects, *wanted):
    return [effect for effect in effects if isinstance(effect, wanted)]


def test_a_files_name_is_its_first_records_offset_and_it_closes_at_its_age():
    driver = Driver(Rotation(size_bytes=None, age_ms=60_000), offset=2)
    driver.poll(2, "ab")
    assert [(order.lane.key, order.first_offset) for order in driver.of(do.Open)] == [("a", 2), ("b", 3)]
    assert driver.machine.next_deadline() == NOW + 60
    closed = kinds(driver.tell(on.Tick(), now=NOW + 60), do.Close)
    assert {(order.last_offset, order.record_count, order.reason) for order in closed} == {
        (2, 1, Reason.AGE),
        (3, 1, Reason.AGE),
    }


def test_the_first_commit_claims_the_partition_and_uploads_wait_for_it():
    driver = Driver(Rotation(flush_size=1, size_bytes=None), offset=None, metadata="")
    driver.poll(5, "a")
    assert driver.of(do.Upload) == []
    assert driver.of(do.Commit) == [do.Commit(P, 5, CLAIM)]
    assert kinds(driver.commit(), do.Upload) == [do.Upload(1, 1)]


def test_the_frontier_waits_for_the_oldest_file_and_what_is_ahead_of_it_is_in_the_commit():
    driver = Driver(Rotation(size_bytes=None, flush_size=2))
    driver.poll(0, "abbaab")
    uploads = [order.file_id for order in driver.of(do.Upload)]
    by_lane = {order.file_id: order.lane.key for order in driver.of(do.Open)}
    b_first = next(file_id for file_id in uploads if by_lane[file_id] == "b")
    said = driver.tell(on.Uploaded(b_first))
    assert kinds(said, do.Commit) == [do.Commit(P, 0, CommitMetadata("L", {"b": 2}).encode())]


def test_what_the_commit_calls_ahead_is_skipped():
    driver = Driver(offset=0, metadata=CommitMetadata("L", {"b": 4}).encode())
    driver.poll(0, "abbabb")
    assert [(order.lane.key, order.first_offset) for order in driver.of(do.Open)] == [("a", 0), ("b", 5)]


def test_files_of_one_lane_are_stored_in_order_and_lanes_side_by_side():
    driver = Driver(Rotation(flush_size=1, size_bytes=None), uploads_max=10)
    driver.poll(0, "aab")
    assert len(driver.of(do.Upload)) == 2
    first = driver.of(do.Open)[0].file_id
    assert kinds(driver.tell(on.Uploaded(first)), do.Upload) == [do.Upload(driver.of(do.Open)[1].file_id, 1)]


def test_a_conflict_drops_what_is_stored_and_reads_the_rest_again():
    driver = Driver(Rotation(flush_size=4, size_bytes=None))
    driver.poll(0, "aaaab")
    said = driver.tell(on.Conflict(1, 1))
    assert kinds(said, do.Adopted) == [do.Adopted(P, Lane("a"), 1)]
    assert kinds(said, do.Seek) == [do.Seek(P, 2)]
    said = driver.poll(2, "aab")
    assert [(order.lane.key, order.first_offset) for order in kinds(said, do.Open)] == [("a", 2)]


def test_slices_polled_before_a_seek_took_effect_are_ignored():
    driver = Driver(Rotation(flush_size=4, size_bytes=None))
    driver.poll(0, "aaaa")
    driver.tell(on.Conflict(1, 1))
    assert kinds(driver.poll(4, "aa"), do.Open, do.Append) == []


def test_a_conflict_that_reaches_past_all_we_have_needs_no_seek():
    driver = Driver(Rotation(flush_size=2, size_bytes=None))
    driver.poll(0, "aaa")
    said = driver.tell(on.Conflict(1, 9))
    assert kinds(said, do.Seek) == []
    assert sorted(order.file_id for order in kinds(said, do.Discard)) == [1, 2]
    assert kinds(driver.poll(3, "aaaaaaaaa"), do.Open)[0].first_offset == 10


def test_a_failed_upload_is_tried_again_later_and_said_once():
    driver = Driver(Rotation(flush_size=1, size_bytes=None))
    driver.poll(0, "a")
    said = driver.tell(on.UploadFailed(1, TimeoutError("503")))
    assert len(kinds(said, do.Retrying)) == 1
    due = driver.machine.next_deadline()
    assert 0.2 < due - NOW < 1.0
    assert kinds(driver.tell(on.Tick(), now=due), do.Upload) == [do.Upload(1, 2)]
    assert kinds(driver.tell(on.UploadFailed(1, TimeoutError("503"))), do.Retrying) == []


def test_an_outage_has_an_end():
    driver = Driver(Rotation(flush_size=1, size_bytes=None), retry_timeout_s=60)
    driver.poll(0, "a")
    for _ in range(100):
        driver.tell(on.UploadFailed(1, TimeoutError("503")))
        if driver.of(do.Fail):
            break
        driver.tell(on.Tick(), now=driver.machine.next_deadline())
    assert isinstance(driver.of(do.Fail)[0].error, TransientError)
    assert 60 < driver.now - NOW < 150


def test_a_terminal_upload_error_ends_the_task_with_that_error():
    driver = Driver(Rotation(flush_size=1, size_bytes=None))
    driver.poll(0, "a")
    error = TerminalError("no such bucket")
    assert driver.tell(on.UploadFailed(1, error, terminal=True))[-1] == do.Fail(error)


def test_a_revoked_partition_is_stored_committed_and_let_go_of():
    driver = Driver()
    driver.poll(0, "ab")
    said = driver.tell(on.Revoked((P,), NOW + 30))
    assert {order.reason for order in kinds(said, do.Close)} == {Reason.REVOKED}
    driver.tell(on.Uploaded(1))
    driver.commit()
    driver.tell(on.Uploaded(2))
    said = driver.commit()
    assert kinds(said, do.Released) == [do.Released(P, clean=True)]
    assert P not in driver.machine.partitions


def test_past_the_deadline_a_revoked_partition_is_let_go_of_without_a_commit():
    driver = Driver()
    driver.poll(0, "a")
    driver.tell(on.Revoked((P,), NOW + 30))
    said = driver.tell(on.Tick(), now=NOW + 30)
    assert kinds(said, do.Commit) == []
    assert kinds(said, do.Released) == [do.Released(P, clean=False)]
    assert driver.tell(on.Uploaded(1)) == []


def test_a_fenced_commit_ends_all_work_for_the_partition():
    driver = Driver(Rotation(flush_size=1, size_bytes=None))
    driver.poll(0, "a")
    driver.tell(on.Uploaded(1))
    said = driver.tell(failed_commit(driver, "fenced", refusal=on.Refusal.FENCED))
    assert kinds(said, do.Released) == [do.Released(P, clean=False)]
    assert kinds(said, do.Rejoin) == [do.Rejoin()]
    assert driver.poll(1, "aaaa") == []


def test_a_commit_that_is_denied_ends_the_task_with_that_error():
    driver = Driver(Rotation(flush_size=1, size_bytes=None))
    driver.poll(0, "a")
    driver.tell(on.Uploaded(1))
    event = failed_commit(driver, "no access to the group", refusal=on.Refusal.TERMINAL)
    assert driver.tell(event)[-1] == do.Fail(event.error)


def test_the_answer_to_another_commit_changes_nothing():
    driver = Driver(Rotation(flush_size=1, size_bytes=None))
    driver.poll(0, "a")
    driver.tell(on.Uploaded(1))
    state = driver.machine.partitions[P].commits
    sent = state.committing
    assert driver.tell(on.CommitFailed(P, 0, CLAIM, RuntimeError("fenced"), on.Refusal.FENCED)) == []
    assert driver.tell(on.Committed(P, 0, CLAIM)) == []
    assert state.committing == sent


def test_store_and_coordinator_have_outages_of_their_own():
    driver = Driver(Rotation(flush_size=1, size_bytes=None), retry_timeout_s=60)
    driver.poll(0, "ab")
    assert kinds(driver.tell(on.UploadFailed(1, TimeoutError("503"))), do.Retrying)[0].what is Dependency.STORE
    driver.tell(on.Uploaded(2))
    said = driver.tell(failed_commit(driver, "loading"))
    assert kinds(said, do.Retrying)[0].what is Dependency.COORDINATOR
    driver.tell(on.Tick(), now=driver.machine.next_deadline())
    said = driver.commit()
    assert kinds(said, do.Recovered) == [do.Recovered(Dependency.COORDINATOR)]


def test_two_blips_of_the_coordinator_an_hour_apart_are_two_outages():
    driver = Driver(Rotation(flush_size=1, size_bytes=None), offset=10, metadata="", retry_timeout_s=600)
    driver.tell(failed_commit(driver, "blip"))
    driver.tell(on.Tick(), now=driver.machine.next_deadline())
    driver.commit()
    for hole in range(10, 370):
        driver.now += 10
        driver.tell(on.Polled(P, hole, hole + 1))
        driver.tell(on.Tick(), now=driver.machine.next_deadline())
        driver.commit()
    driver.tell(on.Polled(P, 370, 371))
    driver.tell(on.Tick(), now=driver.machine.next_deadline())
    driver.tell(failed_commit(driver, "blip"))
    assert driver.of(do.Fail) == []
    assert len(driver.of(do.Retrying)) == 2


def test_failures_with_nothing_tried_in_between_are_no_outage():
    driver = Driver(Rotation(flush_size=1, size_bytes=None), retry_timeout_s=600)
    driver.poll(0, "a")
    driver.tell(on.Uploaded(1))
    driver.tell(failed_commit(driver, "blip"))
    driver.tell(on.Lost((P,)))
    driver.tell(on.Assigned(P, 0, CLAIM), now=NOW + 3600)
    driver.poll(0, "a")
    driver.tell(on.Uploaded(2))
    driver.tell(failed_commit(driver, "blip"))
    assert driver.of(do.Fail) == []


def test_one_file_that_never_gets_stored_ends_the_task_though_others_are():
    driver = Driver(Rotation(flush_size=1, size_bytes=None), retry_timeout_s=60)
    driver.poll(0, "ab")
    for offset in range(2, 200):
        driver.tell(on.UploadFailed(1, TimeoutError("503")))
        if driver.of(do.Fail):
            break
        driver.poll(offset, "b")
        driver.tell(on.Uploaded(offset))
        driver.tell(on.Tick(), now=driver.machine.next_deadline())
    assert isinstance(driver.of(do.Fail)[0].error, TransientError)
    assert 60 < driver.now - NOW < 150


def test_a_clock_set_back_keeps_no_file_open_for_longer_than_its_schedule():
    driver = Driver(Rotation(size_bytes=None, age_ms=None, schedule_interval_ms=3_600_000))
    driver.tell(on.Polled(P, 0, 1, (on.LaneRun(Lane("a"), "s", [0], None, None),)), wall_s=100.0)
    driver.tell(on.Tick(), now=NOW + 3499, wall_s=-86_400.0)
    assert driver.of(do.Close) == []
    driver.tell(on.Tick(), now=NOW + 3500, wall_s=-86_399.0)
    assert [order.reason for order in driver.of(do.Close)] == [Reason.SCHEDULE]


def test_a_clock_set_forward_closes_by_schedule_and_ages_nothing():
    rotation = Rotation(size_bytes=None, age_ms=600_000, schedule_interval_ms=3_600_000)
    driver = Driver(rotation)
    driver.tell(on.Polled(P, 0, 1, (on.LaneRun(Lane("a"), "s", [0], None, None),)), wall_s=100.0)
    driver.tell(on.Tick(), now=NOW + 1, wall_s=3500.0)
    assert driver.of(do.Close) == []
    driver.tell(on.Tick(), now=NOW + 2, wall_s=3601.0)
    assert [order.reason for order in driver.of(do.Close)] == [Reason.SCHEDULE]


def test_stop_drains_everything_and_says_so():
    driver = Driver()
    driver.poll(0, "a")
    driver.tell(on.Stop(NOW + 30))
    driver.tell(on.Uploaded(1))
    commit = driver.of(do.Commit)[-1]
    said = driver.commit()
    assert said[-1] == do.Stopped(clean=True)
    assert CommitMetadata.decode(commit.metadata) == CommitMetadata("L")


def test_a_partition_read_to_its_end_is_left_drained():
    driver = Driver()
    driver.poll(0, "a")
    driver.tell(on.ReachedEnd(P, 3))
    driver.tell(on.Stop(NOW + 30))
    driver.tell(on.Uploaded(1))
    commit = driver.of(do.Commit)[-1]
    assert (commit.offset, CommitMetadata.decode(commit.metadata).drained) == (3, True)


def test_holes_and_markers_alone_are_committed_within_a_second_or_so():
    driver = Driver()
    driver.poll(0, "....")
    driver.tell(on.ReachedEnd(P, 5))
    due = driver.machine.next_deadline()
    assert due - NOW <= 1.0
    assert kinds(driver.tell(on.Tick(), now=due), do.Commit) == [do.Commit(P, 5, CLAIM)]


def test_another_layout_with_uncommitted_records_is_refused_in_words():
    driver = Driver(metadata=CommitMetadata("OLD").encode(), layout_strict=True)
    said = driver.poll(0, "a")
    error = said[-1].error
    assert isinstance(error, TerminalError)
    assert "OLD" in error.message
    assert "exactly.once=preferred" in error.hint


def test_another_layout_is_fine_when_the_group_was_drained_or_has_nothing_new():
    drained = Driver(metadata=CommitMetadata("OLD", drained=True).encode(), layout_strict=True)
    assert kinds(drained.poll(0, "a"), do.Open)
    caught_up = Driver(metadata=CommitMetadata("OLD").encode(), layout_strict=True)
    caught_up.tell(on.ReachedEnd(P, 0))
    assert kinds(caught_up.poll(0, "a"), do.Open)


def test_a_new_schema_in_a_lane_closes_its_file():
    driver = Driver()
    driver.poll(0, "aa", schema="one")
    said = driver.poll(2, "a", schema="two")
    assert [order.reason for order in kinds(said, do.Close)] == [Reason.SCHEMA]
    assert kinds(said, do.Open)[0].first_offset == 2


def test_partition_scope_counts_over_all_lanes_and_closes_them_together():
    driver = Driver(Rotation(flush_size=4, size_bytes=None, scope=RotationScope.PARTITION))
    said = driver.poll(0, "abcaab")
    assert [order.reason for order in kinds(said, do.Close)] == [Reason.RECORDS] * 3
    assert sum(order.record_count for order in kinds(said, do.Close)) == 4
    assert {(order.lane.key, order.first_offset) for order in kinds(said, do.Open)[3:]} == {("a", 4), ("b", 5)}


def test_file_scope_lets_each_file_count_for_itself():
    driver = Driver(Rotation(flush_size=3, size_bytes=None))
    said = driver.poll(0, "abcaab")
    assert [(order.record_count, order.last_offset) for order in kinds(said, do.Close)] == [(3, 4)]


def test_record_time_cuts_before_the_record_that_is_an_interval_later():
    driver = Driver(Rotation(size_bytes=None, interval_ms=100))
    said = driver.poll(0, "aaaa", times=[0, 50, 100, 20])
    assert [(order.last_offset, order.reason) for order in kinds(said, do.Close)] == [(1, Reason.INTERVAL)]


def test_a_file_at_its_size_closes():
    driver = Driver(Rotation(size_bytes=1000))
    driver.poll(0, "a")
    assert kinds(driver.tell(on.Measured(1, 999, 999, 0)), do.Close) == []
    assert kinds(driver.tell(on.Measured(1, 1000, 1000, 0)), do.Close)[0].reason is Reason.BYTES


def test_near_the_ceiling_rows_are_flushed_then_files_closed_and_reading_rests():
    driver = Driver(memory_bytes_max=1_000_000)
    driver.poll(0, "ab")
    assert kinds(driver.tell(on.Measured(1, 400_000, 600_000, 500_000)), do.EncodeEarly) == [do.EncodeEarly(1)]
    said = driver.tell(on.Measured(1, 400_000, 600_000, 0))
    assert [order.reason for order in kinds(said, do.Close)] == [Reason.MEMORY]
    said = driver.tell(on.Measured(2, 200_000, 200_000, 0))
    assert kinds(said, do.Pause) == [do.Pause((P,))]
    driver.tell(on.Uploaded(1))
    assert driver.of(do.Resume) == [do.Resume((P,))]


def test_too_many_lanes_ahead_close_the_file_that_holds_the_frontier_back():
    driver = Driver(Rotation(size_bytes=None, files_open_max=None))
    driver.poll(0, "z")
    names = [f"a-rather-long-encoded-partition-name-{number:04d}" for number in range(120)]
    runs = tuple(on.LaneRun(Lane(name), "s", [1 + i], None, None) for i, name in enumerate(names))
    driver.tell(on.Polled(P, 1, 121, runs))
    for order in driver.of(do.Open)[1:]:
        slot = driver.machine._storing._files[order.file_id]
        slot.partition.filing.close(slot.lane, Reason.AGE)
        for commit in kinds(driver.tell(on.Uploaded(order.file_id)), do.Commit):
            assert len(commit.metadata.encode()) <= 3500
            driver.tell(on.Committed(P, commit.offset, commit.metadata))
    assert [order.reason for order in driver.of(do.Close) if order.file_id == 1] == [Reason.METADATA]


def test_more_open_files_than_allowed_close_the_one_open_longest():
    driver = Driver(Rotation(size_bytes=None, files_open_max=2))
    driver.poll(0, "a")
    driver.now += 1
    driver.poll(1, "b")
    said = driver.poll(2, "c")
    assert [(order.file_id, order.reason) for order in kinds(said, do.Close)] == [(1, Reason.OPEN_FILES)]


def test_a_gap_between_slices_is_a_broken_invariant():
    driver = Driver()
    driver.poll(0, "a")
    with pytest.raises(AssertionError, match="follow one another"):
        driver.poll(5, "a")


def test_a_flush_stores_and_commits_all_that_was_read_and_then_says_so():
    driver = Driver()
    driver.poll(0, "aba")
    effects = driver.tell(on.Flush(7))
    assert [effect.reason for effect in kinds(effects, do.Close)] == [Reason.FLUSH] * 2
    for upload in kinds(effects, do.Upload):
        driver.tell(on.Uploaded(upload.file_id))
        assert not driver.of(do.Flushed)
    while driver.machine.partitions[P].commits.committing:
        driver.commit()
    assert driver.of(do.Flushed) == [do.Flushed(7, complete=True)]


def test_a_flush_of_a_partition_that_is_lost_is_incomplete():
    driver = Driver()
    driver.poll(0, "a")
    driver.tell(on.Flush(7))
    assert do.Flushed(7, complete=False) in driver.tell(on.Lost((P,)))


def test_a_flush_is_incomplete_where_a_partition_was_lost_between_its_order_and_its_begin():
    driver = Driver()
    driver.poll(0, "a")
    driver.tell(on.FlushOrdered(7))
    assert not driver.of(do.Flushed)
    driver.tell(on.Lost((P,)))
    assert do.Flushed(7, complete=False) in driver.tell(on.Flush(7))


def test_a_flush_of_nothing_is_answered_at_once():
    driver = Driver()
    assert do.Flushed(7, complete=True) in driver.tell(on.Flush(7))


@pytest.mark.parametrize(
    ("drained", "compacted", "looks"), [(False, True, 1), (True, True, 0), (False, False, 0), (True, False, 0)]
)
def test_after_an_end_that_was_not_clean_a_compacted_topic_is_looked_at_and_no_other(drained, compacted, looks):
    metadata = CommitMetadata("L", drained=drained).encode()
    driver = Driver(offset=7, metadata=metadata, compacted=compacted, look_before_writing=True)
    assert [order.offset for order in driver.of(do.Look)] == [7] * looks


def test_a_file_does_not_begin_at_a_later_record_when_compaction_has_taken_the_first_of_what_is_stored():
    driver = Driver(Rotation(flush_size=9, size_bytes=None), compacted=True, look_before_writing=True)
    look = driver.of(do.Look)[0]
    driver.tell(on.Looked(P, look.look_id, StoredRanges({Lane("a").key: Ranges.of([(0, 3)])})))
    driver.poll(0, "..aaaa")
    assert [order.first_offset for order in driver.of(do.Open)] == [4]
