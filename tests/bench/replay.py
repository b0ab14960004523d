"""`python -m tests.bench replay`: what one core puts back, beside what it produces with nothing behind it.

The archive is Parquet with raw values; both run pinned to one core against a real broker. Prints records per CPU-second
of the whole process (start included, librdkafka's threads too), records a second by the clock, and peak memory.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from streamsink.config.sink import Encoding, Naming, Rotation
from streamsink.encode.formats import make_format
from streamsink.record import ENVELOPE, ENVELOPE_FIELDS, HEADERS_TYPE, TIMESTAMP_TYPE
from streamsink.upload.description import ObjectDescription
from streamsink.upload.local import LocalStore
from streamsink.upload.manifest import write_manifest
from streamsink.upload.name import object_name
from tests.servers.kafka import KafkaServer

PARTITIONS = 4
OBJECT_RECORDS = 1_000_000
ROW_GROUP_RECORDS = 32_000
FIRST_MS = 1_790_000_000_000
PRODUCE_ONLY = """
import json, sys, time
from streamsink.replay.send import DEFAULTS, OURS
from confluent_kafka import Producer
from tests.bench.__main__ import log_records
bootstrap, count = sys.argv[1], int(sys.argv[2])
values = log_records(20_000)
keys = [b"key-%d" % (number % 1000) for number in range(20_000)]
producer = Producer({**DEFAULTS, **OURS, "delivery.report.only.error": True, "bootstrap.servers": bootstrap})
cpu, began = time.process_time(), time.monotonic()
for start in range(0, count, 20_000):
    for number in range(0, 20_000, 2_000):
        for value, key in zip(values[number : number + 2_000], keys[number : number + 2_000]):
            while True:
                try:
                    producer.produce("raw", value, key, (start // 20_000) % 4, timestamp=1_790_000_000_000)
                except BufferError:
                    producer.poll(0.02)
                else:
                    break
        producer.poll(0)
assert producer.flush(60) == 0
print(json.dumps({"records": count, "seconds": time.monotonic() - began, "cpu": time.process_time() - cpu}))
"""
STAGES = """
import json, sys, time
from itertools import islice
from streamsink.archive.open import open_archive
from streamsink.encode.read import open_object
from streamsink.replay.find import find_topic
from streamsink.replay.plan import Selection, make_plan
from streamsink.replay.send import Sender
from streamsink.replay.stream import PartitionStream, Reading
url, bootstrap, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
archive = open_archive(url, {})
_, candidates = find_topic(archive, "logs")

def decoded():
    for entry in archive.objects():
        for rows in open_object(entry.name, archive.store.get(entry.name)).batches():
            yield rows

def streamed():
    for plan in make_plan("logs", candidates, Selection(), {}).partitions:
        for batch in PartitionStream(archive, plan, Selection(), Reading(), None).batches():
            yield batch.records

told = {}
for stage, rows in {"decoding": decoded, "decoding, proving, merging": streamed}.items():
    cpu = time.process_time()
    assert sum(one.num_rows for one in rows()) == count
    told[stage] = time.process_time() - cpu
few = list(islice(streamed(), 8))
sender = Sender({"bootstrap.servers": bootstrap}, "raw", resume_id="", transactional=False)
cpu, sent = time.process_time(), 0
while sent < count:
    for one in few:
        sender.send(one, 0)
        sent += one.num_rows
sender.flush()
sender.close()
told["sending"] = (time.process_time() - cpu) * count / sent
print(json.dumps(told))
"""


def make_archive(folder: Path, values: list[bytes], records: int, partitions: int = PARTITIONS) -> int:
    """A raw Parquet archive, by the real encoder; returns its size."""
    store, size_bytes = LocalStore(folder), 0
    column = pa.array(values, pa.binary())
    for partition in range(partitions):
        for first in range(0, records // partitions, OBJECT_RECORDS):
            count = min(OBJECT_RECORDS, records // partitions - first)
            size_bytes += _put(store, partition, first, count, column)
    return size_bytes


def _put(store: LocalStore, partition: int, first: int, count: int, values: pa.Array) -> int:
    format_ = make_format(Encoding(), Rotation())
    lane = f"partition={partition}"
    name = object_name(Naming(), "logs", lane, partition, first, format_.extension)
    last = first + count - 1
    draft = ObjectDescription(
        name, "logs", partition, lane, lane, first, last, count, FIRST_MS + first, FIRST_MS + last, "1", "bench", "size"
    )
    writer = None
    for start in range(first, first + count, ROW_GROUP_RECORDS):
        offsets = np.arange(start, min(start + ROW_GROUP_RECORDS, first + count))
        rows = _rows(offsets, partition, values)
        writer = writer or format_.open(rows.schema, identity=name)
        writer.append(rows)
    finished = writer.finish(draft.to_footer())
    sealed = draft.sealed(sha256=finished.sha256, md5=finished.md5, size_bytes=len(finished.data))
    store.create(name, finished.data, sealed.to_metadata())
    write_manifest(store, [sealed])
    return len(finished.data)


def _rows(offsets: np.ndarray, partition: int, values: pa.Array) -> pa.RecordBatch:
    count = len(offsets)
    envelope = pa.StructArray.from_arrays(
        [
            pa.array(np.full(count, partition, np.int32)),
            pa.array(offsets, pa.int64()),
            pa.array(FIRST_MS + offsets, pa.int64()).cast(TIMESTAMP_TYPE),
            pa.array(np.ones(count, np.int8)),
            pa.array([b"key-%d" % (offset % 1000) for offset in offsets], pa.binary()),
            pa.ListArray.from_arrays(pa.array(np.zeros(count + 1, np.int32)), pa.array([], HEADERS_TYPE.value_type)),
        ],
        fields=list(ENVELOPE_FIELDS),
    )
    taken = values.take(pa.array(offsets % len(values)))
    fields = [pa.field(ENVELOPE, envelope.type, nullable=False), pa.field("value", pa.binary())]
    return pa.RecordBatch.from_arrays([envelope, taken], schema=pa.schema(fields))


def measured(command: list[str]) -> tuple[dict, float, int]:
    """A command pinned to one core: its JSON, its CPU-seconds, its peak memory in bytes."""
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen([sys.executable, *command], stdout=out)
        os.sched_setaffinity(process.pid, {0})
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, command
        out.seek(0)
        return json.loads(out.read()), usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def main(values: list[bytes], records: int) -> int:
    """Run the cases."""
    with tempfile.TemporaryDirectory(prefix="streamsink-bench-") as text:
        folder = Path(text)
        kafka = KafkaServer(folder / "kafka")
        kafka.start()
        try:
            archived = make_archive(folder / "archive", values, records)
            size = sum(map(len, values)) / len(values)
            print(f"{records:,} records of {size:.0f} bytes, {archived:,} bytes of Parquet, on one core")
            kafka.create_topic("raw", PARTITIONS)
            told, cpu, peak = measured(["-c", PRODUCE_ONLY, kafka.bootstrap, str(records)])
            raw = records / told["cpu"]
            clock = f"{records / told['seconds']:,.0f}/s by the clock"
            print(f"{'produce() alone':32} {raw:>12,.0f} records per CPU-second, {clock}", flush=True)
            archive_url = f"{(folder / 'archive').as_uri()}/topics"
            told, _, _ = measured(["-c", STAGES, archive_url, kafka.bootstrap, str(records)])
            for stage, cpu in told.items():
                print(f"{'of it, ' + stage:32} {cpu / records * 1e9:>12,.0f} ns of CPU a record", flush=True)
            for case, option in {"not transactional": "--no-transactional", "transactional": "--transactional"}.items():
                topic = f"new-{time.time_ns()}"
                where = ["--to", topic, "--bootstrap-server", kafka.bootstrap, "--create-topic"]
                told, cpu, peak = measured(["-m", "streamsink", "replay", archive_url, *where, "--json", option])
                assert told["records"] == records
                print(
                    f"{'replay, ' + case:32} {records / cpu:>12,.0f} records per CPU-second "
                    f"({records / cpu / raw:.2f} of produce()), {records / told['seconds']:,.0f}/s by the clock, "
                    f"peak {peak / 1e6:.0f} MB",
                    flush=True,
                )
        finally:
            kafka.stop()
    return 0
