"""`make bench`: what one core archives, beside what the same machine consumes with nothing behind it.

Prints one row a case: records per CPU-second of the whole worker (all its processes, librdkafka's threads included),
wall-clock rate, peak memory of the task's process, and ratios to two rates of `consume()` in the same run: where it
reads the fields of messages, and where it reads none, which stands beside the worker with its start.
With `native` as its argument it runs cases with `consumer.native` and without alone, with `simulate` a million
simulated steps instead, with `replay` it replays (`replay.py`),
with `avro` and `protobuf` it archives values of a Schema Registry (`avro.py`, `protobuf.py`), with `messy` JSON of
changing types (`messy.py`), with `verify` it verifies an archive on S3 (`verify.py`), with `audit` a topic against its
archive (`audit.py`), with `cores` one task or several have two cores (`cores.py`), with `decode` it measures the JSON
decoder alone (`decode.py`), with `footprint` memory and starts (`footprint.py`), with `spark` Spark reads what was
archived (`spark.py`), with `first-record` a worker starts (`first_record.py`), with `databases` it takes snapshots of
databases (`databases.py`), with `peers` other programs archive beside us (`peers/`).
The cases of `make bench` itself, of `native` and of `peers` leave a table and a plot in `build/bench`.
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from confluent_kafka import Consumer

from streamsink.consume.settings import consumer_settings
from tests.bench import (
    audit,
    avro,
    cores,
    databases,
    decode,
    first_record,
    footprint,
    messy,
    protobuf,
    replay,
    spark,
    verify,
)
from tests.bench.peers import run as peers
from tests.bench.processes import cpu_seconds
from tests.bench.report import Bar, write_report
from tests.servers.kafka import KafkaServer
from tests.servers.worker import WorkerServer, wait_until

# Five peers, three of them JVMs, take ten minutes for so many.
USUAL = "800000" if sys.argv[1:] == ["peers"] else "4000000"
RECORDS = int(os.environ.get("STREAMSINK_BENCH_RECORDS", USUAL))
RUNS = int(os.environ.get("STREAMSINK_BENCH_RUNS", "3"))
PARTITIONS = 4
CASES = {
    "JSON to Parquet zstd, columns": {"value.converter": "json", "archive.value": "columns"},
    "raw to Parquet zstd": {"value.converter": "bytes", "archive.value": "raw"},
    "raw to Avro zstandard": {"value.converter": "bytes", "format.class": "avro", "avro.codec": "zstandard"},
}
NATIVE_CASES = {
    f"{case}{how}": {**CASES[case], "consumer.native": native}
    for case in ("JSON to Parquet zstd, columns", "raw to Parquet zstd")
    for how, native in (("", "false"), (", native", "true"))
}


def log_records(count: int) -> list[bytes]:
    """JSON log records of 219 bytes on average."""
    dice = random.Random(219)
    records = []
    for number in range(count):
        line = {
            "ts": 1_700_000_000_000 + number,
            "level": dice.choice(["INFO", "INFO", "INFO", "WARN", "ERROR"]),
            "host": f"host-{number % 50}",
            "path": f"/api/v1/items/{dice.randrange(10_000)}",
            "status": dice.choice([200, 200, 200, 304, 404, 500]),
            "ms": round(dice.random() * 100, 3),
            "trace": f"{dice.getrandbits(128):032x}",
            "msg": f"user {number % 977} asked for a page, and was answered",
        }
        records.append(json.dumps(line).encode())
    return records


def fill(kafka: KafkaServer, topic: str, records: list[bytes], count: int = RECORDS) -> float:
    """Produce so many of the records, over and over; returns their mean size."""
    producer = kafka.producer(compression_type="lz4", queue_buffering_max_messages="1000000")
    for number in range(count):
        producer.produce(
            topic, records[number % len(records)], key=b"key-%d" % (number % 1000), partition=number % PARTITIONS
        )
        if number % 10_000 == 0:
            producer.poll(0)
    assert producer.flush(120) == 0
    return sum(map(len, records)) / len(records)


def consume_only(kafka: KafkaServer, topic: str, *, fields: bool = True) -> float:
    """Records per CPU-second of `consume()`, and nothing else: fields are read, or none is."""
    settings, _ = consumer_settings({"bootstrap.servers": kafka.bootstrap, "group.id": f"raw-{time.time()}"})
    consumer = Consumer({**settings, "auto.offset.reset": "earliest", "enable.partition.eof": "false"})
    consumer.subscribe([topic])
    count, first, began = 0, 0, 0.0
    while count < RECORDS:
        messages = consumer.consume(20_000, 1.0)
        if fields:
            _ = [(m.key(), m.value(), m.timestamp(), m.offset()) for m in messages]
        count += len(messages)
        if messages and not first:
            first, began = count, time.process_time()
    rate = (count - first) / (time.process_time() - began)
    consumer.close()
    return rate


def archive(
    kafka: KafkaServer, topic: str, name: str, config: dict[str, str], folder: Path, count: int = RECORDS
) -> tuple[float, float, int, float]:
    """Records per CPU-second and per second once the first are read, the peak memory of a process, and records per
    CPU-second with the worker's start."""
    worker = WorkerServer(folder, kafka.bootstrap)
    worker.connector(
        name, {"topics": topic, "archive.url": (folder / "archive").as_uri(), "rotate.age.ms": "2000", **config}
    )
    worker.start()
    assert worker._process is not None
    os.sched_setaffinity(worker._process.pid, {0})
    points: list[tuple[int, float, float]] = []

    def done() -> bool:
        seen = sum(int(float(line.split()[-1])) for line in _metric(worker, "streamsink_records_total"))
        cpu, _ = cpu_seconds(worker._process.pid)
        if seen:
            points.append((seen, cpu, time.monotonic()))
        return seen >= count

    wait_until("all is read", done, timeout_s=300, worker=worker)
    committed = lambda: sum(at for at, _ in kafka.committed(f"connect-{name}", topic).values())  # noqa: E731
    wait_until("all is committed", lambda: committed() == count, timeout_s=60, worker=worker)
    cpu, peak = cpu_seconds(worker._process.pid)
    assert worker.terminate() == 0
    (first, cpu_first, at_first), (last, _, at_last) = points[0], points[-1]
    return (last - first) / (cpu - cpu_first), (last - first) / (at_last - at_first), peak, last / cpu


