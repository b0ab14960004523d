"""`streamsink.ArchiveSource` in a real standalone worker: an archive goes back, and what comes to it later."""

import pytest

from streamsink.upload.local import LocalStore
from tests.servers.topics import read_topic
from tests.servers.worker import WorkerServer, wait_until
from tests.unit.archive.made import put


@pytest.fixture
def worker(kafka, tmp_path):
    server = WorkerServer(tmp_path / "worker", kafka.bootstrap)
    yield server
    if server.running:
        server.kill()


def keys(kafka, topic):
    return {
        partition: [int(record[3].removeprefix(b"key-")) for record in rows]
        for partition, rows in read_topic(kafka, topic).items()
        if rows
    }


def define(worker, name, archive, **config):
    keys = {key.replace("_", "."): value for key, value in config.items()}
    worker.connector(
        name,
        {
            "connector.class": "streamsink.ArchiveSource",
            "archive.url": archive.as_uri(),
            "target.topic": "new-${topic}",
            "poll.interval.ms": "300",
            **keys,
        },
    )


def test_two_tasks_replay_an_archive_and_go_on_with_what_comes(kafka, worker, unique, tmp_path):
    target = f"new-{unique}"
    kafka.create_topic(target, 3)
    store = LocalStore(tmp_path / "archive")
    for partition in (0, 1, 2):
        put(store, range(0, 200, 2), topic=unique, partition=partition, encoded="lane=even")
    define(worker, unique, tmp_path / "archive", mode="continuous", tasks_max="2", source_topics=unique)
    worker.start()
    even = list(range(0, 200, 2))
    wait_until("all is there", lambda: keys(kafka, target) == {0: even, 1: even, 2: even}, worker=worker)
    # An object of a slower lane begins before what was replayed already.
    put(store, range(1, 300, 2), topic=unique, encoded="lane=odd")
    put(store, range(200, 300, 2), topic=unique, encoded="lane=even")
    late = sorted([*range(1, 300, 2), *range(200, 300, 2)])
    wait_until("late ones are there", lambda: sorted(keys(kafka, target)[0][100:]) == late, worker=worker)
    offsets = worker.get(f"/connectors/{unique}/offsets")
    assert {one["partition"]["archived_partition"]: one["offset"] for one in offsets["offsets"]} == {
        0: {"offset": 300},
        1: {"offset": 199},
        2: {"offset": 199},
    }
    assert worker.get("/connectors")[0] == unique
    assert worker.get(f"/connectors/{unique}/status")["type"] == "source"
    before = keys(kafka, target)
    assert worker.terminate() == 0
    put(store, range(200, 210), topic=unique, partition=2, encoded="lane=even")
    worker.start()
    wait_until("it goes on", lambda: keys(kafka, target)[2][100:] == list(range(200, 210)), worker=worker)
    after = keys(kafka, target)
    assert (after[0], after[1]) == (before[0], before[1])
    assert worker.terminate() == 0


def test_a_corrupt_object_fails_the_task_and_names_it(kafka, worker, unique, tmp_path):
    kafka.create_topic(f"new-{unique}", 1)
    store = LocalStore(tmp_path / "archive")
    put(store, range(100), topic=unique)
    path = next((tmp_path / "archive/topics").rglob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-9])
    define(worker, unique, tmp_path / "archive")
    worker.start()
    wait_until("it fails", lambda: worker.task(unique).get("state") == "FAILED", worker=worker)
    assert path.name in worker.task(unique)["trace"]
    assert worker.terminate() == 0


def test_confluents_files_go_back_with_keys_and_headers_beside_them(kafka, worker, unique, tmp_path):
    kafka.create_topic(unique, 1)
    folder = tmp_path / "bucket/topics" / unique / "partition=0"
    folder.mkdir(parents=True)
    for first in (0, 3):
        stem = folder / f"{unique}+0+{first:010d}"
        stem.with_name(f"{stem.name}.json").write_text("".join(f'{{"n":{n}}}\n' for n in range(first, first + 3)))
        stem.with_name(f"{stem.name}.keys.json").write_text("".join(f'"key-{n}"\n' for n in range(first, first + 3)))
        stem.with_name(f"{stem.name}.headers.json").write_text(
            "".join(f'{{"headers":[{{"key":"h","value":"{n}"}}]}}\n' for n in range(first, first + 3))
        )
    worker.connector(
        unique,
        {
            "connector.class": "io.confluent.connect.s3.source.S3SourceConnector",
            "archive.url": (tmp_path / "bucket").as_uri(),
            "s3.poll.interval.ms": "500",
            "mode": "RESTORE_BACKUP",
            "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
        },
    )
    worker.start()
    wait_until("all is there", lambda: len(read_topic(kafka, unique).get(0, [])) == 6, worker=worker)
    rows = read_topic(kafka, unique)[0]
    assert [row[4] for row in rows] == [b'{"n":%d}' % n for n in range(6)]
    assert [row[3] for row in rows] == [b'"key-%d"' % n for n in range(6)]
    assert [row[5] for row in rows] == [(("h", b"%d" % n),) for n in range(6)]
    assert worker.terminate() == 0
