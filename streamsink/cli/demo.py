"""`streamsink demo`: topic to verified archive in one process, on librdkafka's mock cluster. For people to watch."""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pyarrow.compute as pc
import pyarrow.dataset as ds
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition
from rich.console import Console

from streamsink.config.reading.connector import parse_sink
from streamsink.errors import TerminalError
from streamsink.observe.log import configure
from streamsink.observe.snapshot import TaskSnapshot
from streamsink.sink.build import run_sink_task

TOPIC = "web-logs"
RESTORED = "web-logs-restored"
RECORDS = 40_000
"""About 2 MB in each of the mock cluster's four partitions; it forgets records past some 5 MB."""
HOURS = 3
ARCHIVE_TIMEOUT_S = 45.0

console = Console(highlight=False, soft_wrap=True)


@dataclass(frozen=True, slots=True)
class Sent:
    """Key, value and time of each record that the demo produced, by partition. The archive is compared with them."""

    by_partition: dict[int, list[tuple[bytes, bytes, int]]]


def demo(*, dir: Path | None = None) -> int:  # noqa: A002 - the option's name is fixed
    """See it work: sample logs into a topic, archived as Parquet by the hour, listed, queried, verified, put back.

    Parameters
    ----------
    dir
        Keep the archive below this folder; without it a new folder under the system's temporary one is used.
    """
    # A warning is about the broker in this process, which tells no topic's settings.
    configure("ERROR", stream=sys.stderr)
    root = (dir or Path(tempfile.mkdtemp(prefix="streamsink-demo-"))).resolve()
    archive = root / "archive"
    began = time.monotonic()
    with _mock_cluster() as (producer, bootstrap):
        _say(1, f"A broker is running inside this process, at {bootstrap}")
        sent = _produce(producer)
        _say(2, f"{RECORDS:,} web log records are in topic {TOPIC}, from the last {HOURS} hours")
        config = _connector(archive, root.name)
        _show(config)
        snapshot = _archive(config, bootstrap)
        _say(3, f"All of them are stored, and the consumer group {_group(config)} stands at the end:")
        console.print(
            f"   {snapshot.records_total:,} records in {snapshot.objects_stored_total} objects, "
            f"{snapshot.bytes_stored_total:,} bytes from {snapshot.bytes_total:,}\n"
        )
        url = (archive / "topics").as_uri()
        _list(url)
        _query(archive / "topics" / TOPIC)
        _verify(url)
        _compare(archive / "topics" / TOPIC, sent)
        _replay(producer, url, bootstrap, sent)
    console.print(f"Done in {time.monotonic() - began:.0f} s. The archive is yours to look at:\n")
    console.print(f"   {_program()} archive ls {url} --objects")
    console.print(f"   duckdb -c \"from '{archive}/topics/**/*.parquet' limit 10\"")
    console.print(f"   {_program()} replay {url} --to NEW-TOPIC --bootstrap-server HOST:PORT --create-topic")
    console.print(f"   a real topic: write one file into connectors.d and run {_program()} worker (see README)")
    return 0


def _program() -> str:
    """How this program was called, so that its lines can be pasted: `make demo` leaves it off the PATH."""
    return sys.argv[0] if "/" in sys.argv[0] and shutil.which("streamsink") is None else "streamsink"


def _say(step: int, text: str) -> None:
    console.print(f"[bold]{step}.[/bold] {text}")


@contextmanager
def _mock_cluster() -> Iterator[tuple[Producer, str]]:
    """Librdkafka's mock cluster; it lives as long as the producer."""
    producer = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "mock", "linger.ms": 5, "log_level": 2})
    broker = next(iter(producer.list_topics(timeout=10).brokers.values()))
    yield producer, f"{broker.host}:{broker.port}"
    producer.flush(5)


def _produce(producer: Producer) -> Sent:
    dice = random.Random(2026)  # noqa: S311 - sample data, the same every time
    first = datetime.now(UTC) - timedelta(hours=HOURS)
    step = timedelta(hours=HOURS) / RECORDS
    sent: dict[int, list[tuple[bytes, bytes, int]]] = {}
    for number in range(RECORDS):
        time_ms = int((first + number * step).timestamp() * 1000)
        key, value, partition = *_log_line(dice, number, time_ms), number % 4
        producer.produce(TOPIC, value, key=key, timestamp=time_ms, partition=partition)
        sent.setdefault(partition, []).append((key, value, time_ms))
        if number % 1000 == 0:
            producer.poll(0)
    if producer.flush(30):
        raise TerminalError("the sample records could not be produced", hint="run the demo again")
    return Sent(sent)


def _log_line(dice: random.Random, number: int, time_ms: int) -> tuple[bytes, bytes]:
    address = f"10.{dice.randrange(4)}.{dice.randrange(256)}.{dice.randrange(256)}"
    line = {
        "time": datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds"),
        "client": address,
        "method": dice.choices(["GET", "POST", "PUT"], [9, 2, 1])[0],
        "path": dice.choice(["/", "/cart", "/login", "/search", f"/item/{dice.randrange(500)}"]),
        "status": dice.choices([200, 304, 404, 500], [90, 6, 3, 1])[0],
        "bytes": dice.randrange(200, 40_000),
        "ms": round(dice.expovariate(1 / 80), 1),
        "request": number,
    }
    return address.encode(), orjson.dumps(line)


def _connector(archive: Path, name: str) -> dict[str, str]:
    return {
        "name": name,
        "connector.class": "streamsink.ArchiveSink",
        "topics": TOPIC,
        "value.converter": "json",
        "archive.url": archive.as_uri(),
        "archive.value": "both",
        "format.class": "parquet",
        "partitioner.class": "hourly",
        "timestamp.extractor": "Record",
        "rotate.age.ms": "2000",
    }


