"""Takes a snapshot into an archive: claims its number, and runs the sink's task over it. Prints nothing.

A snapshot that was killed goes on where the database opens the same view once more: under its number, with the task
looking for what is stored. Else the next one begins under the next number, and the half one stays as unfinished.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from streamsink.archive.archive import Archive
from streamsink.archive.open import place_for
from streamsink.database.claims import Claim, Claims
from streamsink.database.consumer import SnapshotConsumer
from streamsink.database.feed import Feed, RecordsFeed, TableFeed
from streamsink.database.frames import (
    BEGIN,
    END,
    Begin,
    TableTotals,
    begin_value,
    end_value,
    find_snapshots,
    frame_key,
    frames_topic,
    table_topics,
)
from streamsink.database.protocol import Database, Snapshot
from streamsink.database.settings import sink_config
from streamsink.errors import TerminalError
from streamsink.observe.snapshot import TaskSnapshot
from streamsink.observe.task_control import TaskOrders
from streamsink.record import TopicPartition
from streamsink.sink.build import build_task, tune_process
from streamsink.upload.open import open_store
from streamsink.upload.protocol import Store

BATCH_ROWS = 5_000
FRAMES_COUNT = 2

log = structlog.get_logger("streamsink.database")


@dataclass(frozen=True, slots=True)
class SnapshotJob:
    """An order to take a snapshot: of which tables, and where to.

    Attributes:
        location: The archive's URL, `topics.dir` included.
        options: Its store's.
        url: The database's, for the claim.
        prefix: What topics' names begin with.
        tables: Names; empty for all.
        rate: Rows a second at most.
        given: A connector's keys for objects: `format.class` and so on.
    """

    location: str
    options: Mapping[str, str]
    url: str
    prefix: str
    tables: tuple[str, ...] = ()
    rate: float | None = None
    given: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SnapshotProgress:
    """A snapshot's progress. `rows_total` is the database's guess."""

    rows: int
    rows_total: int | None
    objects: int
    bytes_stored: int


@dataclass(frozen=True, slots=True)
class SnapshotDone:
    """The outcome of a snapshot. `totals` by table are None where it was stopped before its end."""

    id: str
    number: int
    topic: str
    resumed: bool
    words: str
    seconds: float
    totals: Mapping[str, TableTotals] | None
    notices: Mapping[str, str]
    guarantee: str


Report = Callable[[SnapshotProgress], None]


def take_snapshot(job: SnapshotJob, database: Database, *, stop: threading.Event, report: Report) -> SnapshotDone:
    """Take a snapshot, or go on with the one that was killed.

    Args:
        job: What and where to.
        database: Whose.
        stop: Ends it in good order, before its end.
        report: Told each second how far it is.

    Returns:
        The snapshot. Its totals are None where it was stopped before its end.

    Raises:
        ConfigError: It can't be done as asked.
        SnapshotGoneError: The database gave the view up; another run starts anew.
        TransientError: Store or database can't be reached.
        TerminalError: One of them refuses.
    """
    began_s = time.monotonic()
    root, topics_dir = place_for(job.location, job.options)
    # What can't be used is said before a number is claimed.
    frames = frames_topic(job.prefix, database.name)
    sink_config(frames, [], url=root, topics_dir=topics_dir, options=job.options, given=job.given)
    store = open_store(root, job.options)
    try:
        opening = _Opening(job, database, store, topics_dir)
        snapshot, claim, resumed = opening.open()
        try:
            run = _Run(job, database.name, snapshot, claim, store, root, topics_dir)
            run.to_end(stop, report)
        finally:
            snapshot.close()
    finally:
        store.close()
    return SnapshotDone(
        claim.id,
        claim.number,
        opening.topic,
        resumed,
        snapshot.point.words,
        time.monotonic() - began_s,
        run.totals if run.finished else None,
        {table.name: table.notice for table in snapshot.tables if table.notice},
        run.guarantee,
    )


class _Opening:
    """Finds out whether a snapshot goes on or begins."""

    def __init__(self, job: SnapshotJob, database: Database, store: Store, topics_dir: str) -> None:
        self.topic = frames_topic(job.prefix, database.name)
        self._job = job
        self._database = database
        self._archive = Archive(store, job.location, f"{topics_dir}/")
        self._claims = Claims(store, topics_dir, self.topic)

    def open(self) -> tuple[Snapshot, Claim, bool]:
        """The open view, its claim, and whether it is that of a snapshot that was killed."""
        newest = self._claims.newest()
        if newest is not None and self._goes_on(newest):
            try:
                snapshot = self._database.snapshot(newest.found, newest.point)
            except TerminalError as error:
                log.warning(
                    "the unfinished snapshot can't go on: a new one begins", snapshot=newest.id, reason=error.message
                )
            else:
                log.info("the unfinished snapshot goes on", snapshot=newest.id)
                return snapshot, newest, True
        snapshot = self._database.snapshot(self._job.tables)
        try:
            claim = self._claims.take(
                0 if newest is None else newest.number,
                at_ms=int(time.time() * 1000),
                url=self._job.url,
                tables=self._job.tables,
                found=tuple(table.name for table in snapshot.tables),
                point=snapshot.point,
            )
        except BaseException:
            snapshot.close()
            raise
        return snapshot, claim, False

    def _goes_on(self, claim: Claim) -> bool:
        same = (claim.url, claim.tables) == (self._job.url, self._job.tables)
        if not claim.point.returns or not same:
            return False
        ended = {each.number for each in find_snapshots(self._archive, self.topic) if each.totals is not None}
        return claim.number not in ended


class _Run:
    """One snapshot under way."""

    def __init__(
        self,
        job: SnapshotJob,
        database: str,
        snapshot: Snapshot,
        claim: Claim,
        store: Store,
        root: str,
        topics_dir: str,
    ) -> None:
        tables = tuple(snapshot.tables)
        frames = frames_topic(job.prefix, database)
        topics = table_topics(job.prefix, database, [table.name for table in tables])
        if len(set(topics.values())) < len(tables):
            raise TerminalError(
                f"tables of {database} share the name of a topic", hint="take some of them with --table"
            )
        self._begin = Begin(claim.id, database, claim.at_ms, snapshot.point, snapshot.structure, tables, topics)
        self._frames = TopicPartition(frames, claim.number)
        batch_rows = BATCH_ROWS if job.rate is None else max(1, min(BATCH_ROWS, int(job.rate)))
        self._feeds: list[TableFeed] = [
            TableFeed(
                snapshot,
                table,
                TopicPartition(topics[table.name], claim.number),
                snapshot_id=claim.id,
                at_ms=claim.at_ms,
                batch_rows=batch_rows,
            )
            for table in tables
        ]
        self._store = store
        self._config = sink_config(
            frames,
            [(topics[table.name], table) for table in tables],
            url=root,
            topics_dir=topics_dir,
            options=job.options,
            given=job.given,
        )
        guesses = [table.rows_estimate for table in tables]
        self._rows_total = None if None in guesses else sum(guess or 0 for guess in guesses)
        self._orders = TaskOrders(lambda _: None)
        self._consumer = SnapshotConsumer(
            [self._frames, *(feed.partition for feed in self._feeds)],
            [self._first, lambda: self._feeds, self._last],
            told_all=lambda: self._orders.flush(0),
            finished=self._orders.set,
            rate=job.rate,
        )
        self.guarantee = ""

    @property
    def totals(self) -> dict[str, TableTotals]:
        """By table; known once all rows were read."""
        return {feed.table.name: feed.totals for feed in self._feeds if feed.totals is not None}

    @property
    def finished(self) -> bool:
        """Whether the end record is stored."""
        return self._consumer.committed(self._frames) == FRAMES_COUNT

    def to_end(self, stop: threading.Event, report: Report) -> None:
        """Run the task until the end record is stored, or `stop` is set. Raises as `take_snapshot`."""
        tune_process()
        task = build_task(self._config, 0, self._store, self._consumer.listened_to_by, in_kafka=False)
        frames = FRAMES_COUNT

        def told(seen: TaskSnapshot) -> None:
            if stop.is_set():
                self._orders.set()
            self.guarantee = seen.guarantee
            rows = max(0, self._consumer.rows_given - frames)
            report(SnapshotProgress(rows, self._rows_total, seen.objects_stored_total, seen.bytes_stored_total))

        try:
            task.run(self._orders, told)
        finally:
            task.close()

    def _first(self) -> list[Feed]:
        return [RecordsFeed(self._frames, self._begin.at_ms, self._records())]

    def _last(self) -> list[Feed]:
        ended = end_value(self._begin, self.totals, int(time.time() * 1000))
        records = [*self._records(), (frame_key(self._begin, END), ended)]
        return [RecordsFeed(self._frames, self._begin.at_ms, records)]

    def _records(self) -> list[tuple[bytes, bytes]]:
        return [(frame_key(self._begin, BEGIN), begin_value(self._begin))]
