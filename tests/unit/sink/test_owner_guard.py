"""One group at a time writes a topic: who owns it is noted once, by all members alike, and another group is refused."""

from __future__ import annotations

import json
import threading
import uuid

import pytest

from streamsink.archive.archive import Archive
from streamsink.archive.owners import release_topic, topic_owners
from streamsink.consume.protocol import CommittedOffset
from streamsink.errors import TerminalError
from streamsink.record import TopicPartition
from streamsink.sink.archive_guard import ArchiveGuard
from streamsink.sink.build import none_compacted
from streamsink.sink.core.ledger import CommitMetadata
from streamsink.sink.owner_guard import LOOK_AGAIN_S, OwnerGuard, Writer
from streamsink.sink.topic_guard import TopicGuard
from streamsink.testing.clock import SimClock
from streamsink.upload.memory import MemoryStore
from streamsink.upload.owner import Owners

P, Q = TopicPartition("logs", 0), TopicPartition("logs", 1)


class Member:
    """One task's guard, and what it warned of."""

    def __init__(self, store, group, layout="A", *, strict=True, topics_dir="topics"):
        self.clock = SimClock()
        self.warnings = {}
        writer = Writer(group, layout, strict)
        self.owners = OwnerGuard(store, topics_dir, writer, self.warnings.__setitem__, self.clock)
        topics = TopicGuard(store, topics_dir, lambda _topics: {}, none_compacted, self.clock)
        self.guard = ArchiveGuard(topics, self.owners, layout)

    def arrive(self, *metadata):
        self.guard.check({TopicPartition("logs", at): CommittedOffset(5, one) for at, one in enumerate(metadata)})


@pytest.fixture
def store():
    return MemoryStore(f"memory://{uuid.uuid4()}")


def history(store):
    return [(owner.group, owner.layout) for owner in Owners(store, "topics").history("logs")]


def test_the_first_writer_owns_a_topic_and_its_other_members_write_nothing(store):
    for _ in range(3):
        Member(store, "connect-a").arrive("")
    assert [info.name for info in store.list()] == ["_streamsink/owner/topics/logs/1.json"]
    record = json.loads(store.get("_streamsink/owner/topics/logs/1.json"))
    assert (record["group"], record["layout"]) == ("connect-a", "A")
    assert record["since"].endswith("Z")


def test_another_group_is_refused_with_who_owns_it_and_how_to_release_it(store):
    Member(store, "connect-a").arrive("")
    with pytest.raises(TerminalError, match="logs is archived here by group connect-a") as raised:
        Member(store, "connect-b").arrive("")
    assert f"streamsink archive owner {store.url}/topics --release logs" in raised.value.hint
    Member(store, "connect-b", topics_dir="other").arrive("")
    assert history(store) == [("connect-a", "A")]


def test_another_group_that_need_not_be_exact_is_warned_of_and_the_owner_stays(store):
    Member(store, "connect-a").arrive("")
    second = Member(store, "connect-b", layout="B", strict=False)
    second.arrive("")
    assert "group connect-a" in second.warnings["logs"]
    assert "stored twice" in second.warnings["logs"]
    assert history(store) == [("connect-a", "A")]
    release_topic(Archive(store, store.url, "topics/"), "logs", now_s=0)
    second.clock.advance(LOOK_AGAIN_S)
    second.arrive("")
    assert second.warnings == {"logs": ""}
    assert history(store) == [("connect-a", "A"), ("", ""), ("connect-b", "B")]


@pytest.mark.parametrize("before", ["", CommitMetadata("A", drained=True).encode(), CommitMetadata("B").encode()])
def test_a_drained_change_of_layout_is_the_next_record(store, before):
    Member(store, "connect-a", layout="A").arrive("")
    Member(store, "connect-a", layout="B").arrive(before)
    assert history(store) == [("connect-a", "A"), ("connect-a", "B")]


@pytest.mark.parametrize("before", [CommitMetadata("A"), CommitMetadata("A", {"x": 9}, drained=True)])
def test_a_layout_that_left_records_open_stays_noted_until_the_machine_has_judged(store, before):
    Member(store, "connect-a", layout="A").arrive("")
    second = Member(store, "connect-a", layout="B")
    second.arrive(CommitMetadata("A", drained=True).encode(), before.encode())
    assert history(store) == [("connect-a", "A")]
    second.clock.advance(LOOK_AGAIN_S)
    second.owners.check_again({"logs": True})
    assert history(store) == [("connect-a", "A")]
    second.clock.advance(LOOK_AGAIN_S)
    second.owners.check_again({"logs": False})
    assert history(store) == [("connect-a", "A"), ("connect-a", "B")]


def test_a_released_topic_is_its_next_writers_and_the_one_before_ends_within_a_minute(store):
    first, archive = Member(store, "connect-a"), Archive(store, store.url, "topics/")
    first.arrive("")
    release_topic(archive, "logs", now_s=0)
    release_topic(archive, "logs", now_s=1)
    first.clock.advance(LOOK_AGAIN_S)
    first.owners.check_again({"logs": False})
    assert history(store) == [("connect-a", "A"), ("", "")]
    Member(store, "connect-b").arrive("")
    first.owners.check_again({"logs": False})
    first.clock.advance(LOOK_AGAIN_S)
    with pytest.raises(TerminalError, match="group connect-b"):
        first.owners.check_again({"logs": False})
    assert [(one.topic, one.owner.group) for one in topic_owners(archive)] == [("logs", "connect-b")]


def test_of_many_topics_one_is_looked_at_a_time_and_none_twice_a_minute(store, monkeypatch):
    member = Member(store, "connect-a")
    topics = {f"t{number}": False for number in range(5)}
    member.owners.check(topics)
    looked, newest = [], Owners.newest
    monkeypatch.setattr(Owners, "newest", lambda self, topic: looked.append(topic) or newest(self, topic))
    member.owners.check(topics)
    member.owners.check_again(topics)
    assert looked == []
    member.clock.advance(LOOK_AGAIN_S)
    member.owners.check_again(topics)
    assert len(looked) == 1
    for _ in range(7):
        member.owners.check_again(topics)
    assert sorted(looked) == sorted(topics)


def test_of_two_groups_that_come_at_once_one_wins(store):
    ends, start = [], threading.Barrier(8)

    def arrive(group):
        start.wait(10)
        try:
            Member(store, group).arrive("")
        except TerminalError:
            ends.append((group, False))
        else:
            ends.append((group, True))

    threads = [threading.Thread(target=arrive, args=(f"connect-{at % 2}",)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    (winner,) = {group for group, won in ends if won}
    assert sorted(ends) == sorted([(winner, True)] * 4 + [(({"connect-0", "connect-1"} - {winner}).pop(), False)] * 4)
    assert history(store) == [(winner, "A")]


def test_a_damaged_record_stops_the_task_by_name(store):
    store.create("_streamsink/owner/topics/logs/1.json", b"{", {})
    with pytest.raises(TerminalError, match=r"_streamsink/owner/topics/logs/1\.json is damaged"):
        Member(store, "connect-a").arrive("")
