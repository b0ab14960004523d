"""Sizes and memory are honest, and no object passes twice its limit, whatever its rows turn into."""

import random

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streamsink.config.sink import Encoding, FormatKind, Rotation
from streamsink.encode.formats import make_format
from streamsink.encode.read import open_object
from streamsink.errors import ConfigError

LIMIT_BYTES = 400_000
VALUES = pa.schema([pa.field("value", pa.binary())])
KINDS = [
    ("parquet", "zstd"),
    ("parquet", "none"),
    ("avro", "null"),
    ("avro", "zstandard"),
    ("jsonl", "none"),
    ("jsonl", "gzip"),
    ("raw", "none"),
    ("raw", "zstd"),
]


def compressible(_, size_bytes, record_bytes=1000):
    return [b"a" * record_bytes] * (size_bytes // record_bytes)


def incompressible(at, size_bytes, record_bytes=1000):
    dice = random.Random(at)
    return [dice.randbytes(record_bytes) for _ in range(size_bytes // record_bytes)]


def tiny(at, size_bytes):
    return incompressible(at, size_bytes // 5, record_bytes=1)


def turning(at, size_bytes):
    return (compressible if at < 30 else incompressible)(at, size_bytes)


def alternating(at, size_bytes):
    return (compressible if at % 2 else incompressible)(at, size_bytes)


@pytest.mark.parametrize("values", [compressible, incompressible, tiny, turning, alternating])
@pytest.mark.parametrize(("kind", "codec"), KINDS)
def test_no_object_is_larger_than_twice_its_limit(kind, codec, values):
    format_ = make_format(Encoding(FormatKind(kind), codec), Rotation(size_bytes=LIMIT_BYTES))
    writer = format_.open(VALUES, identity="x")
    at = 0
    # As the machine does: append a slice of at most a quarter of the limit, close when the size is reached.
    while writer.size_bytes < LIMIT_BYTES and at < 200:
        batch = pa.RecordBatch.from_arrays([pa.array(values(at, LIMIT_BYTES // 4), pa.binary())], schema=VALUES)
        assert batch.nbytes <= LIMIT_BYTES // 4 * 1.02
        writer.append(batch)
        at += 1
    size_bytes = writer.size_bytes
    written = len(writer.finish({}).data)
    assert written <= 2 * LIMIT_BYTES
    assert written == pytest.approx(size_bytes, rel=0.05, abs=6_000)


def test_a_row_group_is_as_large_as_asked_and_the_last_one_what_is_left():
    batch = pa.RecordBatch.from_arrays([pa.array(incompressible(0, 100_000), pa.binary())], schema=VALUES)
    format_ = make_format(Encoding(row_group_bytes=300_000), Rotation(size_bytes=None))
    writer = format_.open(VALUES, identity="x")
    for _ in range(7):
        writer.append(batch)
    metadata = pq.read_metadata(pa.BufferReader(writer.finish({}).data))
    assert [metadata.row_group(at).num_rows for at in range(metadata.num_row_groups)] == [300, 300, 100]


@pytest.mark.parametrize(("kind", "codec"), KINDS)
def test_memory_is_what_waits_and_what_is_encoded(kind, codec):
    format_ = make_format(Encoding(FormatKind(kind), codec), Rotation(size_bytes=None))
    writer = format_.open(VALUES, identity="x")
    batch = pa.RecordBatch.from_arrays([pa.array(incompressible(0, 500_000), pa.binary())], schema=VALUES)
    writer.append(batch)
    assert 500_000 <= writer.pending_bytes <= 520_000
    writer.flush()
    assert writer.pending_bytes == 0
    size_bytes = writer.size_bytes
    assert size_bytes <= writer.memory_bytes <= size_bytes * 1.1 + 10_000
    assert writer.memory_bytes >= 450_000


def test_rows_of_a_slice_do_not_keep_the_slice_once_many_wait():
    big = pa.RecordBatch.from_arrays([pa.array(compressible(0, 4_000_000), pa.binary())], schema=VALUES)
    before = pa.total_allocated_bytes()
    writer = make_format(Encoding(), Rotation(size_bytes=None)).open(VALUES, identity="x")
    for at in range(1024):
        writer.append(big.slice(at % 100, 1))
    del big
    assert pa.total_allocated_bytes() - before < 2_000_000
    assert len(writer._pending) < 70
    assert sum(batch.num_rows for batch in open_object("x.parquet", writer.finish({}).data).batches()) == 1024


def test_a_file_without_rows_is_a_file():
    for kind, codec in KINDS:
        format_ = make_format(Encoding(FormatKind(kind), codec), Rotation())
        finished = format_.open(VALUES, identity="x").finish({"streamsink.topic": "t"})
        reader = open_object(f"x{format_.extension}", finished.data, finished.sidecar)
        assert sum(batch.num_rows for batch in reader.batches()) == 0
        assert reader.footer() == {"streamsink.topic": "t"}


def awkward():
    return pa.RecordBatch.from_pydict(
        {
            "nothing": pa.nulls(3),
            "empty": pa.array([{}, None, {}], pa.struct([])),
            "empties": pa.array([[{}, None], None, []], pa.list_(pa.struct([]))),
            "no_items": pa.array([[], None, [None]], pa.list_(pa.null())),
            "half": pa.array([{"a": None}, None, {"a": None}], pa.struct([("a", pa.null())])),
            "dotted.name": pa.array([1, None, 3]),
            "word": pa.array(["x", "y", "x"]).dictionary_encode(),
            "tags": pa.array([[("a", 1)], [], None], pa.map_(pa.string(), pa.int64())),
        }
    )


@pytest.mark.parametrize(("kind", "codec"), [one for one in KINDS if one[0] != "raw"])
def test_columns_that_never_had_a_value_are_stored_and_come_back(kind, codec):
    rows = awkward()
    format_ = make_format(Encoding(FormatKind(kind), codec), Rotation())
    writer = format_.open(rows.schema, identity="x")
    writer.append(rows)
    finished = writer.finish({})
    back = pa.Table.from_batches(open_object(f"x{format_.extension}", finished.data, finished.sidecar).batches())
    assert back.to_pylist() == rows.to_pylist()


def test_duckdb_reads_what_was_written(tmp_path):
    rows = awkward().append_column("offset", pa.array([1, 2, 3]))
    writer = make_format(Encoding(), Rotation()).open(rows.schema, identity="x")
    writer.append(rows)
    path = tmp_path / "x.zstd.parquet"
    path.write_bytes(writer.finish({"streamsink.topic": "t"}).data)
    found = duckdb.sql(f"select sum(\"offset\"), count(nothing), min(word), count(empty) from '{path}'").fetchall()
    assert found == [(6, 0, "x", 2)]
    entries = dict(duckdb.sql(f"select key, value from parquet_kv_metadata('{path}')").fetchall())
    assert entries[b"streamsink.topic"] == b"t"


def test_parquet_keeps_statistics_for_pruning():
    rows = pa.RecordBatch.from_pydict({"n": np.arange(100)})
    writer = make_format(Encoding(), Rotation()).open(rows.schema, identity="x")
    writer.append(rows)
    statistics = pq.read_metadata(pa.BufferReader(writer.finish({}).data)).row_group(0).column(0).statistics
    assert (statistics.min, statistics.max, statistics.null_count) == (0, 99, 0)


def test_an_unknown_codec_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match="none of zstd, snappy"):
        make_format(Encoding(FormatKind.PARQUET, "xz"), Rotation())
    assert make_format(Encoding(FormatKind.AVRO, "zstd"), Rotation()).extension == ".avro"


def test_a_limit_is_reached_by_what_was_encoded_and_not_by_an_estimate():
    writer = make_format(Encoding(), Rotation(size_bytes=LIMIT_BYTES)).open(VALUES, identity="x")
    for values in (incompressible(0, 150_000), incompressible(1, 150_000), compressible(0, 110_000)):
        assert writer.size_bytes < LIMIT_BYTES
        writer.append(pa.RecordBatch.from_arrays([pa.array(values, pa.binary())], schema=VALUES))
        if writer.size_bytes < 310_000:
            writer.flush()
    assert writer.size_bytes < 320_000
