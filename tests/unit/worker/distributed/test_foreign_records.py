"""Whatever others write to the worker's own topics, its tables live, and what they tell can be shown and used."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamsink.errors import StreamsinkError
from streamsink.rest import shapes
from streamsink.worker.distributed.config_topic import ConfigTable
from streamsink.worker.distributed.log import KafkaLog
from streamsink.worker.distributed.progress import read_progress
from streamsink.worker.distributed.records import read_record
from streamsink.worker.distributed.slots import SlotsTable, pin_record, slots_record
from streamsink.worker.distributed.status_topic import StatusTable, task_key
from streamsink.worker.status import State, TaskStatus

DEEP = b"[" * 100_000 + b"]" * 100_000
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([*State, 10**400, 1e308]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = (
    *("state", "state.v2", "trace", "worker_id", "generation", "version", "definition", "properties", "level"),
    *("slots", "slot", "worker", "asked", "problem", "topic", "schema", "payload", "include-tasks", "only-failed"),
)
RECORDS = st.dictionaries(st.sampled_from(NAMES), ANY_JSON, max_size=6)
TELLING = {
    "assigned": True,
    "guarantee": "x",
    **dict.fromkeys(("records_total", "bytes_total", "bad_records_total", "objects_stored_total"), 1),
    **dict.fromkeys(("bytes_stored_total", "objects_adopted_total", "upload_retries_total", "commits_total"), 1),
    **dict.fromkeys(("last_commit_ms", "memory_bytes", "memory_bytes_max"), 1),
    "retrying": "",
    "worker_id": "a:1",
    "at_ms": 1,
}
PARTITION = {"topic": "t", "partition": 0, "position": 1, "frontier": 1, "committed": None, "end": 2, "open_files": 0}
PARTITION |= {"waiting_files": 0, "paused": False, "oldest_unstored_s": 0.5}
PROGRESS = st.tuples(
    st.dictionaries(st.sampled_from(sorted(TELLING)), ANY_JSON, max_size=2),
    st.dictionaries(st.sampled_from(sorted(PARTITION)), ANY_JSON, max_size=2),
).map(lambda wrong: {**TELLING, **wrong[0], "partitions": [{**PARTITION, **wrong[1]}]})


def values(shapes_of_json):
    texts = shapes_of_json.map(lambda content: json.dumps(content).encode())
    return st.none() | st.binary(max_size=40) | texts | st.just(DEEP) | st.just(b'{"a":' * 5000 + b"1" + b"}" * 5000)


def keys(*prefixes):
    names = st.text(max_size=6).map(lambda text: text.encode("utf-8", "surrogatepass"))
    return (
        st.none() | st.binary(max_size=20) | st.tuples(st.sampled_from(prefixes), names | st.just(b"a-0")).map(b"".join)
    )


@given(keys(b"connector-", b"target-state-", b"restart-connector-", b"logger-cluster-"), values(RECORDS | ANY_JSON))
def test_any_record_of_the_config_topic_is_read_or_skipped(key, value):
    table = ConfigTable()
    change = read_record(key, value)
    if change is not None:
        table.apply(change)
    for definition in table.definitions.values():
        json.dumps(dict(definition.shown), ensure_ascii=False).encode()
        definition.name.encode()


@given(
    keys(b"status-connector-", b"status-task-", b"status-topic-", b"progress-task-"),
    values(RECORDS | ANY_JSON | PROGRESS),
)
def test_any_record_of_the_status_topic_is_read_or_skipped(key, value):
    table = StatusTable()
    table.apply(key, value)
    for name in table.connectors():
        for number, kept in table.tasks(name).items():
            task_key(name, number).encode()
            json.dumps([kept.worker_id, kept.trace, kept.version], ensure_ascii=False).encode()


@given(values(PROGRESS))
def test_any_progress_that_is_read_can_be_shown(value):
    found = read_progress(value)
    if found is not None:
        age_s = time.time() - found.at_ms / 1000
        status = TaskStatus("a", 0, State.RUNNING, found.worker_id, "1", snapshot=found.snapshot, report_age_s=age_s)
        json.dumps(shapes.task_status(status), allow_nan=False, ensure_ascii=False).encode()


def test_a_progress_of_ours_is_read():
    assert read_progress(json.dumps({**TELLING, "partitions": [PARTITION]}).encode()) is not None
    assert read_progress(json.dumps({**TELLING, "partitions": [{**PARTITION, "end": "2"}]}).encode()) is None


SLOT_KEYS = st.one_of(
    st.none(),
    st.binary(max_size=20),
    st.just(DEEP),
    st.tuples(
        st.sampled_from(["worker", "pin", "lock", "restart", "flush", "flushed"]),
        st.text(max_size=4) | st.just("\ud800") | ANY_JSON,
        st.integers() | st.text(max_size=4) | ANY_JSON,
    ).map(lambda parts: json.dumps(parts).encode()),
)


@given(SLOT_KEYS, values(RECORDS | ANY_JSON))
def test_any_record_of_the_slots_topic_is_read_or_skipped(key, value):
    table = SlotsTable()
    table.apply(key, value, 1.0)
    for task, slot in table.pins.items():
        pin_record(task, slot)[0].encode()
    for worker in (*table.owners().values(), *table.silent()):
        slots_record(worker, None)[0].encode()


@pytest.mark.parametrize("value", [b'{"state":["x"]}', b'{"state":{}}', b'{"state":1}', DEEP, b"\xff"])
def test_a_status_of_other_types_is_none_of_ours(value):
    table = StatusTable()
    table.apply(b"status-task-a-0", value)
    assert table.tasks("a") == {}
    assert table.unreadable_total == 1


class Told:
    """A message as librdkafka hands it over."""

    def __init__(self, offset, value):
        self._offset, self._value = offset, value

    def partition(self):
        return 0

    def offset(self):
        return self._offset

    def error(self):
        return None

    def key(self):
        return b"k"

    def value(self):
        return self._value


def test_a_record_that_its_reader_chokes_on_is_skipped_counted_and_logged_once(capsys):
    read = []

    def apply(_key, value):
        if value == b"bad":
            raise RecursionError("too deep")
        read.append(value)

    log = KafkaLog("t", range(1), {}, apply)
    for offset, value in enumerate([b"a", b"bad", b"b", b"bad", b"c"]):
        log._take(Told(offset, value))
    assert read == [b"a", b"b", b"c"]
    assert log.unreadable_total == 2
    assert capsys.readouterr().out.count("can't be read and is skipped") <= 1
    assert log._read_up_to == {0: 5}


def test_what_kafka_refuses_is_one_of_our_errors():
    log = KafkaLog("t", range(1), {"bootstrap.servers": "127.0.0.1:1", "ssl.ca.location": "/nonexistent"}, print)
    log._properties["security.protocol"] = "ssl"
    with pytest.raises(StreamsinkError, match="ssl") as raised:
        log.start()
    assert raised.value.hint
