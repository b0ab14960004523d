import json

from streamsink.worker.distributed.status_topic import (
    KeptStatus,
    StatusTable,
    connector_key,
    same_told,
    status_value,
    task_key,
    topic_key,
    topic_value,
)
from streamsink.worker.status import State

RUNNING = KeptStatus(State.RUNNING, "h:1", version="1", definition="abc")


def test_a_status_has_connects_fields():
    content = json.loads(status_value(KeptStatus(State.FAILED, "h:1", "why", "1")))
    assert content == {"state": "FAILED", "trace": "why", "worker_id": "h:1", "generation": 0, "version": "1"}


def test_what_is_written_is_read_back():
    table = StatusTable()
    table.apply(connector_key("a-1").encode(), status_value(KeptStatus(State.FAILED, "h:1", "why", "1")))
    table.apply(task_key("a-1", 2).encode(), status_value(RUNNING))
    assert table.connector("a-1") == KeptStatus(State.FAILED, "h:1", "why", "1")
    assert table.tasks("a-1") == {2: RUNNING}
    table.apply(task_key("a-1", 2).encode(), None)
    assert table.tasks("a-1") == {}


def test_connects_own_statuses_are_read_and_never_count_as_a_process_of_ours():
    table = StatusTable()
    table.apply(b"status-task-a-0", b'{"state":"RUNNING","trace":null,"worker_id":"jvm:8083","generation":4}')
    kept = table.tasks("a")[0]
    assert (kept.state, kept.worker_id, kept.generation, kept.live) == (State.RUNNING, "jvm:8083", 4, False)


def test_topics_are_kept_until_they_are_reset():
    table = StatusTable()
    for topic in ("t:1", "u"):
        assert table.apply(topic_key("a", topic).encode(), topic_value("a", topic, 0, 5)) is None
    assert table.topics("a") == {"t:1", "u"}
    assert table.apply(topic_key("a", "u").encode(), None) == "a"
    assert table.topics("a") == {"t:1"}


def test_what_is_no_status_is_left_alone():
    table = StatusTable()
    for key, value in [
        (None, None),
        (b"", b"{}"),
        (b"status-task-a", b"{}"),
        (b"status-task-a-0", b"x"),
        (b"\xff", None),
    ]:
        table.apply(key, value)
    assert table.connectors() == frozenset()


def test_generations_make_no_difference():
    assert same_told(KeptStatus(State.RUNNING, "h", generation=1), KeptStatus(State.RUNNING, "h", generation=2))
    assert not same_told(None, RUNNING)
