"""Large objects are read as their rows are asked for, in every format, however large their row groups are."""

import io
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streamsink.config.sink import Encoding, FormatKind, Rotation
from streamsink.encode.formats import make_format
from streamsink.encode.parquet_read import BATCH_ROWS, ParquetReader
from streamsink.encode.read import open_object
from streamsink.record import ENVELOPE, ENVELOPE_FIELDS

ROWS = 40_000
VALUE_BYTES = 300


class CountedFile(io.BytesIO):
    """A file that knows how much of it was read."""

    read_bytes = 0

    def read(self, size=-1):
        found = super().read(size)
        self.read_bytes += len(found)
        return found


def values_of(count):
    dice = random.Random(1)
    return pa.array([dice.randbytes(VALUE_BYTES) for _ in range(count)], pa.binary())


def rows_of(count):
    envelope = {"partition": 0, "timestamp": None, "timestamp_type": 0, "key": None, "headers": []}
    about = pa.array([{**envelope, "offset": offset} for offset in range(count)], pa.struct(ENVELOPE_FIELDS))
    fields = [pa.field(ENVELOPE, about.type, nullable=False), pa.field("value", pa.binary())]
    return pa.RecordBatch.from_arrays([about, values_of(count)], schema=pa.schema(fields))


@pytest.fixture(scope="module")
def rows():
    return rows_of(ROWS)


@pytest.mark.parametrize("codec", ["none", "zstd"])
@pytest.mark.parametrize("kind", [FormatKind.PARQUET, FormatKind.AVRO, FormatKind.JSONL, FormatKind.RAW])
def test_a_large_object_is_read_as_it_is_decoded(rows, kind, codec):
    format_ = make_format(Encoding(kind=kind, codec=codec, row_group_bytes=1 << 30), Rotation(size_bytes=None))
    writer = format_.open(rows.schema, identity="logs-0/0")
    writer.append(rows)
    sealed = writer.finish({})
    file = CountedFile(bytes(sealed.data))
    batches = open_object(f"a{format_.extension}", pa.PythonFile(file, "r"), sealed.sidecar).batches()
    first = next(batches)
    assert file.read_bytes < len(sealed.data) / 2
    assert first.num_rows + sum(batch.num_rows for batch in batches) == ROWS


@pytest.mark.parametrize("count", [0, 1, BATCH_ROWS, BATCH_ROWS + 1])
@pytest.mark.parametrize("columns", [None, ["number"]])
def test_parquet_rows_come_back_in_batches(count, columns):
    rows = pa.table({"number": pa.array(range(count), pa.int64()), "value": values_of(count)})
    wanted = rows.select(columns or rows.column_names)
    out = pa.BufferOutputStream()
    pq.write_table(rows, out, row_group_size=max(1, count))
    batches = list(ParquetReader(out.getvalue().to_pybytes()).batches(columns))
    assert pa.Table.from_batches(batches, wanted.schema).equals(wanted)
    assert all(batch.num_rows <= BATCH_ROWS for batch in batches)
