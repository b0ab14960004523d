"""A source connector's task: replays its share of an archive, and what comes to it. Reads no configuration."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import structlog

from streamsink.archive.archive import Archive
from streamsink.archive.open import open_archive
from streamsink.config.reading.source import SourceConfig
from streamsink.errors import NothingThereError, TerminalError
from streamsink.observe.snapshot import TaskSnapshot
from streamsink.replay.fidelity import in_words
from streamsink.replay.find import Known, find_topic
from streamsink.replay.job import Progress, ReplayJob, ReplayReport
from streamsink.replay.plan import make_plan
from streamsink.replay.target import parse_partitions
from streamsink.replay.task import replay

IDLE_S = 1.0
REFRESH_S = 6 * 3600.0
"""A position is committed again so often, also where nothing comes: Kafka forgets it after a week by default."""

_log = structlog.get_logger("streamsink.replay")

Tell = Callable[[TaskSnapshot], None]


def run_source_task(config: SourceConfig, *, task_id: int, stop: threading.Event, report: Tell) -> None:
    """Replay until stopped. An archive that doesn't grow is replayed once.

    Args:
        config: The connector's configuration.
        task_id: The task's number, which decides its share of the partitions.
        stop: Ends the task.
        report: Told progress and state.

    Raises:
        TransientError: The store or the brokers can't be reached now.
        TerminalError: They refuse, or an object is corrupt.
    """
    task = _Task(config, task_id, report)
    _log.info("source task starts", archive=config.location, mode="continuous" if config.continuous else "bulk")
    try:
        while not stop.is_set():
            task.round(stop)
            if not config.continuous:
                break
            task.wait(stop, config.poll_interval_ms / 1000)
        while not stop.is_set():
            task.wait(stop, IDLE_S)
    finally:
        task.close()


class _Task:
    def __init__(self, config: SourceConfig, task_id: int, tell: Tell) -> None:
        self._config = config
        self._task_id = task_id
        self._tell = tell
        self._done: dict[str, ReplayReport] = {}
        self._known: Known = {}
        self._refresh_at_s: dict[str, float] = {}
        self._made_of: frozenset[str] = frozenset()
        self._left_out: set[str] = set()
        """Objects that were told to be left out; each is told once."""
        self._archive: Archive | None = None
        self._snapshot = TaskSnapshot(assigned=True)

    def round(self, stop: threading.Event) -> None:
        """Replay what there is now and was not replayed yet."""
        try:
            # Kept open, with its manifest as it was: of an object that came later its own description tells.
            self._archive = self._archive or open_archive(self._config.location, self._config.options)
        except NothingThereError:
            self._nothing()
            return
        found = self._config.topics or tuple(sorted({entry.parsed.topic for entry in self._archive.objects()}))
        for topic in found:
            if not stop.is_set():
                self._topic(self._archive, topic, stop)

    def close(self) -> None:
        """Let go of the store."""
        if self._archive is not None:
            self._archive.store.close()

    def wait(self, stop: threading.Event, seconds: float) -> None:
        """Wait, and say now and then that all is well."""
        deadline = time.monotonic() + seconds
        while not stop.is_set() and time.monotonic() < deadline:
            self._tell(self._snapshot)
            stop.wait(min(IDLE_S, max(0.0, deadline - time.monotonic())))

    def _topic(self, archive: Archive, topic: str, stop: threading.Event) -> None:
        job = self._job(topic)
        known = self._done.get(topic)
        try:
            fresh = time.monotonic() < self._refresh_at_s.get(topic, 0.0)
            if known is not None and fresh and not self._has_news(archive, topic, known):
                return
            before = self._snapshot.records_total

            def progress(reached: Progress) -> None:
                self._snapshot = replace(self._snapshot, records_total=before + reached.records)
                self._tell(self._snapshot)

            done = replay(archive, job, report=progress, stop=stop, known=self._known)
        except NothingThereError:
            self._nothing()
            return
        self._done[topic] = done
        self._refresh_at_s[topic] = time.monotonic() + REFRESH_S
        self._made_of |= done.made_of
        self._snapshot = replace(self._snapshot, last_commit_ms=int(time.time() * 1000), guarantee=self._guarantee())
        for error in done.left_out:
            if error.path in self._left_out:
                continue
            self._left_out.add(error.path)
            _log.warning("object left out", object=error.path, offsets=error.offsets, reason=error.reason)
        if known is None:
            for change in done.target_changes:
                _log.warning("target topic", topic=topic, to=job.to, change=change)
        if done.records:
            _log.info("replayed", topic=topic, to=job.to, records=done.records)

    def _guarantee(self) -> str:
        """Say for the status what readers of the target can rely on."""
        times = "each record once, for readers of committed records"
        told = times if self._config.transactional else "each record at least once"
        made = in_words(self._made_of)
        return f"{told}; {made}" if made else f"{told}, byte for byte"

    def _has_news(self, archive: Archive, topic: str, done: ReplayReport) -> bool:
        """Whether an object has come that may be this task's."""
        _, candidates = find_topic(archive, topic, self._known)
        # One that can't be read says nothing of its lane, so no position passes it.
        readable = [one for one in candidates if not (one.problem and one.path in self._left_out)]
        plan = make_plan(topic, readable, self._job(topic).selection, done.positions)
        own = {one.partition for one in done.plan.partitions}
        news = {one.partition for one in plan.partitions if one.objects}
        return any(partition in own or partition >= done.plan.partition_count for partition in news)

    def _nothing(self) -> None:
        if not self._config.continuous:
            raise TerminalError(
                f"there is nothing to replay in {self._config.location}", hint="is topics.dir right? see archive ls"
            )

    def _job(self, topic: str) -> ReplayJob:
        config = self._config
        return ReplayJob(
            to=config.target_of(topic),
            properties=config.producer,
            topic=topic,
            partitions=parse_partitions(config.partitions),
            transactional=config.transactional,
            resume_id=config.group,
            create_topic=config.create_topic,
            allow_same_topic=config.allow_same_topic,
            allow_target_changes=config.allow_target_changes,
            skip_corrupt=config.skip_corrupt,
            rate=config.rate,
            growing=config.continuous,
            share=(self._task_id, config.tasks_max),
        )
