"""What the processes of a group have used."""

import os
from pathlib import Path

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(group: int) -> tuple[float, int]:
    """CPU time of all processes of a group, and the largest peak of resident memory among them, in bytes."""
    cpu, peak = 0.0, 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[2]) != group:
                continue
            cpu += (int(fields[11]) + int(fields[12])) / CLOCK_TICKS
            status = (entry / "status").read_text()
        except (OSError, IndexError):
            continue
        found = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        peak = max([peak, *(int(line.split()[1]) * 1024 for line in found)])
    return cpu, peak
