"""`BENCH=footprint`: what tasks hold and how soon they begin. Memory is PSS, which counts a shared page once.

Large records, many partitions by many paths, idle connectors, a connector's file until its first record is read, and
many partitions beside one. `STREAMSINK_BENCH_ONLY` names some of the cases, by words that their names hold.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from streamsink.errors import StreamsinkError
from tests.bench.processes import cpu_by_process
from tests.servers.kafka import KafkaServer
from tests.servers.processes import command, memory_bytes
from tests.servers.worker import WorkerServer, wait_until

SAMPLE_S = 0.25
RUN_S_MAX = 40.0
IDLE_CONNECTORS = 50
IDLE_S = 20.0
TRICKLE_S = 40.0
JSON_COLUMNS = {"value.converter": "json", "archive.value": "columns"}
TIGHT = {"memory.bytes.max": str(128 * 1024 * 1024), "partitioner.class": "field", "partition.field.name": "shard"}


def processes(group: int) -> dict[int, tuple[int, float, bool]]:
    """PSS in bytes and CPU seconds of each process of a group, and whether it runs a task (its parent isn't ours)."""
    return {pid: (memory_bytes(pid), cpu, "forkserver" in command(pid)) for pid, cpu in cpu_by_process(group)}


class Peak:
    """The largest PSS that any one process of the fork server had, sampled by a thread."""

    def __init__(self, group: int) -> None:
        self.bytes = 0
        self._group = group
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch-pss", daemon=True)
        self._thread.start()

    def end(self) -> int:
        """Stop looking."""
        self._ended.set()
        self._thread.join(10)
        return self.bytes

    def _watch(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            tasks = [pss for pss, _, forked in processes(self._group).values() if forked]
            self.bytes = max([self.bytes, *tasks])


@contextmanager
def running(kafka: KafkaServer, folder: Path) -> Iterator[WorkerServer]:
    """A worker without connectors, ready."""
    worker = WorkerServer(folder, kafka.bootstrap).start()
    try:
        wait_until("the worker answers", lambda: worker.get("/connectors") is not None, worker=worker)
        yield worker
    finally:
        worker.terminate()


def sink(worker: WorkerServer, name: str, topic: str, config: dict[str, str]) -> None:
    """Write a sink's file."""
    archive = (worker.folder / "archive").as_uri()
    worker.connector(name, {"topics": topic, "archive.url": archive, **JSON_COLUMNS, **config})


def read_so_far(worker: WorkerServer) -> int:
    """Records that all tasks have read."""
    lines = str(worker.get("/metrics") or "").splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith("streamsink_records_total"))


def archive(
    kafka: KafkaServer, topic: str, count: int, config: dict[str, str], folder: Path
) -> tuple[float, int, float]:
    """Records per second and per CPU-second from the first to the last that was read; between them the task's peak."""
    with running(kafka, folder) as worker:
        sink(worker, "bench", topic, config)
        peak = Peak(worker.pid)
        points: list[tuple[int, float, float]] = []
        began = time.monotonic()
        while (not points or points[-1][0] < count) and time.monotonic() < began + RUN_S_MAX:
            seen = read_so_far(worker)
            if seen and (not points or seen > points[-1][0]):
                points.append((seen, time.monotonic(), sum(cpu for _, cpu, _ in processes(worker.pid).values())))
            time.sleep(SAMPLE_S)
        (first, at_first, cpu_first), (last, at_last, cpu_last) = points[0], points[-1]
        read = last - first
        return read / max(0.001, at_last - at_first), peak.end(), read / max(0.01, cpu_last - cpu_first)


def fill(kafka: KafkaServer, topic: str, partitions: int, values: list[bytes], count: int) -> None:
    """Make a topic of so many records."""
    kafka.create_topic(topic, partitions)
    producer = kafka.producer(compression_type="lz4", queue_buffering_max_messages="200000")
    for number in range(count):
        while True:
            try:
                producer.produce(topic, values[number % len(values)], partition=number % partitions)
            except BufferError:
                producer.poll(0.1)
            else:
                break
        if number % 1000 == 0:
            producer.poll(0)
    assert producer.flush(120) == 0


def large_records(kafka: KafkaServer, records: list[bytes], folder: Path) -> str:
    """Records of 5 KB."""
    values = [json.dumps(json.loads(record) | {"body": record.hex() * 12}).encode() for record in records[:2_000]]
    fill(kafka, "large", 4, values, 120_000)
    rate, peak, _ = archive(kafka, "large", 120_000, {"rotate.age.ms": "10000"}, folder)
    return f"{rate:,.0f}/s by the clock, task's peak {peak / 1e6:.0f} MB"


def many_lanes(paths: int, count: int) -> Callable[[KafkaServer, list[bytes], Path], str]:
    """64 partitions by so many paths, at 128 MiB."""

    def run(kafka: KafkaServer, records: list[bytes], folder: Path) -> str:
        values = [
            json.dumps(json.loads(records[at % len(records)]) | {"shard": f"s{at // 64 % paths}"}).encode()
            for at in range(64 * paths)
        ]
        topic = f"paths-{paths}"
        fill(kafka, topic, 64, values, count)
        rate, peak, _ = archive(kafka, topic, count, TIGHT, folder)
        return f"{rate:,.0f}/s by the clock, task's peak {peak / 1e6:.0f} MB"

    return run


def idle(kafka: KafkaServer, _records: list[bytes], folder: Path) -> str:
    """Many connectors whose topic has no records."""
    kafka.create_topic("silent", 1)
    with running(kafka, folder) as worker:
        for number in range(IDLE_CONNECTORS):
            sink(worker, f"idle-{number}", "silent", {})
        ready = lambda: all(  # noqa: E731
            worker.task(f"idle-{number}").get("state") == "RUNNING" for number in range(IDLE_CONNECTORS)
        )
        wait_until("all run", ready, timeout_s=120, worker=worker)
        time.sleep(IDLE_S)
        before = processes(worker.pid)
        time.sleep(IDLE_S)
        after = processes(worker.pid)
    cpu = sum(used for _, used, _ in after.values()) - sum(used for _, used, _ in before.values())
    forked = sorted(pss for pss, _, by_server in after.values() if by_server)
    total = sum(pss for pss, _, _ in after.values())
    return (
        f"{total / 1e6:,.0f} MB in all, {forked[len(forked) // 2] / 1e6:.1f} MB a task, the worker "
        f"{(total - sum(forked)) / 1e6:.0f} MB, {cpu / IDLE_S:.1%} of a core"
    )


def first_record(kafka: KafkaServer, records: list[bytes], folder: Path) -> str:
    """How soon a new connector reads, in a worker that has run for a while."""
    fill(kafka, "few", 1, records, 1_000)
    took = []
    with running(kafka, folder) as worker:
        time.sleep(5)
        for number in range(3):
            began, before = time.monotonic(), read_so_far(worker)
            sink(worker, f"quick-{number}", "few", {})
            while read_so_far(worker) == before:
                if time.monotonic() > began + 60:
                    raise StreamsinkError(f"nothing was read:\n{worker.log()}")
                time.sleep(0.02)
            took.append(time.monotonic() - began)
    return f"{sorted(took)[1]:.2f} s"


def many_partitions(kafka: KafkaServer, records: list[bytes], folder: Path) -> str:
    """1,000 partitions beside one, by the CPU of the whole worker."""
    rates = []
    for partitions in (1, 1000):
        fill(kafka, f"partitions-{partitions}", partitions, records, 1_000_000)
        _, peak, rate = archive(kafka, f"partitions-{partitions}", 1_000_000, {}, folder / str(partitions))
        rates.append(rate)
    one, many = rates
    return (
        f"{many / one:.2f} of one partition's records per CPU-second ({many:,.0f} of {one:,.0f}), "
        f"task's peak {peak / 1e6:.0f} MB"
    )


def trickle(age_ms: int) -> Callable[[KafkaServer, list[bytes], Path], str]:
    """100 topics of ten records a second each, with files of this age: the CPU of the whole worker."""
    return lambda kafka, records, folder: _trickle(kafka, records, folder, age_ms)


def _trickle(kafka: KafkaServer, records: list[bytes], folder: Path, age_ms: int) -> str:
    topics = [f"trickle-{age_ms}-{number}" for number in range(100)]
    for topic in topics:
        kafka.create_topic(topic, 1)
    producer = kafka.producer(linger_ms=5)
    with running(kafka, folder) as worker:
        sink(worker, "trickle", ",".join(topics), {"rotate.age.ms": str(age_ms)})
        points: list[tuple[int, float, float]] = []
        made = 0
        due_s = began_s = time.monotonic()
        while due_s < began_s + TRICKLE_S:
            for topic in topics:
                producer.produce(topic, records[made % len(records)])
            producer.poll(0)
            if made % 10 == 0 and (seen := read_so_far(worker)):
                points.append((seen, time.monotonic(), sum(cpu for _, cpu, _ in processes(worker.pid).values())))
            made += 1
            due_s += 0.1
            time.sleep(max(0.0, due_s - time.monotonic()))
        assert producer.flush(30) == 0
        tasks = [pss for pss, _, forked in processes(worker.pid).values() if forked]
    (first, at_first, cpu_first), (last, at_last, cpu_last) = points[len(points) // 2], points[-1]
    took_s = at_last - at_first
    return (
        f"{(last - first) / took_s:,.0f} records/s, {(cpu_last - cpu_first) / took_s:.1%} of a core, "
        f"the task {max(tasks) / 1e6:.0f} MB"
    )


CASES: dict[str, Callable[[KafkaServer, list[bytes], Path], str]] = {
    "file to first record": first_record,
    "50 idle connectors": idle,
    "5 KB records": large_records,
    "64 partitions by 50 paths": many_lanes(50, 300_000),
    "64 partitions by 200 paths": many_lanes(200, 300_000),
    "1,000 partitions": many_partitions,
    "100 trickling topics, files of 5 s": trickle(5000),
    "100 trickling topics, files of 60 s": trickle(60_000),
}


def main(records: list[bytes]) -> int:
    """Run the cases."""
    wanted = os.environ.get("STREAMSINK_BENCH_ONLY", "").split()
    with tempfile.TemporaryDirectory(prefix="streamsink-bench-") as text:
        folder = Path(text)
        kafka = KafkaServer(folder / "kafka")
        kafka.start()
        try:
            for number, (name, run) in enumerate(CASES.items()):
                if not wanted or any(word in name for word in wanted):
                    print(f"{name:28} {run(kafka, records, folder / f'case-{number}')}", flush=True)
        finally:
            kafka.stop()
    return 0
