"""`make bench BENCH=cores`: what one task, two and four archive by the clock on two cores, beside the broker.

A task reads, decodes and encodes in one thread; librdkafka and uploads have threads of their own. The broker is on the
same cores, so that twice the rate can't be had; its share is printed.
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

from tests.servers.kafka import KafkaServer

CORES = sorted(os.sched_getaffinity(0))[:2]
CASES = {
    "JSON": {"value.converter": "json", "archive.value": "columns"},
    "JSON, native": {"value.converter": "json", "archive.value": "columns", "consumer.native": "true"},
    "raw": {"value.converter": "bytes", "archive.value": "raw"},
}
TASKS = (1, 2, 4)

Archived = Callable[..., tuple[float, float, int, float]]


def main(runs: int, archive: Archived, with_logs: Callable[[Path], KafkaServer]) -> int:
    """Print the rates by the clock and by CPU, medians of the runs, and each beside that of one task."""
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="streamsink-bench-") as text:
        folder = Path(text)
        kafka = with_logs(folder / "kafka")
        try:
            for run in range(runs):
                for number, (case, config) in enumerate(CASES.items()):
                    for tasks in TASKS:
                        name = f"cores-{run}-{number}-{tasks}"
                        asked = {**config, "tasks.max": str(tasks)}
                        by_cpu, wall, _, _ = archive(kafka, "logs", name, asked, folder / name, cores=CORES)
                        found.setdefault((case, tasks), []).append((wall, by_cpu))
        finally:
            kafka.stop()
    for (case, tasks), rates in found.items():
        wall, by_cpu = (median(each) for each in zip(*rates, strict=True))
        one = median(rate for rate, _ in found[case, 1])
        print(
            f"{case:14} {tasks} tasks on {len(CORES)} cores: {wall:,.0f} records/s by the clock, {wall / one:.2f} of "
            f"one task's; {by_cpu:,.0f} per CPU-second",
            flush=True,
        )
    return 0
