from __future__ import annotations

import uuid

import pytest
from structlog.testing import capture_logs

from streamsink.errors import TerminalError
from streamsink.sink.build import no_ids, none_compacted
from streamsink.sink.topic_guard import ASK_AGAIN_S, TopicGuard
from streamsink.upload.memory import MemoryStore


@pytest.fixture
def archive():
    return MemoryStore(f"memory://{uuid.uuid4()}")


def guard(archive, *, topics_dir="topics", **ids):
    known = lambda topics: {topic: ids[topic] for topic in topics if topic in ids}  # noqa: E731
    return TopicGuard(archive, topics_dir, known, none_compacted)


def test_a_topic_is_noted_once_and_known_again_by_others(archive):
    guard(archive, logs="a").check(["logs"])
    guard(archive, logs="a").check(["logs"])
    assert [info.name for info in archive.list()] == ["_streamsink/topic/topics/logs.json"]


def test_a_topic_of_another_id_is_refused_with_both_ids_and_the_ways_out(archive):
    guard(archive, logs="a").check(["logs"])
    with pytest.raises(TerminalError, match=r"id a, this one's is b") as raised:
        guard(archive, logs="b").check(["logs"])
    assert "topics.dir" in raised.value.hint
    assert "_streamsink/topic/topics/logs.json" in raised.value.hint
    guard(archive, topics_dir="anew", logs="b").check(["logs"])


def test_a_topic_made_anew_under_a_running_task_is_noticed_within_a_minute(archive):
    ids = {"logs": "a"}
    running = TopicGuard(archive, "topics", lambda _: ids, none_compacted)
    running.check(["logs"])
    ids["logs"] = "b"
    running.check_again(["logs"])
    running._ask_at_s -= ASK_AGAIN_S
    with pytest.raises(TerminalError):
        running.check_again(["logs"])


def test_topics_that_brokers_have_no_id_for_are_let_through(archive):
    guard(archive).check(["logs"])
    assert list(archive.list()) == []


def test_a_topic_that_brokers_tell_no_policy_of_is_taken_for_compacted_and_that_is_said_once(archive):
    policies = {"logs": False, "users": True}
    asking = TopicGuard(
        archive, "topics", no_ids, lambda topics: {name: policies[name] for name in topics & {*policies}}
    )
    with capture_logs() as said:
        assert asking.compacted(["logs", "users", "denied"]) == {"users", "denied"}
        assert asking.compacted(["logs", "denied"]) == {"denied"}
    assert [line["topic"] for line in said] == ["denied"]
    assert "DescribeConfigs" in said[0]["hint"]
