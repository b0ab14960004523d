"""Plugins, a converter and a format, in a running worker, from Kafka to objects and back."""

import json
import os
import subprocess
import sys

import pytest

from streamsink.upload.open import open_store
from tests.plugins import forget, install
from tests.servers.archive_reader import object_rows
from tests.servers.topics import read_topic
from tests.servers.worker import wait_until

COUNT = 500


@pytest.fixture
def environ(tmp_path, monkeypatch):
    """With the package installed, here as in the worker."""
    install(tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    forget()
    return {"PYTHONPATH": str(tmp_path / "site")}


def streamsink(environ, *arguments):
    argv = [sys.executable, "-m", "streamsink", *arguments]
    ended = subprocess.run(argv, env={**os.environ, **environ}, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_values_of_an_own_converter_are_archived_in_an_own_format_verified_and_replayed(
    kafka, worker, unique, tmp_path, environ
):
    kafka.create_topic(unique)
    values = [None if n % 100 == 0 else b"?" if n % 100 == 1 else b"n%d|%d" % (n, n) for n in range(COUNT)]
    producer = kafka.producer()
    for number, value in enumerate(values):
        producer.produce(unique, value, key=b"k%d" % number, partition=0)
    assert producer.flush(30) == 0
    archive, dead = (tmp_path / "archive").as_uri(), (tmp_path / "dead").as_uri()
    worker.connector(
        unique,
        {
            "topics": unique,
            "archive.url": archive,
            "archive.value": "both",
            "value.converter": "Pipes",
            "value.converter.fields": "name,n",
            "format.class": "my_package.arrows.ArrowStream",
            "format.compression": "zstd",
            "flush.size": "200",
            "rotate.age.ms": "500",
            "errors.tolerance": "all",
            "errors.deadletter.url": dead,
            "exactly.once": "required",
        },
    )
    worker.start(**environ)
    wait_until(
        "it is all committed",
        lambda: kafka.committed(f"connect-{unique}", unique).get(0, (0, ""))[0] == COUNT,
        worker=worker,
    )
    plugins = {(one["class"], one["type"]) for one in worker.get("/connector-plugins?connectorsOnly=false")}
    assert {("my_package.pipes.Pipes", "converter"), ("my_package.arrows.ArrowStream", "format")} <= plugins
    assert worker.terminate() == 0
    store = open_store(archive, {})
    names = [info.name for info in store.list("topics/")]
    assert all(name.endswith(".arrows") for name in names)
    rows = sorted((row for name in names for row in object_rows(store, name)), key=lambda row: row["_kafka"]["offset"])
    kept = [number for number, value in enumerate(values) if value != b"?"]
    assert [row["_kafka"]["offset"] for row in rows] == kept
    assert [row["name"] for row in rows] == [None if values[n] is None else f"n{n}" for n in kept]
    dead_store = open_store(dead, {})
    bad = [row["_kafka"]["offset"] for info in dead_store.list() for row in object_rows(dead_store, info.name)]
    assert sorted(bad) == [1, 101, 201, 301, 401]
    assert streamsink(environ, "archive", "verify", f"{archive}/topics", "--json")["records"] == len(kept)
    target = f"{unique}-again"
    kafka.create_topic(target)
    more = ("--to", target, "--bootstrap-server", kafka.bootstrap, "--json")
    assert streamsink(environ, "replay", f"{archive}/topics", *more)["records"] == len(kept)
    assert [(key, value) for _, _, _, key, value, _ in read_topic(kafka, target)[0]] == [
        (b"k%d" % n, values[n]) for n in kept
    ]
