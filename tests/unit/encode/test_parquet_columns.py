"""How a column is written follows from a file's first rows; what it holds does not."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streamsink.config.sink import Encoding
from streamsink.encode.parquet import EXTENSIONS, ParquetEncoder
from streamsink.encode.parquet_columns import (
    BYTES_AT_ONCE,
    GROUP_ROWS_MIN,
    ROWS_AT_ONCE_MAX,
    ROWS_AT_ONCE_MIN,
    SMALL_BYTES_MAX,
    Chosen,
    choose,
    rows_at_once,
)
from streamsink.record import ENVELOPE
from tests.unit.archive.made import raw_rows

ROWS = GROUP_ROWS_MIN
DICE = random.Random(7)


def table(**columns: object) -> pa.Table:
    return pa.table(
        {name: column if isinstance(column, pa.Array) else pa.array(column) for name, column in columns.items()}
    )


def encodings(data: bytes, group: int) -> dict[str, set[str]]:
    about = pq.ParquetFile(pa.BufferReader(data)).metadata.row_group(group)
    return {about.column(at).path_in_schema: set(about.column(at).encodings) for at in range(about.num_columns)}


def chosen_for(group: pa.Table) -> Chosen:
    return choose(group, group.nbytes)


def at_once_of(group: pa.Table) -> int:
    return rows_at_once(group.num_rows, group.nbytes)


def test_columns_of_few_values_have_dictionaries_and_rising_ones_are_differences():
    chosen = chosen_for(
        table(
            few=[f"host-{row % 50}" for row in range(ROWS)],
            many=[f"{DICE.getrandbits(128):x}" for _ in range(ROWS)],
            rising=[row * 3 for row in range(ROWS)],
            time=pa.array(range(ROWS), pa.timestamp("ms", tz="UTC")),
            day=pa.array(range(ROWS), pa.date32()),
            shuffled=[DICE.randrange(2**60) for _ in range(ROWS)],
            double=[float(row) for row in range(ROWS)],
            inside=[{"id": row, "kind": "a"} for row in range(ROWS)],
            listed=[[row] for row in range(ROWS)],
            seldom=[row if row % 10 == 0 else None for row in range(ROWS)],
            nothing=pa.nulls(ROWS),
            flag=[bool(row % 2) for row in range(ROWS)],
        )
    )
    assert chosen.plain == {"many", "rising", "time", "day", "shuffled", "double", "inside.id"}
    assert chosen.rising == {"rising", "time", "day", "inside.id"}


def test_a_file_of_few_rows_is_not_looked_at():
    assert chosen_for(table(rising=list(range(ROWS - 1)))) == Chosen(is_small=True)
    assert choose(table(rising=[1]), SMALL_BYTES_MAX + 1) == Chosen()


def test_a_small_file_has_no_dictionaries_and_a_file_of_few_long_rows_has():
    for text, found in (("host", False), ("host" * 2**20, True)):
        rows = table(few=[text, text], number=[1, 1])
        encoder = ParquetEncoder(rows.schema, Encoding())
        encoder.encode(rows)
        data = bytes(encoder.finish({}).data)
        assert pq.read_table(pa.BufferReader(data)).equals(rows)
        assert any("DICTIONARY" in name for name in encodings(data, 0)["number"]) == found


@pytest.mark.parametrize("codec", sorted(EXTENSIONS.keys() - {"none"}))
def test_a_small_file_compresses_no_page_that_would_grow_by_it(codec):
    rows = pa.Table.from_batches([raw_rows(range(500))])
    data = written(Encoding(codec=codec), rows, with_headers(rows))
    plain = {path: one for path, one in columns(data, 0).items() if one.compression == "UNCOMPRESSED"}
    short = {"offset", "timestamp", "timestamp_type", "headers.list.element.key", "headers.list.element.value"}
    assert plain.keys() == {f"{ENVELOPE}.{name}" for name in short}
    assert all(one.total_compressed_size < 150 for one in plain.values())
    assert pq.read_table(pa.BufferReader(data)).equals(pa.concat_tables([rows, with_headers(rows)]))


def test_headers_are_compressed_where_the_first_records_have_some_and_all_columns_of_a_large_file_are():
    rows = pa.Table.from_batches([raw_rows(range(ROWS))])
    small = columns(written(Encoding(), with_headers(rows.slice(0, 500))), 0)
    assert all(small[f"{ENVELOPE}.headers.list.element.{name}"].compression == "ZSTD" for name in ("key", "value"))
    assert {column.compression for column in columns(written(Encoding(), rows), 0).values()} == {"ZSTD"}


def written(encoding: Encoding, *groups: pa.Table) -> bytes:
    encoder = ParquetEncoder(groups[0].schema, encoding)
    for group in groups:
        encoder.encode(group)
    return bytes(encoder.finish({}).data)


def columns(data: bytes, group: int) -> dict[str, pq.ColumnChunkMetaData]:
    about = pq.ParquetFile(pa.BufferReader(data)).metadata.row_group(group)
    return {about.column(at).path_in_schema: about.column(at) for at in range(about.num_columns)}


def with_headers(rows: pa.Table) -> pa.Table:
    """The same rows, each with a header."""
    envelope = rows.column(ENVELOPE).combine_chunks()
    headers = pa.array([[{"key": "trace", "value": b"of this record"}]] * rows.num_rows, envelope.field("headers").type)
    fields = [*envelope.flatten()[:-1], headers]
    told = pa.StructArray.from_arrays(fields, fields=list(envelope.type))
    return rows.set_column(0, rows.schema.field(0), told)


def test_rows_go_to_the_writer_by_thousands_and_long_ones_by_fewer():
    assert at_once_of(table(short=[1] * ROWS)) == ROWS_AT_ONCE_MAX
    assert at_once_of(table(long=["x" * 5000] * 2000)) == ROWS_AT_ONCE_MIN
    some = at_once_of(table(text=["x" * 1000] * 4000))
    assert ROWS_AT_ONCE_MIN < some < ROWS_AT_ONCE_MAX
    assert some * 1000 <= BYTES_AT_ONCE
    assert at_once_of(pa.table({"nothing": pa.nulls(3)})) == ROWS_AT_ONCE_MAX


@pytest.mark.parametrize("kind", [pa.int8(), pa.int32(), pa.int64(), pa.timestamp("us"), pa.date32()])
def test_later_rows_may_be_anything(kind):
    ends = {8: 2**7, 32: 2**31, 64: 2**63}[kind.bit_width]
    first = pa.array([row % 128 if kind.bit_width == 8 else row for row in range(ROWS)], kind)
    plain = pa.int32() if kind.bit_width == 32 else pa.int64()
    wild = pa.array([-ends, None, ends - 1, 0, -ends, ends - 1, None], kind if kind.bit_width == 8 else plain)
    groups = [pa.table({"a": first}), pa.table({"a": wild if wild.type == kind else wild.view(kind)})]
    encoder = ParquetEncoder(groups[0].schema, Encoding())
    for group in groups:
        encoder.encode(group)
    data = bytes(encoder.finish({}).data)
    assert pq.read_table(pa.BufferReader(data)).equals(pa.concat_tables(groups))
    if kind.bit_width > 8:
        assert all("DELTA_BINARY_PACKED" in encodings(data, group)["a"] for group in (0, 1))


def test_a_file_says_what_was_chosen_for_it():
    rows = table(few=["x"] * ROWS, rising=list(range(ROWS)), many=np.random.default_rng(1).random(ROWS))
    encoder = ParquetEncoder(rows.schema, Encoding())
    encoder.encode(rows)
    found = encodings(bytes(encoder.finish({}).data), 0)
    assert "RLE_DICTIONARY" in found["few"] or "PLAIN_DICTIONARY" in found["few"]
    assert "DELTA_BINARY_PACKED" in found["rising"]
    assert not any("DICTIONARY" in name for name in found["many"] | found["rising"])
