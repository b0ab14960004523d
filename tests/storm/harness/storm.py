"""One storm: starts all that takes part, lets the plan happen, waits for calm, and has the oracle judge."""

import random
import shutil
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from confluent_kafka import KafkaException

from tests.servers.worker import wait_until
from tests.storm.harness import aftermath
from tests.storm.harness.broker import StormBroker
from tests.storm.harness.faults import Sleep, Target
from tests.storm.harness.oracle import Place, compare, rows_of
from tests.storm.harness.plan import Fault, Grouping, Plan, StoreKind
from tests.storm.harness.producer import Source
from tests.storm.harness.report import Report
from tests.storm.harness.sinks import Manner, Sink, connector, sinks_of
from tests.storm.harness.store import LocalFolder, StormS3
from tests.storm.harness.watch import Watch
from tests.storm.harness.witness import Witness, readable_offsets
from tests.storm.harness.workers import StormWorker, failed_tasks

SETTLE_S = 180.0
OPERATOR_S = 2.0
COMPACTED_S = 60.0
COMPACTED_RECORDS = 3000
PROGRESS_S = 30.0


class Storm:
    """Everything that takes part in one storm. Use as a context: what was started ends with it."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder = plan, folder
        self.report = Report(plan)
        self.sinks = sinks_of(plan)
        self.broker = StormBroker(folder / "kafka")
        local = plan.store is StoreKind.LOCAL
        self.store = LocalFolder(folder / "archive") if local else StormS3(folder / "s3", plan.seed)
        self.workers = [
            StormWorker(
                folder / f"worker-{number}",
                self.broker.bootstrap,
                plan.grouping,
                random.Random(f"{plan.seed}-worker-{number}"),
            )
            for number in range(plan.workers)
        ]
        self.witness: Witness
        self._dice = random.Random(plan.seed)

    def __enter__(self) -> Self:
        """Start servers, make topics and connectors, start workers."""
        self.broker.start()
        for sink in self.sinks:
            self.broker.create_topic(sink.name, sink.partitions, dict(sink.topic))
        self.witness = self.watch(self.sinks)
        self._compact()
        for number, worker in enumerate(self.workers):
            worker.sinks = [sink.name for sink in self.sinks]
            if self.plan.grouping is Grouping.STANDALONE:
                for sink in self.sinks:
                    worker.server.connector(sink.name, self.config(sink, number))
            worker.start()
        if self.plan.grouping is Grouping.DISTRIBUTED:
            self._create_connectors()
        return self

    def _compact(self) -> None:
        """Begin compacted topics with holes, and compact no more.

        Compaction that takes the record an object is named by, before the object is committed, makes the next task name
        the rest by a later record, and store it twice.
        """
        for sink in self.sinks:
            if sink.manner is not Manner.COMPACTED:
                continue
            source = Source(self.broker.direct, sink, records_a_second=1, seed=self.plan.seed)
            deadline = time.monotonic() + COMPACTED_S
            produced, left = 0, 0
            while left == produced:
                assert time.monotonic() < deadline, f"{sink.name} is not compacted"
                source.turn(COMPACTED_RECORDS)
                source.finish()
                produced += COMPACTED_RECORDS
                time.sleep(2)
                left = sum(map(len, readable_offsets(self.broker.direct, sink.places).values()))
            self.broker.configure_topic(sink.name, "min.compaction.lag.ms", "86400000")

    def __exit__(self, *_: object) -> None:
        """End everything."""
        for worker in self.workers:
            if worker.server.running:
                worker.server.kill()
        self.witness.stop()
        self.broker.stop()
        self.store.stop()

    def run(self, *, watched: bool = False) -> Report:
        """The storm, its calm, its verdict, and what the plan has for afterwards.

        Args:
            watched: Whether to note how long commits stand still.
        """
        sources = self._sources()
        for source in sources:
            source.start()
        watch = Watch(self.broker, self.sinks) if watched else None
        if watch is not None:
            watch.start()
        with self._operator():
            self._rage()
            for source in sources:
                source.stop()
            settled = self.settle(self.sinks)
        if watch is not None:
            self.report.standstill_s, self.report.standstill_where = watch.stop()
        self.report.store_faults = self.store.faults
        self.judge("after the storm", self.sinks, self.witness)
        if settled:
            try:
                self._aftermath()
            except Exception:  # noqa: BLE001 - what was found before is worth telling
                self.report.errors.append(traceback.format_exc())
        return self.report

    def _aftermath(self) -> None:
        if self.plan.overtaken:
            aftermath.retention_overtakes(self)
        if self.plan.made_anew:
            aftermath.topic_is_made_anew(self)
        for worker in self.workers:
            assert worker.server.terminate() == 0, f"{worker.server.url} did not stop in order"

    def config(self, sink: Sink, worker: int) -> dict[str, str]:
        """A sink's configuration."""
        return connector(sink, self.plan, url=self.store.url(sink.name), options=self.store.options, worker=worker)

    def watch(self, sinks: list[Sink]) -> Witness:
        """Begin to read topics."""
        witness = Witness(self.broker.direct, [place for sink in sinks for place in sink.places])
        witness.start()
        return witness

    def settle(self, sinks: list[Sink], *, timeout_s: float = SETTLE_S) -> bool:
        """Wait until all is committed; whether it is."""
        deadline = time.monotonic() + timeout_s
        while behind := self._behind(sinks):
            if time.monotonic() > deadline:
                self.report.stuck.update(behind)
                return False
            time.sleep(0.5)
        return True

    def judge(self, when: str, sinks: list[Sink], witness: Witness, topics_dir: str = "topics") -> None:
        """Hold all that is stored against all that was seen."""
        witness.caught_up(self.broker.ends(place for sink in sinks for place in sink.places))
        compacted = [place for sink in sinks if sink.manner is Manner.COMPACTED for place in sink.places]
        truths = witness.truths(readable_offsets(self.broker.direct, compacted) if compacted else None)
        self.report.verdicts.append(compare(when, truths, self.stored(sinks, topics_dir)))

    def judge_commits(self, when: str) -> None:
        """Hold what is committed at this moment against what is stored, while the storm goes on."""
        plain = [sink for sink in self.sinks if sink.manner is not Manner.COMPACTED]
        committed: dict[Place, int] = {}
        for sink in plain:
            committed.update(self.broker.committed(sink.group, sink.places))
        self.witness.caught_up(committed)
        stored = self.stored(plain, "topics")
        truths = {place: truth for place, truth in self.witness.truths().items() if place in committed}
        ends = {place: self.witness.position(place) for place in committed}
        stored = {place: table.filter(_below(table, ends[place])) for place, table in stored.items()}
        self.report.verdicts.append(compare(when, truths, stored, below=committed))

    def stored(self, sinks: list[Sink], topics_dir: str = "topics") -> dict:
        """Every record of every object."""
        return rows_of(found for sink in sinks for found in self.store.objects(sink.name, topics_dir))

    def _behind(self, sinks: list[Sink]) -> dict[str, str]:
        behind = {}
        for sink in sinks:
            committed = self.broker.committed(sink.group, sink.places)
            for place, end in self.broker.ends(sink.places).items():
                if committed[place] != end:
                    behind[f"{sink.name}-{place[1]}"] = f"committed {committed[place]} of {end}"
        return behind

    def _sources(self) -> list[Source]:
        return [
            Source(
                self.broker.direct,
                sink,
                records_a_second=int(self.plan.records_a_second * sink.share),
                seed=self.plan.seed,
            )
            for sink in self.sinks
        ]

    def _rage(self) -> None:
        """Let everything of the plan happen."""
        suffers = {worker.server.folder.name: worker.suffer for worker in self.workers}
        suffers |= {"broker": self.broker.suffer, "store": self.store.suffer, "topic": self._trim}
        suffers |= dict.fromkeys(self.plan.targets.keys() - suffers.keys(), self._some_worker)
        targets = [Target(name, faults, suffers[name], self.report) for name, faults in self.plan.targets.items()]
        for target in targets:
            target.start()
        ends = time.monotonic() + self.plan.seconds
        targets[0].join(self.plan.seconds / 2)
        self.judge_commits("within the storm")
        tell_at = time.monotonic()
        while time.monotonic() < ends and any(target.is_alive() for target in targets):
            time.sleep(0.2)
            if time.monotonic() > tell_at:
                tell_at += PROGRESS_S
                self.report.store_faults = self.store.faults
                print(f"{ends - time.monotonic():.0f} s left, {self.report.line()}", flush=True)
        for target in targets:
            target.end()
        for target in targets:
            target.join(150)
            if target.is_alive():
                self.report.errors.append(f"{target.name} does not end")

    def _some_worker(self, fault: Fault, sleep: Sleep) -> bool:
        """One that has a task to suffer, at this moment, if there is any."""
        working = [worker for worker in self.workers if worker.task_pids()]
        return bool(working) and self._dice.choice(working).suffer(fault, sleep)

    def _trim(self, fault: Fault, sleep: Sleep) -> bool:
        """Retention follows: what is committed goes, of one partition of the plain topic."""
        sink = self.sinks[0]
        try:
            committed = self.broker.committed(sink.group, sink.places)
            place, offset = max(committed.items(), key=lambda item: item[1])
            self.witness.caught_up({place: offset})
            self.broker.delete_records(place, offset)
        except KafkaException:
            return False
        return True

    def _create_connectors(self) -> None:
        first = self.workers[0]
        for sink in self.sinks:
            body = {"name": sink.name, "config": self.config(sink, 0)}
            wait_until(
                f"{sink.name} is created",
                lambda body=body: first.ask("POST", "/connectors", body, timeout_s=90)[0] in {201, 409},
                timeout_s=120,
                worker=first.server,
            )

    @contextmanager
    def _operator(self) -> Iterator[None]:
        """Somebody who starts failed tasks again, and notes why they failed."""
        done = threading.Event()

        def watch() -> None:
            while not done.wait(OPERATOR_S):
                for worker, task in failed_tasks(self.workers):
                    self.report.failed(task["trace"].splitlines()[0])
                    worker.ask("POST", f"/connectors/{task['sink']}/restart?includeTasks=true&onlyFailed=true")

        thread = threading.Thread(target=watch, daemon=True, name="operator")
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join(60)


def _below(table, offset):
    return [at < offset for at in table.column("offset").to_pylist()]


def run_storm(plan: Plan, folder: Path, *, watched: bool = False) -> Report:
    """Run a storm in its own folder, which stays only where something went wrong; see `Storm.run`."""
    folder.mkdir(parents=True)
    try:
        with Storm(plan, folder) as storm:
            report = storm.run(watched=watched)
    except Exception as error:
        error.add_note(f"seed {plan.seed}, logs in {folder}")
        raise
    if report.good:
        shutil.rmtree(folder, ignore_errors=True)
    return report