def _show(config: dict[str, str]) -> None:
    console.print("   This connector archives them, by the same code as the worker's:\n")
    for key, value in config.items():
        console.print(f"      [dim]{key}:[/dim] {value}", soft_wrap=True)
    console.print()


def _group(config: dict[str, str]) -> str:
    return f"connect-{config['name']}"


def _archive(raw: dict[str, str], bootstrap: str) -> TaskSnapshot:
    """Run the sink task until every record is stored and committed, then stop it in good order."""
    config, _ = parse_sink(raw, {"bootstrap.servers": bootstrap})
    stop = threading.Event()
    latest: list[TaskSnapshot] = [TaskSnapshot()]
    failure: list[Exception] = []

    def run() -> None:
        try:
            run_sink_task(config, task_id=0, stop=stop, report=lambda snapshot: latest.__setitem__(0, snapshot))
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits
            failure.append(error)

    thread = threading.Thread(target=run, name="demo-sink")
    thread.start()
    deadline = time.monotonic() + ARCHIVE_TIMEOUT_S
    while thread.is_alive() and time.monotonic() < deadline and not _all_committed(latest[0]):
        time.sleep(0.1)
    caught_up = _all_committed(latest[0])
    stop.set()
    thread.join(ARCHIVE_TIMEOUT_S)
    if failure:
        raise failure[0]
    if not caught_up:
        raise TerminalError(f"not everything was archived within {ARCHIVE_TIMEOUT_S:.0f} s", hint="run the demo again")
    return latest[0]


def _all_committed(snapshot: TaskSnapshot) -> bool:
    done = sum(partition.committed or 0 for partition in snapshot.partitions.values())
    return snapshot.records_total == RECORDS and done == RECORDS


def _list(url: str) -> None:
    from streamsink.cli.archive import ls  # noqa: PLC0415

    _say(4, f"What the archive holds ([dim]{_program()} archive ls {url}[/dim]):")
    ls(url)
    console.print()


def _query(folder: Path) -> None:
    _say(5, "Any Parquet reader can query it. Here pyarrow asks for server errors, by path:")
    table = ds.dataset(folder, format="parquet").to_table(
        columns=["path", "status", "ms"], filter=pc.field("status") >= 500
    )
    worst = (
        table.group_by("path")
        .aggregate([("status", "count"), ("ms", "mean")])
        .sort_by([("status_count", "descending")])
    )
    for row in worst.slice(0, 4).to_pylist():
        console.print(f"      {row['path']:<12} {row['status_count']:>4} errors, {row['ms_mean']:.0f} ms on average")
    console.print()


def _verify(url: str) -> None:
    from streamsink.cli.verify import verify  # noqa: PLC0415

    _say(6, "Every object is read again: checksums, ranges, order, and that offsets are covered without overlap:")
    if verify(url):
        raise TerminalError("the archive does not verify", hint="please report this")
    console.print()


def _compare(folder: Path, sent: Sent) -> None:
    table = ds.dataset(folder, format="parquet").to_table(columns=["_kafka"])
    for partition, wanted in sent.by_partition.items():
        envelope = pc.struct_field
        column = table.column("_kafka").combine_chunks()
        mine = table.filter(pc.equal(envelope(column, "partition"), partition)).column("_kafka").combine_chunks()
        order = pc.sort_indices(envelope(mine, "offset"))
        mine = mine.take(order)
        found = zip(
            envelope(mine, "key").to_pylist(),
            envelope(mine, "value").to_pylist(),
            envelope(mine, "timestamp").cast("int64").to_pylist(),
            strict=True,
        )
        if list(found) != wanted:
            raise TerminalError(f"partition {partition} differs from what was produced", hint="please report this")
    _say(7, f"Key, value and timestamp of all {RECORDS:,} records equal what was produced, byte for byte.\n")


def _replay(producer: Producer, url: str, bootstrap: str, sent: Sent) -> None:
    """Put everything into a new topic, and read that as anyone would."""
    from streamsink.cli.replay import replay  # noqa: PLC0415

    # The mock cluster makes topics on first use only.
    producer.list_topics(RESTORED, timeout=10)
    _say(8, "The archive is a backup: it goes back into a new topic, in transactions that carry the position.")
    console.print("   Replay looks whether a topic keeps records as they are; this small broker doesn't tell:\n")
    console.print(f"   [dim]{_program()} replay {url} --to {RESTORED} --bootstrap-server {bootstrap}[/dim]\n")
    if replay(url, to=RESTORED, bootstrap_server=bootstrap, resume_id=f"{RESTORED}-demo"):
        raise TerminalError("the archive could not be replayed", hint="please report this")
    console.print()
    if _read(RESTORED, bootstrap) != sent.by_partition:
        raise TerminalError("the new topic differs from the first one", hint="please report this")
    _say(9, f"The new topic gives the same {RECORDS:,} records, in the same order in each partition.\n")


def _read(topic: str, bootstrap: str) -> dict[int, list[tuple[bytes, bytes, int]]]:
    """The records that a `read_committed` consumer sees."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": f"{topic}-reader", "enable.auto.commit": False, "log_level": 2}
    )
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in range(4)])
    found: dict[int, list[tuple[bytes, bytes, int]]] = {}
    deadline = time.monotonic() + ARCHIVE_TIMEOUT_S
    while sum(map(len, found.values())) < RECORDS and time.monotonic() < deadline:
        for message in consumer.consume(10_000, 1.0):
            if message.error() is None:
                record = (message.key() or b"", message.value() or b"", message.timestamp()[1])
                found.setdefault(message.partition() or 0, []).append(record)
    consumer.close()
    return found
