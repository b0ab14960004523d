"""One topic, archived by a real worker into every kind of store: the store's URL and options are all that differs."""

import json
import os
import subprocess
import sys

import pytest

from streamsink.testing.http_faults import FaultProxy
from streamsink.upload.open import open_store
from tests.contract.backends import BACKENDS
from tests.servers.archive_reader import archived_records
from tests.servers.topics import fill_awkwardly, read_topic
from tests.servers.worker import wait_until

RECORDS = int(os.environ.get("STREAMSINK_STORE_RECORDS", "9000"))
SHARE_FAILING = 0.2


@pytest.fixture(scope="module")
def topic(kafka):
    """A topic of awkward records, and what is in it."""
    kafka.create_topic("every-store", 3)
    fill_awkwardly(kafka, "every-store", RECORDS, partitions=3)
    return "every-store", read_topic(kafka, "every-store")


def at_end(kafka, group, topic):
    ends = {partition: end for partition, end in kafka.end_offsets(topic).items() if end}
    return {partition: at for partition, (at, _) in kafka.committed(group, topic).items() if at} == ends


def connector(topic, url, options, **keys):
    return {
        "topics": topic,
        "archive.url": url,
        **{f"archive.option.{key}": value for key, value in options.items()},
        "flush.size": "700",
        "rotate.age.ms": "1000",
        "exactly.once": "required",
        **keys,
    }


def archive_command(*arguments, options=(), timeout_s=90):
    told = [word for key, value in dict(options).items() for word in ("--option", f"{key}={value}")]
    command = [sys.executable, "-m", "streamsink", *arguments, *told]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)


def without_offsets(records):
    return {partition: [record[1:] for record in found] for partition, found in records.items() if found}


def assert_archived(url, options, truth):
    store = open_store(url, options)
    stored = archived_records(store)
    store.close()
    for partition, wanted in truth.items():
        assert sorted(stored[partition], key=lambda record: record[0]) == wanted
    assert sum(map(len, stored.values())) == sum(map(len, truth.values()))
    verified = archive_command("archive", "verify", f"{url}/topics", "--json", options=options)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    verdict = json.loads(verified.stdout)
    assert (verdict["sound"], verdict["records"]) == (True, sum(map(len, truth.values())))


@pytest.mark.parametrize("kind", [kind for kind in BACKENDS if kind not in {"memory", "gcs", "weed_webdav"}])
def test_what_is_archived_comes_back_from_every_store_and_replays(kafka, worker, topic, unique, kind, request):
    name, truth = topic
    backend = BACKENDS[kind](request)
    url = f"{backend.url}/{unique}"
    worker.connector(unique, connector(name, url, backend.options))
    worker.start()
    group = f"connect-{unique}"
    wait_until("the group stands at the end", lambda: at_end(kafka, group, name), timeout_s=120, worker=worker)
    assert worker.terminate() == 0
    assert_archived(url, backend.options, truth)
    again = f"{unique}-again"
    arguments = ("--to", again, "--create-topic", "--bootstrap-server", kafka.bootstrap)
    replayed = archive_command("replay", f"{url}/topics", *arguments, options=backend.options)
    assert replayed.returncode == 0, replayed.stderr
    assert without_offsets(read_topic(kafka, again)) == without_offsets(truth)


@pytest.mark.parametrize(("kind", "format_class"), [("s3", "parquet"), ("wsgidav", "jsonl"), ("azure", "raw")])
def test_with_a_fifth_of_all_calls_failing_each_record_is_stored_once_and_the_task_runs(
    kafka, worker, topic, unique, kind, format_class, request
):
    name, truth = topic
    backend = BACKENDS[kind](request)
    proxy = FaultProxy(backend.port)
    request.addfinalizer(proxy.stop)
    url, options = backend.at(proxy.port)
    url = f"{url}/{unique}"
    worker.connector(unique, connector(name, url, options, **{"format.class": format_class, "flush.size": "400"}))
    proxy.rain(SHARE_FAILING, seed=7)
    worker.start()
    group, states = f"connect-{unique}", set()

    def stored():
        states.add(worker.task(unique).get("state"))
        return at_end(kafka, group, name)

    wait_until(
        "the group stands at the end", stored, timeout_s=int(os.environ.get("STREAMSINK_RAIN_S", "200")), worker=worker
    )
    assert states <= {None, "UNASSIGNED", "RUNNING"}
    assert worker.terminate() == 0
    proxy.rain(0, seed=0)
    suffered = proxy.suffered
    print(f"{kind}: {suffered.total()} of {len(proxy.requests)} calls failed, in {len(suffered)} ways")
    assert suffered.total() > 0.15 * len(proxy.requests)
    assert_archived(f"{backend.url}/{unique}", backend.options, truth)
