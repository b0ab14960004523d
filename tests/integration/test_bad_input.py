"""What goes wrong in practice: one clear line with a hint, nothing lost, and recovery by itself where that can be."""

import os
import subprocess

from streamsink.upload.open import open_store
from tests.servers.archive_reader import offsets_stored
from tests.servers.kafka import KafkaServer
from tests.servers.process import free_port
from tests.servers.tcp_proxy import TcpProxy
from tests.servers.worker import WorkerServer, wait_until


def produce(kafka, topic, count, value=b"value"):
    producer = kafka.producer()
    for _ in range(count):
        producer.produce(topic, value() if callable(value) else value, partition=0)
    assert producer.flush(30) == 0


def trouble(worker, name):
    """What a task's status says is wrong, failed or retrying."""
    task = worker.task(name)
    return f"{task.get('trace', '')} {task.get('retrying', '')}"


def committed(kafka, name):
    return sum(at for at, _ in kafka.committed(f"connect-{name}", name).values())


def connector_trace(worker, name):
    status = worker.get(f"/connectors/{name}/status") or {}
    return str(status.get("connector", {}).get("trace", ""))


def test_an_unknown_key_warns_with_the_nearest_name_and_the_connector_runs(kafka, worker, unique, tmp_path):
    kafka.create_topic(unique)
    worker.connector(unique, {"topics": unique, "archive.url": (tmp_path / "a").as_uri(), "rotate.age.msec": "500"})
    worker.start()
    wait_until("it runs", lambda: worker.task(unique).get("state") == "RUNNING", worker=worker)
    assert "rotate.age.ms" in worker.log()
    assert "rotate.age.msec" in worker.log()


def test_bad_values_are_all_named_at_once_and_leave_other_connectors_alone(kafka, worker, unique, tmp_path):
    kafka.create_topic(unique)
    worker.connector(unique, {"topics": unique, "archive.url": (tmp_path / "a").as_uri(), "rotate.age.ms": "500"})
    worker.connector("broken", {"topics": unique, "archive.url": "ftp://x", "flush.size": "many", "timezone": "Mars"})
    worker.start()
    wait_until("the good one runs", lambda: worker.task(unique).get("state") == "RUNNING", worker=worker)
    wait_until("the bad one says why", lambda: "flush.size" in connector_trace(worker, "broken"), worker=worker)
    trace = connector_trace(worker, "broken")
    assert "timezone" in trace
    assert "archive.url" in trace


def test_a_missing_topic_is_told_and_archived_once_it_is_there(kafka, worker, unique, tmp_path):
    archive = (tmp_path / "a").as_uri()
    worker.connector(unique, {"topics": unique, "archive.url": archive, "rotate.age.ms": "500"})
    worker.start()
    wait_until("it says so", lambda: f"topic {unique} does not exist" in trouble(worker, unique), worker=worker)
    kafka.create_topic(unique)
    produce(kafka, unique, 10)
    wait_until("it recovers", lambda: committed(kafka, unique) == 10, timeout_s=90, worker=worker)
    assert offsets_stored(open_store(archive, {})) == {0: list(range(10))}


def test_wrong_credentials_fail_in_one_line_with_a_hint(kafka, seaweedfs, worker, unique):
    kafka.create_topic(unique)
    options = {**seaweedfs.options, "secret_access_key": "wrong-secret-canary"}
    worker.connector(
        unique,
        {
            "topics": unique,
            "archive.url": seaweedfs.url(unique),
            **{f"archive.option.{key}": value for key, value in options.items()},
        },
    )
    worker.start()
    wait_until("it fails", lambda: worker.task(unique).get("state") == "FAILED", worker=worker)
    assert "denied" in trouble(worker, unique)
    assert "access key" in trouble(worker, unique)
    assert "wrong-secret-canary" not in worker.log() + str(worker.get(f"/connectors/{unique}?expand=info"))


def test_a_full_disk_is_told_loses_nothing_and_passes_by_itself(kafka, worker, unique, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(small)], check=True)
    try:
        kafka.create_topic(unique)
        archive = (small / "a").as_uri()
        config = {"topics": unique, "archive.url": archive, "rotate.age.ms": "500", "parquet.codec": "none"}
        worker.connector(unique, config)
        produce(kafka, unique, 400, lambda: os.urandom(1000))
        worker.start()
        wait_until("it says so", lambda: "No space left" in trouble(worker, unique), worker=worker)
        assert "free space" in trouble(worker, unique)
        assert committed(kafka, unique) < 400
        subprocess.run(["mount", "-o", "remount,size=64m", str(small)], check=True)
        wait_until("it recovers", lambda: committed(kafka, unique) == 400, timeout_s=90, worker=worker)
        wait_until("it is well", lambda: not trouble(worker, unique).strip(), worker=worker)
        assert offsets_stored(open_store(archive, {})) == {0: list(range(400))}
    finally:
        worker.kill()
        subprocess.run(["umount", str(small)], check=True)


