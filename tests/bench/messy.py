"""`BENCH=messy`: what messy JSON costs beside clean JSON of the same size: the decoder alone, and the whole worker.

Messy: 1 % of records with a field of their own among fifty, integers and doubles in one field, a string where a number
was in 1 % of records.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from streamsink.decode.column_history import ColumnHistory, MemoryShelf
from streamsink.decode.json.columns import JsonRules
from streamsink.decode.json.set_columns import SetColumns
from streamsink.decode.json.shape import Kind, Shape
from tests.servers.kafka import KafkaServer

ROUNDS = 7
CONFIG = {"value.converter": "json", "archive.value": "columns"}
Archive = Callable[[KafkaServer, str, str, dict[str, str], Path], tuple[float, float, int, float]]
Fill = Callable[[KafkaServer, str, list[bytes]], float]


def messy(records: list[bytes]) -> list[bytes]:
    """The same records, some of them messed up."""
    dice = random.Random(1)
    made = []
    for record in records:
        line = json.loads(record)
        if dice.random() < 0.01:
            line[f"extra{dice.randrange(50)}"] = 1
        if dice.random() < 0.3:
            line["ms"] = int(line["ms"])
        if dice.random() < 0.01:
            line["status"] = "gone"
        made.append(json.dumps(line).encode())
    return made


def decoded(records: list[bytes]) -> float:
    """Records per CPU-second of the decoder, once it knows the topic; the best of some rounds."""
    columns = SetColumns(JsonRules(declared=Shape(Kind.STRUCT)), ColumnHistory(MemoryShelf(), "logs"))
    values = pa.array(records, pa.binary())
    columns.read(values)
    columns.read(values)
    best_s = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        columns.read(values)
        best_s = min(best_s, time.process_time() - began)
    return len(records) / best_s


def main(records: list[bytes], fill: Fill, archive: Archive) -> int:
    """Run both."""
    workloads = {"clean": records, "messy": messy(records)}
    rates = {name: decoded(values) for name, values in workloads.items()}
    for name, rate in rates.items():
        print(
            f"{f'decoding {name} JSON':32} {rate:>12,.0f} records per CPU-second ({rate / rates['clean']:.2f} of clean)"
        )
    with tempfile.TemporaryDirectory(prefix="streamsink-bench-") as text:
        kafka = KafkaServer(Path(text) / "kafka")
        kafka.start()
        try:
            first = 0.0
            for name, values in workloads.items():
                kafka.create_topic(name, 4)
                fill(kafka, name, values)
                rate, wall, peak, _ = archive(kafka, name, f"bench-{name}", CONFIG, Path(text) / name)
                first = first or rate
                print(
                    f"{f'{name} JSON to Parquet zstd':32} {rate:>12,.0f} records per CPU-second ({rate / first:.2f} of "
                    f"clean), {wall:,.0f}/s by the clock, task peak {peak / 1e6:.0f} MB",
                    flush=True,
                )
        finally:
            kafka.stop()
    return 0