@dataclass(frozen=True)
class Figures:
    """What one case came to in one run: rates per CPU-second but for `wall`, and ratios to `consume()`.

    `ratio` is to one that reads fields, `bare_ratio` that of the worker with its start to one that reads none.
    """

    rate: float
    ratio: float
    bare_ratio: float
    wall: float
    peak: int


def _one_run(kafka: KafkaServer, folder: Path, cases: dict[str, dict[str, str]]) -> dict[str, Figures]:
    """By case, with those of `consume()` alone first."""
    read, bare = consume_only(kafka, "logs"), consume_only(kafka, "logs", fields=False)
    found = {
        "consume() reading fields": Figures(read, 1.0, read / bare, 0.0, 0),
        "consume() reading none": Figures(bare, bare / read, 1.0, 0.0, 0),
    }
    for number, (case, config) in enumerate(cases.items()):
        name = f"bench-{folder.name}-{number}"
        rate, wall, peak, with_start = archive(kafka, "logs", name, config, folder / str(number))
        found[case] = Figures(rate, rate / read, with_start / bare, wall, peak)
        print(
            f"{folder.name}: {case}, {rate:,.0f} records per CPU-second, {rate / read:.2f} of consume()'s {read:,.0f}; "
            f"with its start {with_start:,.0f}, {with_start / bare:.2f} of {bare:,.0f} without fields",
            flush=True,
        )
    return found


def _print_medians(runs: list[dict[str, Figures]]) -> None:
    for case in runs[0]:
        figures = [run[case] for run in runs]
        ratios, bares = [each.ratio for each in figures], [each.bare_ratio for each in figures]
        print(
            f"{case:38} {median(ratios):.2f} of consume() ({min(ratios):.2f} - {max(ratios):.2f}), with its start "
            f"{median(bares):.2f} of consume() without fields ({min(bares):.2f} - {max(bares):.2f}), "
            f"{median(each.rate for each in figures):>9,.0f} records per CPU-second, "
            f"{median(each.wall for each in figures):,.0f}/s by the clock, "
            f"task peak {median(each.peak for each in figures) / 1e6:.0f} MB",
            flush=True,
        )


