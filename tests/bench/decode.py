"""`BENCH=decode`: the JSON decoder alone on records of many kinds, each beside clean records in the same run.

Needs no broker. Bytes are compared, since the kinds differ in size; `STREAMSINK_NATIVE=off` leaves the native library
out.
"""

from __future__ import annotations

from statistics import median

from streamsink.native.library import load
from tests.bench.messy import decoded
from tests.bench.workloads import workloads

RUNS = 3
BATCH_BYTES = 1_000_000


def main(records: list[bytes]) -> int:
    """Run all workloads in turn, some times, and print medians."""
    print(f"the native library is {'absent' if load() is None else 'used'}")
    made = workloads(records)
    rates: dict[str, list[float]] = {name: [] for name in made}
    ratios: dict[str, list[float]] = {name: [] for name in made}
    for _ in range(RUNS):
        clean = 0.0
        for name, values in made.items():
            size = sum(map(len, values)) / len(values)
            rate = decoded(values[: int(BATCH_BYTES / size)])
            clean = clean or rate * size
            rates[name].append(rate)
            ratios[name].append(rate * size / clean)
    for name, values in made.items():
        size = sum(map(len, values)) / len(values)
        rate = median(rates[name])
        print(
            f"{name:28} {size:6,.0f} bytes {rate:>12,.0f} records per CPU-second, {rate * size / 1e6:6,.0f} MB "
            f"({median(ratios[name]):.2f} of clean by bytes)"
        )
    return 0
