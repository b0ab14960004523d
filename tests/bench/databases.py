"""`BENCH=databases`: snapshots of MongoDB and MariaDB into Parquet, beside a bare read of the same table.

A bare read is what a program does that takes each row and forgets it, by the same client library. Both run twice in a
process of their own, and the second time counts: imports and a first growth of memory don't. The bare read's process
has the allocator's settings of a snapshot's, which double its rate. CPU is the whole process's, memory its PSS.
"""

from __future__ import annotations

import datetime as dt
import logging
import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import pymongo
import pymysql
import structlog
from bson import Int64

from streamsink.database.open import open_database
from streamsink.database.snapshot import SnapshotJob, take_snapshot
from streamsink.sink.build import tune_process
from tests.servers.mariadb import MariaServer
from tests.servers.mongodb import MongoServer
from tests.servers.processes import memory_bytes

ROWS = int(os.environ.get("STREAMSINK_BENCH_RECORDS", "200000"))
RUNS = int(os.environ.get("STREAMSINK_BENCH_RUNS", "3"))
SAMPLE_S = 0.05
RUN_S_MAX = 300
DATABASE, TABLE = "bench", "orders"

_COLUMNS = (
    "id BIGINT PRIMARY KEY, number INT, total BIGINT, price DOUBLE, amount DECIMAL(10,2), name VARCHAR(60), "
    "city VARCHAR(40), status VARCHAR(20), at DATETIME, paid BOOLEAN"
)
_ROWS = (
    "SELECT seq, seq, seq * 1000000007, seq / 7e0, seq / 100, CONCAT('customer number ', seq), "
    "CONCAT('city ', seq % 977), ELT(1 + seq % 3, 'open', 'paid', 'sent'), '2026-01-01' + INTERVAL seq SECOND, seq % 2"
)


@dataclass(frozen=True, slots=True)
class Case:
    """A table, and the bare read that it is compared with."""

    name: str
    url: str
    options: dict[str, str]
    bare: Callable[[str, dict[str, str]], int]


def document(number: int) -> dict[str, object]:
    """One of 9 fields."""
    return {
        "number": number,
        "total": Int64(number * 1_000_000_007),
        "price": number / 7,
        "name": f"customer number {number}",
        "city": f"city {number % 977}",
        "status": ("open", "paid", "sent")[number % 3],
        "at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=number),
        "paid": number % 2 == 0,
    }


def read_mongodb(url: str, options: dict[str, str]) -> int:
    """Documents that `for document in collection.find()` gives."""
    with pymongo.MongoClient(url) as client:
        return sum(1 for _ in client[DATABASE][TABLE].find())


def read_mariadb(url: str, options: dict[str, str]) -> int:
    """Rows that an `SSCursor` gives."""
    port = int(url.rpartition(":")[2].partition("/")[0])
    login = {"user": options["username"], "password": options["password"], "database": DATABASE}
    connection = pymysql.connect(host="127.0.0.1", port=port, **login)  # type: ignore[arg-type]
    with connection, connection.cursor(pymysql.cursors.SSCursor) as cursor:
        cursor.execute(f"SELECT * FROM {TABLE}")
        return sum(1 for _ in cursor)


def snapshot(url: str, options: dict[str, str]) -> int:
    """Rows that a snapshot archives, columns and bytes, as Parquet on a disk."""
    with tempfile.TemporaryDirectory(prefix="streamsink-bench-") as folder:
        job = SnapshotJob(f"{folder}/topics", {}, url, "db", (TABLE,), given={"format.class": "parquet"})
        done = take_snapshot(job, open_database(url, options), stop=threading.Event(), report=lambda _: None)
    assert done.totals is not None, "it came to its end"
    return sum(each.rows for each in done.totals.values())


def _child(work: Callable[..., int], url: str, options: dict[str, str], end: Connection) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    tune_process()
    work(url, options)
    began_s, clock_s = time.process_time(), time.monotonic()
    rows = work(url, options)
    end.send((rows, time.process_time() - began_s, time.monotonic() - clock_s))


def measure(work: Callable[..., int], case: Case) -> tuple[float, float, int]:
    """Rows per CPU-second and per second, and the peak of memory in bytes, in a process of its own."""
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_child, args=(work, case.url, case.options, theirs))
    process.start()
    theirs.close()
    peak, until = 0, time.monotonic() + RUN_S_MAX
    while not ours.poll(SAMPLE_S):
        assert time.monotonic() < until, "it ends"
        peak = max(peak, memory_bytes(process.pid or 0))
    rows, cpu_s, clock_s = ours.recv()
    process.join(30)
    assert rows == ROWS, rows
    return rows / cpu_s, rows / clock_s, peak


def run(case: Case) -> None:
    """Print what a case gets: medians, and the least and most ratio of alternating runs."""
    runs = [(measure(case.bare, case), measure(snapshot, case)) for _ in range(RUNS)]
    ratios = [ours[0] / bare[0] for bare, ours in runs]
    clock = median(ours[1] for _, ours in runs)
    print(
        f"{case.name:8} {median(ratios):.2f} of a bare read ({min(ratios):.2f} - {max(ratios):.2f}), "
        f"{median(ours[0] for _, ours in runs):,.0f} rows per CPU-second beside "
        f"{median(bare[0] for bare, _ in runs):,.0f}, {clock:,.0f}/s by the clock, "
        f"peak {max(ours[2] for _, ours in runs) / 1e6:.0f} MB beside {max(bare[2] for bare, _ in runs) / 1e6:.0f}",
        flush=True,
    )


def _mongodb(folder: Path) -> None:
    server = MongoServer(folder)
    server.start()
    try:
        for start in range(0, ROWS, 10_000):
            some = range(start, min(ROWS, start + 10_000))
            server.client[DATABASE][TABLE].insert_many([document(number) for number in some])
        run(Case("MongoDB", server.url(DATABASE), {}, read_mongodb))
    finally:
        server.stop()


def _mariadb(folder: Path) -> None:
    server = MariaServer(folder)
    server.start()
    try:
        server.make_database(DATABASE)
        filled = f"INSERT INTO {TABLE} {_ROWS} FROM seq_1_to_{ROWS}"
        server.run(f"CREATE TABLE {TABLE} ({_COLUMNS})", filled, database=DATABASE)
        run(Case("MariaDB", server.url(DATABASE), server.options, read_mariadb))
    finally:
        server.stop()


def main() -> int:
    """Run both databases, those apart that `STREAMSINK_BENCH_ONLY` does not name."""
    print(f"{ROWS:,} rows, medians of {RUNS} runs, load {os.getloadavg()[0]:.0f}", flush=True)
    only = os.environ.get("STREAMSINK_BENCH_ONLY", "")
    for name, bench in (("mongodb", _mongodb), ("mariadb", _mariadb)):
        if not only or name in only:
            with tempfile.TemporaryDirectory(prefix="streamsink-bench-") as text:
                bench(Path(text))
    return 0