def _bars(runs: list[dict[str, Figures]]) -> list[Bar]:
    bars = []
    for case in list(runs[0])[2:]:
        ratios = [run[case].ratio for run in runs]
        rate = median(run[case].rate for run in runs)
        bars.append(Bar(case, rate, median(ratios), min(ratios), max(ratios)))
    return bars


def _with_logs(folder: Path, topics: dict[str, int] | None = None) -> KafkaServer:
    """A broker with the records in its topic `logs`, or in `topics` with so many each."""
    kafka = KafkaServer(folder)
    kafka.start()
    for topic, count in (topics or {"logs": RECORDS}).items():
        kafka.create_topic(topic, PARTITIONS)
        size = fill(kafka, topic, log_records(20_000), count)
    print(f"{RECORDS:,} records of {size:.0f} bytes, worker on one core, medians of {RUNS} runs", flush=True)
    return kafka


def _archive_cases(cases: dict[str, dict[str, str]], name: str) -> int:
    with tempfile.TemporaryDirectory(prefix="streamsink-bench-") as text:
        folder = Path(text)
        kafka = _with_logs(folder / "kafka")
        try:
            runs = [_one_run(kafka, folder / f"run-{run}", cases) for run in range(RUNS)]
        finally:
            kafka.stop()
    _print_medians(runs)
    write_report(name, f"{RECORDS:,} records: of consume() alone (red), by CPU", _bars(runs))
    return 0


def _beside_peers(kafka: KafkaServer, folder: Path, topics: dict[str, int]) -> dict[str, list[float]]:
    """CPU-seconds for each topic with the start, of `consume()`, which has none, and of our cases with JSON."""
    alone = consume_only(kafka, "logs")
    used = {"consume()": [count / alone for count in topics.values()]}
    for case, config in list(NATIVE_CASES.items())[:2]:
        name = f"streamsink: {case}".replace("JSON to Parquet zstd, columns", "JSON to Parquet")
        used[name] = []
        for topic, count in topics.items():
            connector = f"{folder.name}-{topic}-{config['consumer.native']}"
            rate = archive(kafka, topic, connector, config, folder / connector, count)[3]
            used[name].append(count / rate)
    return used


def _metric(worker: WorkerServer, name: str) -> list[str]:
    text = worker.get("/metrics")
    return [line for line in str(text or "").splitlines() if line.startswith(name)]


def main() -> int:
    """Run the cases."""
    if sys.argv[1:] == ["simulate"]:
        argv = ["streamsink.testing", "simulate", "--seed", "0", "--seeds", "2000", "--steps", "500"]
        return subprocess.run([sys.executable, "-m", *argv], check=False).returncode
    others = {
        "replay": lambda: replay.main(log_records(20_000), RECORDS),
        "decode": lambda: decode.main(log_records(20_000)),
        "footprint": lambda: footprint.main(log_records(20_000)),
        "messy": lambda: messy.main(log_records(20_000), fill, archive),
        "avro": lambda: avro.main(log_records(20_000), RECORDS, archive, consume_only),
        "protobuf": lambda: protobuf.main(log_records(20_000), RECORDS, archive, consume_only),
        "verify": lambda: verify.main(log_records(20_000), cpu_seconds),
        "cores": lambda: cores.main(log_records(20_000), RUNS),
        "audit": lambda: audit.main(RECORDS),
        "spark": spark.main,
        "first-record": first_record.main,
        "native": lambda: _archive_cases(NATIVE_CASES, "native"),
        "peers": lambda: peers.main(RUNS, RECORDS, _beside_peers, _with_logs),
        "databases": databases.main,
    }
    if sys.argv[1:]:
        return others[sys.argv[1]]()
    _archive_cases(CASES, "archive")
    return replay.main(log_records(20_000), RECORDS)


if __name__ == "__main__":
    raise SystemExit(main())
