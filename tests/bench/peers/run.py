"""`BENCH=peers`: other programs beside this sink, JSON to Parquet with Zstandard on a disk, in one run on one core.

CPU seconds are those of all processes with their start, on all sides, and each must have written every record. A second
topic with a fifth of the records tells what is left when the start is taken off.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.peers.bytewax import BYTEWAX
from tests.bench.peers.connect import CONNECT
from tests.bench.peers.flink import FLINK
from tests.bench.peers.peer import Job, Peer, check_files
from tests.bench.peers.quix import QUIX
from tests.bench.peers.spark import SPARK
from tests.bench.report import Bar, write_report

PEERS = (QUIX, BYTEWAX, SPARK, FLINK, CONNECT)
PART = 5

Used = dict[str, list[float]]
"""By case, CPU-seconds for a part of the records and for all."""


def main(
    runs: int,
    records: int,
    measured: Callable[[Any, Path, dict[str, int]], Used],
    made: Callable[[Path, dict[str, int]], Any],
) -> int:
    """Run all in turn, some times; 1 where one could not be had or failed.

    Args:
        runs: How often.
        records: How many there are in the topic.
        measured: What `consume()`, first, and our cases used for such topics.
        made: A broker with topics of so many records.
    """
    absent: dict[str, str] = {}
    peers = [peer for peer in PEERS if _tried(absent, peer, peer.fetch) is not None]
    topics = {"few": records // PART, "logs": records}
    found: list[Used] = []
    with tempfile.TemporaryDirectory(prefix="streamsink-bench-") as text:
        kafka = made(Path(text) / "kafka", topics)
        try:
            for run in range(runs):
                folder = Path(text) / f"run-{run}"
                used = measured(kafka, folder, topics)
                for peer in [peer for peer in peers if peer.name not in absent]:
                    place = folder / peer.name.partition(" ")[0].lower()
                    told = _tried(absent, peer, lambda: _used(peer, kafka.bootstrap, topics, place))  # noqa: B023
                    used |= {peer.name: told} if told else {}
                found.append(used)
                print("; ".join(f"{case} {few:.2f} {whole:.2f} s" for case, (few, whole) in used.items()), flush=True)
        finally:
            kafka.stop()
    title = f"JSON to Parquet, {records:,} records, start included: of consume() alone (red), by CPU"
    bars = _bars([{case: used for case, used in one.items() if case not in absent} for one in found], topics)
    write_report("peers", title, bars, absent=absent)
    return 1 if absent else 0


def _tried(absent: dict[str, str], peer: Peer, call: Callable[[], Any]) -> Any:
    """What a call gives, or None: then it is kept why."""
    try:
        return call() or True
    except (AssertionError, OSError, subprocess.SubprocessError) as error:
        print(f"{peer.name}: {error}", flush=True)
        absent[peer.name] = " ".join(str(error).split())[:300]
        return None


def _used(peer: Peer, bootstrap: str, topics: dict[str, int], folder: Path) -> list[float]:
    """CPU-seconds of a peer for each topic."""
    used = []
    for topic, count in topics.items():
        name = f"{folder.parent.name}_{folder.name}_{topic}".replace("-", "_")
        job = Job(bootstrap, topic, count, name, folder / topic)
        used.append(peer.run(job))
        check_files(job)
    return used


def _bars(found: Sequence[Used], topics: dict[str, int]) -> list[Bar]:
    raw, *cases = found[0]
    part, records = topics.values()
    bars = []
    for case in cases:
        ratios = [used[raw][1] / used[case][1] for used in found]
        rate = records / median(used[case][1] for used in found)
        rest_s = median(used[case][1] - used[case][0] for used in found)
        started = (records - part) / rest_s if rest_s > 0 else 0.0
        ours = case.startswith("streamsink")
        bars.append(Bar(case, rate, median(ratios), min(ratios), max(ratios), ours=ours, started=started))
    return bars
