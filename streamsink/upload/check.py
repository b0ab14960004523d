"""Finds out what a store can do by using it, in a folder of its own that is removed again. Decides nothing."""

from __future__ import annotations

import contextlib
import os
import statistics
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from streamsink.errors import AlreadyExistsError, StreamsinkError, TerminalError
from streamsink.upload.protocol import Store

FOLDER = "_streamsink/check"
WRITERS = 8
SMALL_OBJECTS = 5
_METADATA = {"streamsink-check": "what was given comes back"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One question to a store: what it can do, or why not. `good` is None where it is a figure."""

    question: str
    answer: str
    good: bool | None = None


@dataclass(slots=True)
class Report:
    """What was found out; figures in `latency_ms` by kind of call, and bytes a second."""

    url: str
    create_conflicts: bool = False
    create_atomic: bool = False
    """Whether one of many writers at once won, too."""
    keeps_metadata: bool = False
    lists_at_once: bool = False
    reads_ranges: bool = False
    deletes: bool = False
    latency_ms: dict[str, float] = field(default_factory=dict)
    write_bytes_per_s: float = 0.0
    read_bytes_per_s: float = 0.0
    winners: list[int] = field(default_factory=list)

    @property
    def exactly_once(self) -> bool:
        """Whether `exactly.once=required` has what it needs."""
        return self.create_conflicts and self.create_atomic and self.reads_ranges


def check_store(open_another: Callable[[], Store], *, size_bytes: int, rounds: int) -> Report:
    """Use a store, and tell what it can do.

    Args:
        open_another: Opens it; each opening stands for another process.
        size_bytes: Of the object that throughput is measured with.
        rounds: How often writers race.

    Raises:
        TransientError: The store is away.
        TerminalError: Missing bucket, wrong credentials, read-only folder.
    """
    with contextlib.ExitStack() as opened:

        def open_one() -> Store:
            store = open_another()
            opened.callback(store.close)
            return store

        store = open_one()
        report = Report(store.url)
        folder = f"{FOLDER}/{uuid.uuid4().hex}"
        try:
            _check_create(store, f"{folder}/once", report)
            _check_race([open_one() for _ in range(WRITERS)], folder, report, rounds)
            _check_reading(store, f"{folder}/größe a+b=c%20d", report)
            _measure(store, folder, report, size_bytes)
        finally:
            report.deletes = _clean_up(store, folder)
    return report


def findings(report: Report) -> Iterator[Finding]:
    """The report as questions and answers, for people."""
    conflicts = "yes: a second create of one name is refused"
    yield Finding(
        "creates without overwriting",
        conflicts if report.create_conflicts else "no: a second create of one name overwrote the first",
        report.create_conflicts,
    )
    rounds = len(report.winners)
    yield Finding(
        "creates atomically",
        f"{'yes' if report.create_atomic else 'no'}: of {WRITERS} writers at once, {_span(report.winners)} won in each "
        f"of {rounds} rounds"
        if report.create_conflicts
        else "no",
        report.create_atomic,
    )
    yield Finding(
        "exactly.once=required", "can run" if report.exactly_once else "is refused or unsafe", report.exactly_once
    )
    yield Finding("keeps metadata", "yes" if report.keeps_metadata else "no: sidecars are written where needed", None)
    yield Finding(
        "lists at once", "yes" if report.lists_at_once else "no: a new object is not listed yet", report.lists_at_once
    )
    yield Finding("reads ranges", "yes" if report.reads_ranges else "no", report.reads_ranges)
    yield Finding("deletes", "yes" if report.deletes else "no: what the check wrote is still there", None)
    for call, latency_ms in report.latency_ms.items():
        yield Finding(f"{call}, median", f"{latency_ms:.1f} ms")
    yield Finding("writes", f"{report.write_bytes_per_s / 1e6:.1f} MB/s, one object at a time")
    yield Finding("reads", f"{report.read_bytes_per_s / 1e6:.1f} MB/s, one object at a time")


def _span(winners: list[int]) -> str:
    low, high = min(winners, default=0), max(winners, default=0)
    return str(low) if low == high else f"{low} to {high}"


def _check_create(store: Store, name: str, report: Report) -> None:
    with contextlib.suppress(AlreadyExistsError):
        # The name is fresh: what exists is what a repeated request of ours has just written.
        store.create(name, b"first", _METADATA)
    try:
        store.create(name, b"second, longer", _METADATA)
    except AlreadyExistsError:
        report.create_conflicts = store.get(name) == b"first"


def _check_race(stores: list[Store], folder: str, report: Report, rounds: int) -> None:
    gate = threading.Barrier(len(stores))

    def write(number: int, name: str) -> int | None:
        gate.wait(timeout=60)
        try:
            stores[number].create(name, f"writer {number}".encode(), {})
        except AlreadyExistsError:
            return None
        return number

    kept = True
    with ThreadPoolExecutor(len(stores)) as pool:
        for at in range(rounds):
            name = f"{folder}/race-{at}"
            numbers = range(len(stores))
            won = [one for one in pool.map(write, numbers, [name] * len(stores)) if one is not None]
            report.winners.append(len(won))
            kept = kept and [stores[0].get(name)] == [f"writer {one}".encode() for one in won]
    report.create_atomic = kept and report.create_conflicts


def _check_reading(store: Store, name: str, report: Report) -> None:
    store.create(name, b"0123456789", _METADATA)
    info = store.head(name)
    if info is None or info.size_bytes != 10:
        raise TerminalError(f"{store.url}: what was just created is not there", hint="don't archive into this store")
    report.keeps_metadata = dict(info.metadata) == _METADATA
    report.lists_at_once = name in {one.name for one in store.list(name.rpartition("/")[0] + "/")}
    report.reads_ranges = store.get_range(name, 2, 3) == b"234" and store.get_range(name, -4, 4) == b"6789"


def _measure(store: Store, folder: str, report: Report, size_bytes: int) -> None:
    name = f"{folder}/small"
    calls: dict[str, Callable[[int], object]] = {
        "create": lambda at: store.create(f"{name}-{at}", b"x" * 100, {}),
        "head": lambda at: store.head(f"{name}-{at}"),
        "get": lambda at: store.get(f"{name}-{at}"),
        "list": lambda _: list(store.list(f"{folder}/")),
    }
    for call, ask in calls.items():
        times_s = [_timed(lambda at=at, ask=ask: ask(at)) for at in range(SMALL_OBJECTS)]  # type: ignore[misc]
        report.latency_ms[call] = statistics.median(times_s) * 1000
    data = os.urandom(size_bytes)
    report.write_bytes_per_s = size_bytes / _timed(lambda: store.create(f"{folder}/large", data, {}))
    report.read_bytes_per_s = size_bytes / _timed(lambda: store.get(f"{folder}/large"))


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return max(time.perf_counter() - began, 1e-9)


def _clean_up(store: Store, folder: str) -> bool:
    """Remove what the check wrote, and say whether it is gone."""
    try:
        for info in list(store.list(f"{folder}/")):
            store.delete(info.name)
        return not list(store.list(f"{folder}/"))
    except StreamsinkError:
        return False
