"""What the processes of a group have used."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_by_process(group: int) -> Iterator[tuple[int, float]]:
    """Each process of a group, with its CPU time in seconds."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) == group:
                yield int(entry.name), (int(fields[11]) + int(fields[12])) / CLOCK_TICKS


def cpu_seconds(group: int) -> tuple[float, int]:
    """CPU time of all processes of a group, and the largest peak of resident memory among them, in bytes."""
    cpu, peak = 0.0, 0
    for pid, used in cpu_by_process(group):
        cpu += used
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text()
            found = [line for line in status.splitlines() if line.startswith("VmHWM:")]
            peak = max([peak, *(int(line.split()[1]) * 1024 for line in found)])
    return cpu, peak
