"""`BENCH=peers`: Quix Streams beside this sink, JSON to Parquet with Zstandard on a disk, in one run on one core.

The peer is run by an environment of its own outside the tree, by this very file: one process, its sink for files,
commits each 200,000 records. CPU seconds are those of all processes with their start, on both sides.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

QUIX = "3.28.1"


def quix_python() -> Path:
    """The interpreter of an environment with Quix Streams, made once."""
    from tests.servers.process import CACHE  # noqa: PLC0415 - the peer's environment has no such package

    folder = CACHE / f"quix-{QUIX}"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=120)
        wanted = [f"quixstreams=={QUIX}", "pyarrow"]
        subprocess.run([str(python), "-m", "pip", "install", "-q", *wanted], check=True, timeout=600)
        (folder / "ready").touch()
    return python


def quix(bootstrap: str, topic: str, group: str, folder: Path, count: int) -> float:
    """Records per CPU-second of Quix, with its start."""
    # It takes no path with a hyphen.
    argv = [str(quix_python()), __file__, bootstrap, topic, group, folder.name, str(count)]
    pin = lambda: os.sched_setaffinity(0, {0})  # noqa: E731
    done = subprocess.run(argv, cwd=folder.parent, preexec_fn=pin, stdout=subprocess.PIPE, check=True, timeout=600)
    rows, cpu_s = done.stdout.decode().split()[-2:]
    assert int(rows) == count, f"Quix wrote {rows} of {count} records"
    return count / float(cpu_s)


def main(
    runs: int,
    records: int,
    measured: Callable[[Any, Path], dict[str, float]],
    made: Callable[[Path], Any],
) -> int:
    """Run both in turn, some times.

    Args:
        runs: How often.
        records: How many there are in the topic.
        measured: Rates of `consume()`, first, and of our cases.
        made: A broker with the topic `logs`.
    """
    from tests.bench.report import Bar, write_report  # noqa: PLC0415 - as above

    found: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="streamsink-bench-") as text:
        kafka = made(Path(text) / "kafka")
        try:
            for run in range(runs):
                folder = Path(text) / f"run-{run}"
                rates = measured(kafka, folder)
                rates[f"Quix Streams {QUIX}"] = quix(kafka.bootstrap, "logs", f"quix-{run}", folder / "quix", records)
                found.append(rates)
                print("; ".join(f"{case} {rate:,.0f}" for case, rate in rates.items()), flush=True)
        finally:
            kafka.stop()
    raw, *cases = found[0]
    bars = []
    for case in cases:
        ratios = [rates[case] / rates[raw] for rates in found]
        rate = median(rates[case] for rates in found)
        ours = not case.startswith("Quix")
        bars.append(Bar(case, rate, median(ratios), min(ratios), max(ratios), ours=ours))
    title = f"JSON to Parquet, {records:,} records, start included: of consume() alone (red), by CPU"
    write_report("peers", title, bars)
    return 0


def run_quix(bootstrap: str, topic: str, group: str, folder: str, count: str) -> None:
    """Archive so many records, and print how many rows the files have, and the CPU seconds."""
    from quixstreams import Application  # noqa: PLC0415 - in its environment alone
    from quixstreams.sinks.community.file.formats import ParquetFormat  # noqa: PLC0415
    from quixstreams.sinks.community.file.local import LocalFileSink  # noqa: PLC0415

    app = Application(
        bootstrap, consumer_group=group, auto_offset_reset="earliest", loglevel="ERROR", commit_every=200_000
    )
    sink = LocalFileSink(directory=folder, format=ParquetFormat(compression="zstd"))
    frame = app.dataframe(app.topic(topic, value_deserializer="json", key_deserializer="bytes"))
    frame.sink(sink)
    app.run(count=int(count), timeout=60, collect=False)
    used = resource.getrusage(resource.RUSAGE_SELF)

    import pyarrow.parquet as pq  # noqa: PLC0415

    rows = sum(pq.ParquetFile(path).metadata.num_rows for path in Path(folder).rglob("*.parquet"))
    print(rows, used.ru_utime + used.ru_stime)


if __name__ == "__main__":
    run_quix(*sys.argv[1:])
