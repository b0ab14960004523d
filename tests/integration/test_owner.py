"""Two real connectors on one archive: the second one is refused, or warned of, until the topic is released to it."""

import json
import subprocess
import sys
import threading

import pytest

from streamsink.archive.open import open_archive
from streamsink.archive.verify import verify_archive
from streamsink.config.reading.connector import parse_sink
from streamsink.errors import TerminalError
from streamsink.sink.build import run_sink_task
from streamsink.worker.child import TaskSpec
from streamsink.worker.connectivity import reach_store
from tests.servers.archives import archive_topic

RECORDS = 600
OTHER = {
    "partitioner_class": "field",
    "partition_field_name": "level",
    "value_converter": "json",
    "value_converter_schemas_enable": "false",
}


@pytest.fixture
def archived(kafka, unique, tmp_path):
    kafka.create_topic(unique, partitions=1)
    producer = kafka.producer()
    for at in range(RECORDS):
        producer.produce(unique, json.dumps({"level": f"L{at % 3}", "n": at}))
    assert producer.flush(60) == 0
    archive_topic(kafka, unique, tmp_path.as_uri(), name=f"first-{unique}", exactly_once="required")
    return tmp_path.as_uri()


def owner(archive, *arguments):
    command = [sys.executable, "-m", "streamsink", "archive", "owner", f"{archive}/topics", "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)["owners"]


def second(kafka, topic, archive, exactly_once):
    """What the check of the store, as `validate` makes it, tells of a second connector."""
    config = {
        "name": f"second-{topic}",
        "connector.class": "streamsink.ArchiveSink",
        "topics": topic,
        "archive.url": archive,
        "exactly.once": exactly_once,
    }
    told = []
    spec = TaskSpec("validate", 0, config, {"bootstrap.servers": kafka.bootstrap}, reach_store)
    reach_store(spec, threading.Event(), lambda snapshot: told.append(snapshot.warning))
    return told


def test_a_second_connector_is_refused_until_the_topic_is_released(kafka, unique, archived):
    with pytest.raises(TerminalError, match=f"archived here by group connect-first-{unique}") as raised:
        archive_topic(kafka, unique, archived, name=f"second-{unique}", exactly_once="required", **OTHER)
    assert f"--release {unique}" in raised.value.hint
    with pytest.raises(TerminalError, match=f"group connect-first-{unique}"):
        second(kafka, unique, archived, "required")
    assert [(one["topic"], one["group"]) for one in owner(archived)] == [(unique, f"connect-first-{unique}")]
    assert owner(archived, "--release", unique)[0]["released"]
    assert second(kafka, unique, archived, "required") == []
    archive_topic(kafka, unique, archived, name=f"second-{unique}", exactly_once="required", **OTHER)
    assert owner(archived)[0]["group"] == f"connect-second-{unique}"
    assert len(owner(archived)[0]["history"]) == 3
    verdict = verify_archive(open_archive(f"{archived}/topics", {}))
    assert (verdict.sound, verdict.records) == (True, RECORDS)


def test_where_exactly_once_is_only_preferred_a_second_connector_is_warned_of(kafka, unique, archived):
    (warning,) = second(kafka, unique, archived, "preferred")
    assert f"group connect-first-{unique}" in warning
    assert "stored twice" in warning
    warned = []
    raw = {
        "name": f"second-{unique}",
        "connector.class": "streamsink.ArchiveSink",
        "topics": unique,
        "archive.url": archived,
    }
    config, _ = parse_sink(raw, {"bootstrap.servers": kafka.bootstrap})
    run_sink_task(config, task_id=0, stop=_UntilSaid(warned), report=lambda snapshot: warned.append(snapshot.warning))
    assert f"group connect-first-{unique}" in warned[-1]
    assert owner(archived)[0]["group"] == f"connect-first-{unique}"


class _UntilSaid:
    """Set once a warning was told, or after too long."""

    def __init__(self, warned):
        self._warned = warned
        self._asked = 0

    def is_set(self):
        self._asked += 1
        return any(self._warned) or self._asked > 600
