"""Counts what a storm did and found, and puts it into words and JSON. Decides nothing."""

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.storm.harness.oracle import Verdict
from tests.storm.harness.plan import BROKER_FAULTS, FREEZES, KILLS, RETURNS, Kind, Plan

COLUMNS = ("kills", "freezes", "broker", "store", "back", "records", "lost", "doubled", "differing", "beyond", "stuck")


@dataclass(slots=True)
class Report:
    """One storm's sums. Any thread may count."""

    plan: Plan
    done: Counter[Kind] = field(default_factory=Counter)
    store_faults: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    """Tasks that stood at FAILED and were started again, by the first line of their trace."""
    verdicts: list[Verdict] = field(default_factory=list)
    stuck: dict[str, str] = field(default_factory=dict)
    """Partitions that were not archived to their end in time, and where they stood."""
    errors: list[str] = field(default_factory=list)
    """What the harness itself could not do."""
    standstill_s: float = 0.0
    """The longest that a partition's commits stood still while records waited, where that was watched."""
    standstill_where: str = ""
    """Its partition, its committed offset and the time of day at its end."""
    started_s: float = field(default_factory=time.time)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, kind: Kind) -> None:
        """A fault has happened."""
        with self._lock:
            self.done[kind] += 1

    def failed(self, trace: str) -> None:
        """A task has failed and was started again by hand."""
        with self._lock:
            self.failures[trace] += 1

    @property
    def good(self) -> bool:
        """Whether every record is stored once, and the harness did all it meant to."""
        return not self.stuck and not self.errors and all(verdict.good for verdict in self.verdicts)

    def sums(self) -> dict[str, int]:
        """The columns of the table."""

        def of(kinds: frozenset[Kind]) -> int:
            return sum(self.done[kind] for kind in kinds)

        found = {"lost": 0, "doubled": 0, "differing": 0, "beyond": 0, "records": 0}
        for verdict in self.verdicts:
            for name in found:
                found[name] += verdict.counts[name]
        return {
            "kills": of(KILLS),
            "freezes": of(FREEZES),
            "broker": of(BROKER_FAULTS),
            "store": self.store_faults,
            "back": of(RETURNS),
            **found,
            "stuck": len(self.stuck),
        }

    def line(self) -> str:
        """One row for a person."""
        plan = self.plan
        who = f"seed {plan.seed} {plan.protocol} {plan.grouping} {plan.store} {plan.client}"
        return f"{who}: " + ", ".join(f"{value:,} {name}" for name, value in self.sums().items())

    def details(self) -> str:
        """What is not as it should be, with offsets."""
        lines = [f"stuck: {where}: {how}" for where, how in sorted(self.stuck.items())]
        lines += [f"harness: {error}" for error in self.errors]
        for verdict in self.verdicts:
            lines += verdict.lines()
        lines += [f"failed {count} times: {trace}" for trace, count in self.failures.most_common()]
        return "\n".join(lines)

    def append_to(self, path: Path) -> None:
        """One line of JSON."""
        plan = self.plan
        told = {
            "seed": plan.seed,
            "protocol": plan.protocol,
            "grouping": plan.grouping,
            "store_kind": plan.store,
            "static_members": plan.static_members,
            "client": plan.client,
            "overtaken": plan.overtaken,
            "made_anew": plan.made_anew,
            "seconds": plan.seconds,
            "took_s": round(time.time() - self.started_s, 1),
            "good": self.good,
            **self.sums(),
            "faults": {str(kind): count for kind, count in sorted(self.done.items())},
            "failures": dict(self.failures),
            "details": self.details(),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(json.dumps(told) + "\n")


def table(rows: list[dict[str, int]], names: list[str]) -> str:
    """Rows with their sums below."""
    total = {column: sum(row[column] for row in rows) for column in COLUMNS}
    wide = max([len(name) for name in names] + [len("all")])
    head = " " * wide + "".join(f"{column:>12}" for column in COLUMNS)
    body = [
        f"{name:<{wide}}" + "".join(f"{row[column]:>12,}" for column in COLUMNS)
        for name, row in [*zip(names, rows, strict=True), ("all", total)]
    ]
    return "\n".join([head, *body])
