"""Parquet objects are read in parts, however large their row groups are."""

import io
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streamsink.encode.parquet_read import BATCH_ROWS, BUFFER_BYTES, ParquetReader

ROW_BYTES = 400


class CountedFile(io.BytesIO):
    """A file that knows how much of it was read."""

    read_bytes = 0

    def read(self, size=-1):
        found = super().read(size)
        self.read_bytes += len(found)
        return found


def rows_of(count):
    dice = random.Random(1)
    return pa.table(
        {
            "number": pa.array(range(count), pa.int64()),
            "value": pa.array([dice.randbytes(ROW_BYTES) for _ in range(count)]),
        }
    )


def written(rows):
    out = pa.BufferOutputStream()
    pq.write_table(rows, out, row_group_size=max(1, rows.num_rows), compression="zstd")
    return out.getvalue().to_pybytes()


def test_a_row_group_of_a_file_is_read_as_it_is_decoded():
    data = written(rows_of(5 * BATCH_ROWS))
    file = CountedFile(data)
    batches = ParquetReader(pa.PythonFile(file, "r")).batches()
    assert next(batches).num_rows == BATCH_ROWS
    assert file.read_bytes < BATCH_ROWS * ROW_BYTES + 3 * BUFFER_BYTES < len(data) / 2
    assert sum(batch.num_rows for batch in batches) == 4 * BATCH_ROWS


@pytest.mark.parametrize("count", [0, 1, BATCH_ROWS, BATCH_ROWS + 1])
@pytest.mark.parametrize("columns", [None, ["number"]])
def test_rows_come_back_in_batches(count, columns):
    rows = rows_of(count)
    wanted = rows.select(columns or rows.column_names)
    batches = list(ParquetReader(written(rows)).batches(columns))
    assert pa.Table.from_batches(batches, wanted.schema).equals(wanted)
    assert all(batch.num_rows <= BATCH_ROWS for batch in batches)
