"""Tries a store's abilities in a folder that is made for it and removed again. Decides nothing."""

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
from streamsink.upload.object_store import ObjectStore
from streamsink.upload.protection import Protection, protection_of
from streamsink.upload.protocol import Store

FOLDER = "_streamsink/check"
WRITERS = 8
ROUNDS_MIN, ROUNDS_MAX, ROUNDS_MAX_WEBDAV = 5, 100, 1000
"""How often writers race where nobody says: some WebDAV servers let two win in one round of a hundred."""
RACE_S_MAX = 30.0
SMALL_OBJECTS = 5
_METADATA = {"streamsink-check": "what was given comes back"}


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer to one question about a store. `good` is None where the answer is a figure."""

    question: str
    answer: str
    good: bool | None = None


@dataclass(slots=True)
class Report:
    """All findings about a store; figures in `latency_ms` by kind of call, and bytes a second."""

    url: str
    create_conflicts: bool = False
    create_atomic: bool = False
    """Whether one of many writers at once won, too."""
    keeps_metadata: bool = False
    lists_at_once: bool = False
    reads_ranges: bool = False
    deletes: bool = False
    protection: Protection = field(default_factory=Protection)
    """Of an object that the check wrote."""
    sends_checksums: bool | None = None
    """Whether uploads carry a checksum that the server checks; None where the kind of store knows none."""
    latency_ms: dict[str, float] = field(default_factory=dict)
    write_bytes_per_s: float = 0.0
    read_bytes_per_s: float = 0.0
    winners: list[int] = field(default_factory=list)

    @property
    def exactly_once(self) -> bool:
        """Whether the store has all that `exactly.once=required` needs."""
        return self.create_conflicts and self.create_atomic and self.reads_ranges


def check_store(
    open_another: Callable[[], Store],
    *,
    size_bytes: int,
    rounds: int | None,
    stage: Callable[[str], None] = lambda _: None,
) -> Report:
    """Use a store, and report its abilities.

    Args:
        open_another: Opens it; each opening stands for another process.
        size_bytes: Of the object that throughput is measured with.
        rounds: How often writers race; None until two have won one name, or rounds or time are enough.
        stage: Told the work that begins, in words.

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
            stage("creating one name twice")
            _check_create(store, f"{folder}/once", report)
            bound = "" if rounds else f", for {RACE_S_MAX:.0f} s at most"
            stage(f"{WRITERS} writers race for one name{bound}")
            _check_race([open_one() for _ in range(WRITERS)], folder, report, rounds)
            stage("reading it again")
            _check_reading(store, f"{folder}/größe a+b=c%20d", report)
            stage(f"measuring with {size_bytes / 1e6:,.0f} MB")
            _measure(store, folder, report, size_bytes)
            report.protection = protection_of(store, f"{folder}/once")
            report.sends_checksums = store.sends_checksums if isinstance(store, ObjectStore) else None
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
    yield from _protection(report)
    for call, latency_ms in report.latency_ms.items():
        yield Finding(f"{call}, median", f"{latency_ms:.1f} ms")
    yield Finding("writes", f"{report.write_bytes_per_s / 1e6:.1f} MB/s, one object at a time")
    yield Finding("reads", f"{report.read_bytes_per_s / 1e6:.1f} MB/s, one object at a time")


def _protection(report: Report) -> Iterator[Finding]:
    """What an operator wants to know of an archive that nobody is to lose, or that somebody is to thin out."""
    kept, unknown = report.protection, "this store can't tell"
    if report.sends_checksums is not None:
        yield Finding(
            "checks uploads", "yes: each carries its SHA-256" if report.sends_checksums else "no: it takes no checksum"
        )
    versions = {None: unknown, True: "yes: what is deleted stays there as an older version", False: "no"}
    yield Finding("keeps versions", versions[kept.versioned])
    unlocked = "no: what was just written can be removed; or these keys may not see its lock"
    yield Finding("locks objects", {None: unknown, True: f"yes: {kept.lock}", False: unlocked}[kept.locked])
    hidden = "; older versions stay" + (", which can't be deleted" if kept.locked else "") if kept.versioned else ""
    yield Finding("deletes", f"yes{hidden}" if report.deletes else "no: what the check wrote is still there")


def _span(winners: list[int]) -> str:
    low, high = min(winners, default=0), max(winners, default=0)
    return str(low) if low == high else f"{low} to {high}"


def _check_create(store: Store, name: str, report: Report) -> None:
    with contextlib.suppress(AlreadyExistsError):
        # The name is fresh: an object there is our own, written by an earlier try of this request.
        store.create(name, b"first", _METADATA)
    try:
        store.create(name, b"second, longer", _METADATA)
    except AlreadyExistsError:
        report.create_conflicts = store.get(name) == b"first"


def _check_race(stores: list[Store], folder: str, report: Report, rounds: int | None) -> None:
    gate = threading.Barrier(len(stores))

    def write(number: int, name: str) -> int | None:
        gate.wait(timeout=60)
        try:
            stores[number].create(name, f"writer {number}".encode(), {})
        except AlreadyExistsError:
            return None
        return number

    kept = True
    ends = time.monotonic() + RACE_S_MAX
    with ThreadPoolExecutor(len(stores)) as pool:
        while kept and _goes_on(len(report.winners), rounds, report.url, in_time=time.monotonic() < ends):
            name = f"{folder}/race-{len(report.winners)}"
            numbers = range(len(stores))
            won = [one for one in pool.map(write, numbers, [name] * len(stores)) if one is not None]
            report.winners.append(len(won))
            kept = [stores[0].get(name)] == [f"writer {one}".encode() for one in won]
            with contextlib.suppress(StreamsinkError):
                stores[0].delete(name)
    report.create_atomic = kept and report.create_conflicts


def _goes_on(done: int, rounds: int | None, url: str, *, in_time: bool) -> bool:
    """Whether another race is worth it, as long as one writer has won each."""
    if rounds is not None:
        return done < rounds
    enough = ROUNDS_MAX_WEBDAV if url.startswith("webdav") else ROUNDS_MAX
    return done < ROUNDS_MIN or (in_time and done < enough)


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
    """Remove the check's objects, and say whether they are gone."""
    try:
        for info in list(store.list(f"{folder}/")):
            store.delete(info.name)
        return not list(store.list(f"{folder}/"))
    except StreamsinkError:
        return False
