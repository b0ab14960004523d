"""Storj natively, on a real network: a sink's archive, and what goes wrong there."""

import os
import socket
import subprocess
import sys
import threading
import time

import pytest

from streamsink.errors import AlreadyExistsError, ConfigError, TerminalError, TransientError
from streamsink.upload.open import open_store
from streamsink.upload.storj import library
from streamsink.upload.storj import project as uplink
from streamsink.upload.storj.deadline import within
from tests.servers.archive_reader import archived_records
from tests.servers.storj.network import StorjNetwork
from tests.servers.topics import fill_awkwardly, read_topic
from tests.servers.worker import WorkerServer, wait_until


@pytest.fixture
def place(storj, unique):
    return f"sj://bucket-{unique}/kafka", storj.options


@pytest.fixture
def own_network(tmp_path):
    """A network that a test may harm."""
    network = StorjNetwork(tmp_path)
    yield network
    network.stop()


def test_a_sink_archives_a_topic_and_it_verifies(storj, kafka, tmp_path, unique, place):
    kafka.create_topic(unique, 2)
    fill_awkwardly(kafka, unique, 2000, partitions=2)
    url, options = place
    worker = WorkerServer(tmp_path, kafka.bootstrap)
    credentials = {"satellite", "api_key", "passphrase"}
    worker.connector(
        unique,
        {
            "topics": unique,
            "archive.url": url,
            "archive.option.access_grant": "${env:GRANT}",
            "rotate.age.ms": "500",
            "exactly.once": "required",
        },
    )
    worker.start(GRANT=options["access_grant"])
    ends = kafka.end_offsets(unique)

    def committed():
        return {partition: at for partition, (at, _) in kafka.committed(f"connect-{unique}", unique).items()}

    try:
        wait_until("all is stored", lambda: committed() == ends, worker=worker)
        assert worker.terminate() == 0
    finally:
        if worker.running:
            worker.kill()
    stored = archived_records(open_store(url, options))
    assert {partition: sorted(rows) for partition, rows in stored.items()} == read_topic(kafka, unique)
    argv = [sys.executable, "-m", "streamsink", "archive", "verify", f"{url}/topics"]
    argv += ["--option", f"access_grant={options['access_grant']}"]
    verified = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert verified.returncode == 0, verified.stderr
    assert not [word for word in credentials if f"{word}=" in worker.log()]
    assert options["access_grant"] not in worker.log() + verified.stdout + verified.stderr


def test_an_api_key_with_satellite_and_passphrase_does_as_well(storj, unique):
    known = {"satellite": storj.access["satellite"], "api_key": storj.access["api_key"]}
    store = open_store(f"sj://bucket-{unique}", {**known, "passphrase": "a long one"})
    store.create("a", b"encrypted with it", {})
    assert store.get("a") == b"encrypted with it"
    other = open_store(f"sj://bucket-{unique}", {**known, "passphrase": "another one"})
    assert list(other.list()) == []
    assert other.head("a") is None
    other.close()
    store.close()


def test_the_grant_that_creates_can_not_delete_even_where_ours_may(place):
    store = open_store(*place)
    store.create("once", b"first", {})
    with pytest.raises(AlreadyExistsError):
        store.create("once", b"second", {})
    with pytest.raises(uplink.UplinkError):
        store._project().delete(place[0].split("/")[2], "kafka/once")
    assert store.get("once") == b"first"
    store.delete("once")
    assert store.head("once") is None
    store.close()


def test_objects_expire_when_told_to(place):
    url, options = place
    store = open_store(url, {**options, "expires_after": "3s"})
    store.create("short-lived", b"x", {})
    assert store.get("short-lived") == b"x"
    time.sleep(4)
    assert store.head("short-lived") is None
    store.close()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"access_grant": "g", "api_key": "k"},
        {"api_key": "k", "satellite": "s"},
        {"access_grant": "g", "expires_after": "soon"},
        {"access_grant": "g", "grant": "h"},
    ],
)
def test_options_that_can_not_work_are_refused_before_anything_is_asked(options):
    with pytest.raises(ConfigError):
        open_store("sj://bucket", options)