def test_a_read_only_folder_fails_in_one_line_with_a_hint(kafka, worker, unique, tmp_path):
    place = tmp_path / "fixed"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,size=64k", "tmpfs", str(place)], check=True)
    try:
        kafka.create_topic(unique)
        worker.connector(unique, {"topics": unique, "archive.url": (place / "a").as_uri()})
        worker.start()
        wait_until("it fails", lambda: worker.task(unique).get("state") == "FAILED", worker=worker)
        assert "read-only" in trouble(worker, unique).lower()
    finally:
        worker.kill()
        subprocess.run(["umount", str(place)], check=True)


def test_a_broker_that_goes_away_is_told_and_its_return_is_enough(tmp_path, unique):
    port = free_port()
    server = KafkaServer(tmp_path / "kafka", advertised_port=port)
    proxy = TcpProxy(port, server.port)
    proxy.start()
    server.start()
    worker = WorkerServer(tmp_path / "worker", server.bootstrap)
    try:
        server.create_topic(unique)
        archive = (tmp_path / "a").as_uri()
        worker.connector(unique, {"topics": unique, "archive.url": archive, "rotate.age.ms": "500"})
        produce(server, unique, 100)
        worker.start()
        wait_until("it archives", lambda: committed(server, unique) == 100, worker=worker)
        proxy.cut()
        wait_until("it says so", lambda: "is the broker up" in trouble(worker, unique), worker=worker)
        assert worker.task(unique)["state"] == "RUNNING"
        proxy.restore()
        wait_until("it is well", lambda: not trouble(worker, unique).strip(), worker=worker)
        produce(server, unique, 100)
        wait_until("it goes on", lambda: committed(server, unique) == 200, timeout_s=90, worker=worker)
        assert offsets_stored(open_store(archive, {})) == {0: list(range(200))}
    finally:
        worker.kill()
        proxy.stop()
        server.stop()


def test_records_that_retention_took_are_an_error_and_never_skipped(kafka, worker, unique, tmp_path):
    kafka.create_topic(unique)
    archive = (tmp_path / "a").as_uri()
    worker.connector(unique, {"topics": unique, "archive.url": archive, "rotate.age.ms": "500"})
    produce(kafka, unique, 10)
    worker.start()
    wait_until("it archives", lambda: committed(kafka, unique) == 10, worker=worker)
    assert worker.terminate() == 0
    produce(kafka, unique, 20)
    kafka.delete_records(unique, 0, 25)
    worker.start()
    wait_until("it fails", lambda: worker.task(unique).get("state") == "FAILED", worker=worker)
    assert "retention has removed 15 records" in trouble(worker, unique)
    assert committed(kafka, unique) == 10


def test_a_topic_made_anew_is_not_taken_for_the_one_in_the_archive(kafka, worker, unique, tmp_path):
    kafka.create_topic(unique)
    archive = (tmp_path / "a").as_uri()
    config = {"topics": unique, "archive.url": archive, "rotate.age.ms": "500"}
    worker.connector(unique, config)
    produce(kafka, unique, 10, b"old")
    worker.start()
    wait_until("it archives", lambda: committed(kafka, unique) == 10, worker=worker)
    assert worker.terminate() == 0
    kafka.delete_topic(unique)
    kafka.create_topic(unique)
    produce(kafka, unique, 20, b"new")
    worker.start()
    wait_until("it fails", lambda: worker.task(unique).get("state") == "FAILED", worker=worker)
    assert "was made anew" in trouble(worker, unique)
    assert offsets_stored(open_store(archive, {})) == {0: list(range(10))}
    worker.connector(unique, {**config, "topics.dir": "second"})
    wait_until("it archives the new one", lambda: committed(kafka, unique) == 20, worker=worker)
    assert offsets_stored(open_store(archive, {}), "second") == {0: list(range(20))}


def test_a_bad_record_stops_the_task_or_goes_to_the_dead_letter_topic(kafka, worker, unique, tmp_path):
    kafka.create_topic(unique)
    archive = (tmp_path / "a").as_uri()
    config = {"topics": unique, "archive.url": archive, "rotate.age.ms": "500", "value.converter": "json"}
    produce(kafka, unique, 3, b'{"fine":1}')
    produce(kafka, unique, 1, b"{broken")
    produce(kafka, unique, 3, b'{"fine":2}')
    worker.connector(unique, config)
    worker.start()
    wait_until("it fails", lambda: worker.task(unique).get("state") == "FAILED", worker=worker)
    assert f"{unique}-0" in trouble(worker, unique)
    assert "3" in trouble(worker, unique)
    worker.connector(
        unique,
        {
            **config,
            "errors.tolerance": "all",
            "errors.deadletterqueue.topic.name": f"{unique}-dead",
            "errors.deadletterqueue.topic.replication.factor": "1",
            "errors.deadletterqueue.context.headers.enable": "true",
        },
    )
    wait_until("it goes on", lambda: committed(kafka, unique) == 7, timeout_s=90, worker=worker)
    assert offsets_stored(open_store(archive, {})) == {0: [0, 1, 2, 4, 5, 6]}
    assert kafka.end_offsets(f"{unique}-dead") == {0: 1}
