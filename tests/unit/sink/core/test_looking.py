"""Looking before writing, by hand: what comes too early, what fails, and what is left out."""

import pytest

from streamsink.config.sink import Rotation
from streamsink.errors import TerminalError, TransientError
from streamsink.sink.core import effects as do
from streamsink.sink.core import events as on
from streamsink.sink.core.ledger import CommitMetadata
from streamsink.sink.core.rotation import Reason
from streamsink.sink.core.stored_ranges import Ranges, StoredRanges
from tests.unit.sink.core.test_machine import CLAIM, NOW, Driver, P, kinds


def driver(**fields):
    return Driver(Rotation(size_bytes=None), look_before_writing=True, **{"metadata": "", **fields})


def ranges(*pairs):
    return Ranges.of(pairs)


def opened(effects):
    return [(order.lane.key, order.first_offset) for order in kinds(effects, do.Open)]


@pytest.mark.parametrize("early", ["aab", "..."])
def test_slices_that_come_before_it_is_known_what_is_stored_are_read_again(early):
    looking = driver()
    assert looking.of(do.Look) == [do.Look(P, 1, 0)]
    assert looking.of(do.Pause) == [do.Pause((P,))]
    looking.poll(0, early)
    looking.poll(3, early)
    assert looking.of(do.Open) == []
    said = looking.tell(on.Looked(P, 1, StoredRanges({"a": ranges((0, 4))})))
    assert kinds(said, do.Seek, do.Resume) == [do.Seek(P, 0), do.Resume((P,))]
    assert opened(looking.poll(6, "ab")) == [], "a slice from before the seek"
    assert opened(looking.poll(0, "aabaaab")) == [("a", 5), ("b", 2)]


def test_an_end_that_is_reached_too_early_is_reached_again():
    looking = driver(offset=4)
    looking.tell(on.ReachedEnd(P, 4))
    said = looking.tell(on.Looked(P, 1, StoredRanges()))
    assert kinds(said, do.Seek) == [do.Seek(P, 4)]


def test_offsets_of_another_layouts_objects_count_whatever_their_lane():
    looking = driver()
    looking.tell(on.Looked(P, 1, StoredRanges({}, ranges((0, 1), (3, 3)))))
    assert [(one.start, one.stop) for one in kinds(looking.poll(0, "aaaaa"), do.Append)] == [(2, 3), (4, 5)]


def test_a_file_closes_before_a_stored_object_of_its_lane():
    looking = driver()
    looking.tell(on.Looked(P, 1, StoredRanges({"a": ranges((2, 3))})))
    said = looking.poll(0, "aaaaa")
    assert opened(said) == [("a", 0), ("a", 4)]
    assert [(one.last_offset, one.reason) for one in kinds(said, do.Close)] == [(1, Reason.STORED)]


def test_until_the_frontier_has_passed_what_was_found_commits_send_others_looking():
    looking = driver()
    looking.tell(on.Looked(P, 1, StoredRanges({"a": ranges((1, 5))})))
    assert looking.of(do.Commit)[-1] == do.Commit(P, 0, CommitMetadata("L", look=5).encode())
    again = driver(metadata=CommitMetadata("L", look=5).encode())
    assert again.of(do.Look) == [do.Look(P, 1, 0)]
    past = driver(offset=6, metadata=CommitMetadata("L", look=5).encode())
    assert past.of(do.Look) == []


@pytest.mark.parametrize("metadata", [CLAIM, CommitMetadata("L", drained=True).encode()])
def test_a_commit_of_ours_needs_no_look(metadata):
    assert driver(metadata=metadata).of(do.Look) == []


def test_a_look_that_fails_is_made_again_later_and_nothing_is_written_meanwhile():
    looking = driver()
    looking.tell(on.LookFailed(P, 1, TransientError("503"), terminal=False))
    assert looking.poll(0, "a") == []
    at = looking.machine.next_deadline()
    assert at is not None
    assert at > NOW
    assert kinds(looking.tell(on.Tick(), now=at), do.Look) == [do.Look(P, 2, 0)]
    assert opened(looking.tell(on.Looked(P, 1, StoredRanges()))) == [], "an answer to the look before"
    assert looking.machine.looking == {P}


def test_an_object_that_can_never_be_read_ends_the_task():
    looking = driver()
    said = looking.tell(on.LookFailed(P, 1, TerminalError("damaged"), terminal=True))
    assert [type(one) for one in said if isinstance(one, do.Fail)] == [do.Fail]
