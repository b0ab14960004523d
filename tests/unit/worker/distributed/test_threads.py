"""A distributed worker whose thread dies is not live; one whose clients can't be made ends with a hint."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import pytest

from streamsink.config.reading.files import load_worker
from streamsink.errors import TerminalError
from streamsink.worker.distributed.bulletin import Bulletin
from streamsink.worker.distributed.herder import DistributedHerder
from streamsink.worker.distributed.log import KafkaLog
from streamsink.worker.distributed.member import GroupMember
from streamsink.worker.distributed.settings import read_settings
from tests.unit.worker.conftest import eventually, supervise_quickly

BAD_TLS = {
    "bootstrap.servers": "127.0.0.1:1",
    "group.id": "g",
    "security.protocol": "SSL",
    "ssl.ca.location": "/nonexistent/ca.pem",
}


@pytest.fixture
def herder():
    settings = read_settings({"bootstrap.servers": "127.0.0.1:1", "group.id": "g"})
    return DistributedHerder(settings, plan=lambda _: None, supervise=supervise_quickly, worker_id="a:1")


def test_a_worker_with_a_bad_tls_file_ends_with_a_hint(tmp_path):
    config = tmp_path / "worker.properties"
    config.write_text("".join(f"{key}={value}\n" for key, value in BAD_TLS.items()) + "listeners=http://127.0.0.1:0\n")
    done = subprocess.run(
        [sys.executable, "-m", "streamsink", "worker", "--config", str(config)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in {1, 2}
    assert "ssl.ca.location" in done.stderr
    assert "look at the keys for Kafka's clients" in done.stderr
    assert "Traceback" not in done.stderr


def test_clients_that_can_not_be_made_end_the_bulletin_for_good():
    bulletin = Bulletin(read_settings(BAD_TLS))
    bulletin.start()
    eventually(lambda: bulletin.fatal is not None)
    assert isinstance(bulletin.fatal, TerminalError)
    bulletin.stop()


def test_a_reader_of_a_topic_that_dies_makes_the_worker_not_live(herder):
    log = KafkaLog("configs", range(1), {"bootstrap.servers": "127.0.0.1:1"}, print)

    class Breaks:
        def poll(self, _timeout_s):
            raise SystemError("librdkafka is gone")

    log.start()
    log._producer = Breaks()
    herder._bulletin._logs = (log,)
    eventually(lambda: not herder.live().ok)
    assert herder.live().problems == ("thread log-configs has died: SystemError: librdkafka is gone",)
    log._producer = None
    log.stop(until_s=time.monotonic() + 5)


def test_a_member_that_dies_owns_nothing_and_makes_the_worker_not_live(herder):
    let_go = threading.Event()
    member = GroupMember("slots", "g", {**BAD_TLS, "security.protocol": "ssl"}, lambda _: let_go.set())
    member._slots = frozenset({1})
    herder._member = member
    assert herder.live().ok
    member.start()
    eventually(lambda: not herder.live().ok)
    assert herder.live().problems[0].startswith("thread group-member has died: TerminalError: a Kafka client")
    eventually(lambda: member.slots == frozenset())
    assert "ssl.ca.location" in member.problem


def test_load_worker_takes_the_bad_file_as_it_comes(tmp_path):
    config = tmp_path / "worker.properties"
    config.write_text("".join(f"{key}={value}\n" for key, value in BAD_TLS.items()))
    assert load_worker(config, {}).distributed


def test_a_client_that_never_ends_holds_no_stop_up():
    log = KafkaLog("configs", range(1), {"bootstrap.servers": "127.0.0.1:1"}, print)
    log.start()
    log.stop(until_s=time.monotonic() + 5)
    held = threading.Event()

    class Stuck:
        def flush(self, timeout_s):
            held.wait(timeout_s)

        def close(self):
            held.wait(60)

    log._producer = log._consumer = Stuck()
    began_s = time.monotonic()
    log.stop(until_s=began_s + 0.3)
    assert time.monotonic() - began_s < 5
    held.set()
