"""`make bench BENCH=cores`: what one task, two and four archive by the clock on two cores, beside the broker.

A task reads, decodes and encodes in one thread; librdkafka and uploads have threads of their own. The broker is on the
same cores, so that twice the rate can't be had. Tasks have their partitions before there is a record: all records come
at once, by the end of a transaction.
"""

import os
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.bench.processes import cpu_seconds
from tests.servers.kafka import KafkaServer
from tests.servers.worker import WorkerServer, wait_until

RECORDS = int(os.environ.get("STREAMSINK_BENCH_RECORDS", "4000000"))
PARTITIONS = 4
CASES = {
    "JSON": {"value.converter": "json", "archive.value": "columns"},
    "JSON, native": {"value.converter": "json", "archive.value": "columns", "consumer.native": "true"},
    "raw": {"value.converter": "bytes", "archive.value": "raw"},
}
TASKS = (1, 2, 4)


def main(lines: list[bytes], runs: int) -> int:
    """Print the rates by the clock and by CPU, medians of the runs, and each beside that of one task."""
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="streamsink-bench-") as text:
        folder = Path(text)
        kafka = KafkaServer(folder / "kafka")
        kafka.start()
        try:
            for run in range(runs):
                for number, (case, config) in enumerate(CASES.items()):
                    for tasks in TASKS:
                        topic = f"cores-{run}-{number}-{tasks}"
                        rates = _rates(kafka, topic, lines, {**config, "tasks.max": str(tasks)}, folder / topic)
                        found.setdefault((case, tasks), []).append(rates)
        finally:
            kafka.stop()
    for (case, tasks), rates in found.items():
        wall, by_cpu = (median(each) for each in zip(*rates, strict=True))
        one = median(rate for rate, _ in found[case, 1])
        print(
            f"{case:14} {tasks} tasks: {wall:,.0f} records/s by the clock, {wall / one:.2f} of one task's; "
            f"{by_cpu:,.0f} per CPU-second",
            flush=True,
        )
    return 0


def _rates(
    kafka: KafkaServer, topic: str, lines: list[bytes], config: dict[str, str], folder: Path
) -> tuple[float, float]:
    """Records per second and per CPU-second, from the moment that all can be read until all are."""
    kafka.create_topic(topic, PARTITIONS)
    worker = WorkerServer(folder, kafka.bootstrap)
    worker.connector(topic, {"topics": topic, "archive.url": (folder / "archive").as_uri(), **config})
    worker.start()
    held = lambda: _sum(worker, "streamsink_paused{", count=True) == PARTITIONS  # noqa: E731
    wait_until("the tasks have their partitions", held, timeout_s=60, worker=worker)
    producer = kafka.producer(
        compression_type="lz4",
        queue_buffering_max_messages="1000000",
        transactional_id=topic,
        transaction_timeout_ms="300000",
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    for number in range(RECORDS):
        producer.produce(topic, lines[number % len(lines)], partition=number % PARTITIONS)
        if number % 10_000 == 0:
            producer.poll(0)
    assert producer.flush(120) == 0
    # Tasks that have read what they may not give yet are idle again.
    time.sleep(3)
    cpu_s, began_s = cpu_seconds(worker.pid)[0], time.monotonic()
    producer.commit_transaction(60)
    while (seen := _sum(worker, "streamsink_records_total")) < RECORDS:
        assert time.monotonic() < began_s + 120, f"{seen} of {RECORDS} are read:\n{worker.log()}"
        time.sleep(0.05)
    took_s, cpu_s = time.monotonic() - began_s, cpu_seconds(worker.pid)[0] - cpu_s
    assert worker.terminate() == 0
    return RECORDS / took_s, RECORDS / cpu_s


def _sum(worker: WorkerServer, name: str, *, count: bool = False) -> int:
    found = [line for line in str(worker.get("/metrics") or "").splitlines() if line.startswith(name)]
    return len(found) if count else sum(int(float(line.split()[-1])) for line in found)
