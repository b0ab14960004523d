"""`make bench BENCH=verify`: `archive verify` of many objects on S3, beside reading their bytes alone.

Client, cores, and objects read at once are the same for both. `STREAMSINK_BENCH_OBJECTS` says how many objects there
are (10,000), `STREAMSINK_BENCH_ROWS` how many records each has (500). Manifest files are of ten objects.
"""

import os
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa

from streamsink.archive.open import open_archive
from streamsink.archive.verify import HELD_BYTES_MAX, READERS, verify_archive
from streamsink.config.sink import Encoding, Naming, Rotation
from streamsink.encode.formats import make_format
from streamsink.record import ENVELOPE, ENVELOPE_FIELDS, HEADERS_TYPE, TIMESTAMP_TYPE
from streamsink.upload.ahead import read_ahead
from streamsink.upload.description import ObjectDescription
from streamsink.upload.manifest import write_manifest
from streamsink.upload.name import object_name
from streamsink.upload.open import open_store
from streamsink.upload.protocol import Store
from tests.servers.seaweedfs import SeaweedServer

OBJECTS = int(os.environ.get("STREAMSINK_BENCH_OBJECTS", "10000"))
ROWS = int(os.environ.get("STREAMSINK_BENCH_ROWS", "500"))
PARTITIONS = 4
ROUNDS = 3
COMMIT_OBJECTS = 10
FIRST_MS = 1_790_000_000_000
WRITERS = 8

Call = Callable[[str, dict[str, str]], tuple[int, int]]
"""Goes through an archive; gives objects and bytes."""
CpuSeconds = Callable[[int], tuple[float, int]]
"""CPU time of a process group, and its peak of memory."""


def make_archive(store: Store, values: list[bytes]) -> None:
    """Raw Parquet objects by the real encoder, with their manifest."""
    column = pa.array(values, pa.binary())
    batches = [range(first, min(first + COMMIT_OBJECTS, OBJECTS)) for first in range(0, OBJECTS, COMMIT_OBJECTS)]

    def commit(number: int) -> None:
        partition = number % PARTITIONS
        first = number // PARTITIONS * COMMIT_OBJECTS
        stored = [_put(store, column, partition, (first + at) * ROWS) for at in range(len(batches[number]))]
        write_manifest(store, stored)

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(commit, range(len(batches))))


def _put(store: Store, values: pa.Array, partition: int, first: int) -> ObjectDescription:
    offsets = np.arange(first, first + ROWS)
    envelope = pa.StructArray.from_arrays(
        [
            pa.array(np.full(ROWS, partition, np.int32)),
            pa.array(offsets),
            pa.array(FIRST_MS + offsets).cast(TIMESTAMP_TYPE),
            pa.array(np.zeros(ROWS, np.int8)),
            pa.array([b"key-%d" % (offset % 1000) for offset in offsets.tolist()], pa.binary()),
            pa.array([[]] * ROWS, HEADERS_TYPE),
        ],
        fields=list(ENVELOPE_FIELDS),
    )
    fields = [pa.field(ENVELOPE, envelope.type, nullable=False), pa.field("value", pa.binary())]
    rows = pa.RecordBatch.from_arrays(
        [envelope, values.take(pa.array(offsets % len(values)))], schema=pa.schema(fields)
    )
    format_ = make_format(Encoding(), Rotation())
    encoded = f"partition={partition}"
    draft = ObjectDescription(
        name=object_name(Naming(), "logs", encoded, partition, first, format_.extension),
        topic="logs",
        partition=partition,
        encoded_partition=encoded,
        lane=encoded,
        first_offset=first,
        last_offset=first + ROWS - 1,
        record_count=ROWS,
        timestamp_min_ms=FIRST_MS + first,
        timestamp_max_ms=FIRST_MS + first + ROWS - 1,
        layout="1",
        writer="bench",
        reason="size",
    )
    writer = format_.open(rows.schema, identity=draft.name)
    writer.append(rows)
    finished = writer.finish(draft.to_footer())
    sealed = draft.sealed(sha256=finished.sha256, md5=finished.md5, size_bytes=len(finished.data))
    store.create(sealed.name, finished.data, sealed.to_metadata())
    return sealed


def _read_alone(url: str, options: dict[str, str]) -> tuple[int, int]:
    """List everything, and read each object's bytes, doing nothing with them."""
    store = open_store(url, options)
    listed = list(store.list("topics/"))
    sizes = read_ahead(
        lambda info: len(store.read(info.name)[1]),
        listed,
        threads=READERS,
        size_bytes=lambda info: info.size_bytes,
        bytes_max=HELD_BYTES_MAX,
    )
    return len(listed), sum(sizes)


def _verify(url: str, options: dict[str, str]) -> tuple[int, int]:
    verdict = verify_archive(open_archive(f"{url}/topics", options))
    assert verdict.sound
    assert not verdict.unrecorded
    assert verdict.records == OBJECTS * ROWS
    return verdict.objects, verdict.size_bytes


def _timed(call: Call, server: SeaweedServer, url: str, cpu_seconds: CpuSeconds) -> tuple[float, ...]:
    """Seconds by the clock, of CPU of this process and the store together, and of CPU of this process alone."""
    group = server._process._process.pid
    began, ours_s, theirs_s = time.perf_counter(), time.process_time(), cpu_seconds(group)[0]
    count, size_bytes = call(url, server.options)
    took_s = time.perf_counter() - began
    ours_s, theirs_s = time.process_time() - ours_s, cpu_seconds(group)[0] - theirs_s
    name = call.__name__.strip("_")
    print(
        f"{name:12} {count:,} objects, {size_bytes / 1e6:,.0f} MB: {took_s:.1f} s, {count / took_s:,.0f} objects/s, "
        f"{size_bytes / took_s / 1e6:.1f} MB/s; CPU {ours_s:.1f} s, and the store's {theirs_s:.1f} s",
        flush=True,
    )
    return took_s, ours_s + theirs_s, ours_s


def main(values: list[bytes], cpu_seconds: CpuSeconds) -> int:
    """Print both rates, round by round, and their median ratio."""
    with tempfile.TemporaryDirectory(prefix="streamsink-bench-") as folder:
        server = SeaweedServer(Path(folder))
        server.start()
        try:
            url = server.url("verify")
            make_archive(open_store(url, server.options), values)
            ratios = []
            for _ in range(ROUNDS):
                alone, verified = (_timed(call, server, url, cpu_seconds) for call in (_read_alone, _verify))
                ratios.append([one / other for one, other in zip(alone, verified, strict=True)])
        finally:
            server.stop()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    clock, both, ours = (statistics.median(found) for found in zip(*ratios, strict=True))
    told = ", ".join(f"{one[0]:.2f}" for one in ratios)
    print(
        f"verify runs at {clock:.2f} of reading alone by the clock ({told}), {both:.2f} by CPU with the store's, "
        f"{ours:.2f} by CPU without; peak {peak / 1e6:.0f} MB"
    )
    return 0