def test_a_grant_that_is_none_is_a_terminal_error_without_it(unique):
    with pytest.raises(TerminalError) as raised:
        open_store("sj://bucket", {"access_grant": "canary-grant"}).head("a")
    assert "canary-grant" not in str(raised.value)
    assert raised.value.hint


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"api_key": "canary-key"}, "API key"),
        ({"satellite": "127.0.0.1:9"}, "archive.option.satellite"),
        ({"satellite": "no-id@127.0.0.1:9"}, "archive.option.satellite"),
    ],
)
def test_misspelt_credentials_are_terminal_errors_without_them(storj, wrong, hint):
    known = {"satellite": storj.access["satellite"], "api_key": storj.access["api_key"], "passphrase": "canary-phrase"}
    with pytest.raises(TerminalError) as raised:
        open_store("sj://bucket", {**known, **wrong}).head("a")
    assert "canary" not in str(raised.value)
    assert hint in raised.value.hint


def test_a_satellite_that_accepts_and_says_nothing_holds_up_neither_calls_nor_closing(storj):
    identity = storj.access["satellite"].partition("@")[0]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"{identity}@127.0.0.1:{silent.getsockname()[1]}"
        known = {"satellite": address, "api_key": storj.access["api_key"], "passphrase": "p", "timeout_s": "0.3"}
        store = open_store("sj://bucket", known)
        began_s = time.monotonic()
        for _ in range(3):
            with pytest.raises(TransientError):
                store.create("a", b"x", {})
        store.close()
        assert time.monotonic() - began_s < 5


def test_a_revoked_grant_is_a_terminal_error(storj, unique):
    bucket = f"bucket-{unique}"
    granted = uplink.derive_create_only(storj.options["access_grant"], bucket)
    store = open_store(f"sj://{bucket}", {"access_grant": granted})
    store.create("a", b"x", {})
    storj.order(f"revoke {granted}")
    with pytest.raises(TerminalError, match="revoked|denied|nauthenticated") as raised:
        open_store(f"sj://{bucket}", {"access_grant": granted}).create("b", b"x", {})
    assert raised.value.hint
    store.close()


def test_a_storage_node_that_stops_harms_nothing(own_network):
    store = open_store("sj://bucket", own_network.options)
    data = os.urandom(1_000_000)
    store.create("before", data, {})
    own_network.order("stop-node 0")
    store.create("after", data, {})
    assert store.get("before") == store.get("after") == data
    store.close()


def test_an_exhausted_quota_is_tried_again_and_says_so(own_network):
    own_network.order("limit 200000")
    store = open_store("sj://bucket", own_network.options)
    store.create("small", b"x", {})

    def fill():
        for number in range(20):
            store.create(f"large-{number}", os.urandom(100_000), {})

    with pytest.raises(TransientError, match="limit") as raised:
        fill()
    assert "limit" in raised.value.hint
    store.close()


def test_a_satellite_that_goes_is_a_transient_error_within_the_timeout(tmp_path):
    network = StorjNetwork(tmp_path)
    store = open_store("sj://bucket", {**network.options, "timeout_s": "5"})
    store.create("before", b"x", {})
    network.stop()
    began_s = time.monotonic()
    with pytest.raises(TransientError) as raised:
        store.create("after", b"x", {})
    assert time.monotonic() - began_s < 15
    assert raised.value.hint
    store.close()


def test_a_call_that_hangs_is_given_up_and_told_to_end():
    told = threading.Event()
    with pytest.raises(TransientError, match="no answer within"):
        within(0.1, lambda: told.wait(10), doing="waiting", give_up=told.set)
    assert told.is_set()


def test_the_library_is_not_loaded_by_opening_a_store_nor_by_the_worker():
    script = (
        "from streamsink.upload.open import open_store\n"
        "import streamsink.cli.worker, streamsink.worker.process\n"
        "open_store('sj://bucket', {'access_grant': 'g'})\n"
        "assert 'libuplink' not in open('/proc/self/maps').read()\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_elsewhere_than_linux_on_x86_64_the_error_points_to_the_gateway(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    library.load.cache_clear()
    with pytest.raises(TerminalError, match="Linux on x86-64") as raised:
        open_store("sj://bucket", {"access_grant": "g"}).head("a")
    assert "S3 gateway" in raised.value.hint
    library.load.cache_clear()
