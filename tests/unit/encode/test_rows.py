"""Rows as JSON and as Avro, built column by column, equal what the row by row libraries make of them."""

import base64
import io
import json
import math

import fastavro
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsink.cells import buffers_of
from streamsink.encode.avro import rows as avro_rows
from streamsink.encode.avro.schema import ORIGINAL_NAME, to_avro
from streamsink.encode.json import rows as json_rows

LONG = st.integers(-(2**63), 2**63 - 1)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "n": st.none() | LONG,
            "x": st.none() | st.floats(allow_nan=False, allow_infinity=False),
            "ok": st.none() | st.booleans(),
            'a "quoted" näme': st.none() | st.text(),
            "raw": st.none() | st.binary(max_size=12),
            "many": st.none() | st.lists(st.none() | st.text(max_size=3), max_size=4),
            "in": st.none()
            | st.fixed_dictionaries({"deep": st.lists(st.none() | st.fixed_dictionaries({"k": st.none() | LONG}))}),
            "map": st.none() | st.dictionaries(st.text(max_size=3), st.none() | LONG, max_size=3),
        }
    ),
    min_size=1,
    max_size=12,
)
SCHEMA = pa.schema(
    [
        ("n", pa.int64()),
        ("x", pa.float64()),
        ("ok", pa.bool_()),
        ('a "quoted" näme', pa.string()),
        ("raw", pa.binary()),
        ("many", pa.list_(pa.string())),
        ("in", pa.struct([("deep", pa.list_(pa.struct([("k", pa.int64())])))])),
        ("map", pa.map_(pa.string(), pa.int64())),
    ]
)


def batch_of(rows):
    arrow = [{**row, "map": None if row["map"] is None else list(row["map"].items())} for row in rows]
    return pa.RecordBatch.from_pylist(arrow, schema=SCHEMA)


def cells_of(cells):
    starts, data = buffers_of(cells)
    return [bytes(data[starts[at] : starts[at + 1]]) for at in range(len(starts) - 1)]


def json_form(row):
    return {**row, "raw": None if row["raw"] is None else base64.b64encode(row["raw"]).decode()}


@given(ROWS, st.integers(0, 3))
@settings(deadline=None)
def test_json_rows_are_what_a_json_library_reads(rows, skipped):
    batch = batch_of(rows).slice(min(skipped, len(rows) - 1))
    read = [json.loads(cell) for cell in cells_of(json_rows.encode_rows(batch))]
    assert read == [json_form(row) for row in rows[min(skipped, len(rows) - 1) :]]


@given(ROWS, st.integers(0, 3))
@settings(deadline=None)
def test_avro_rows_are_what_an_avro_library_reads(rows, skipped):
    batch = batch_of(rows).slice(min(skipped, len(rows) - 1))
    schema = to_avro(batch.schema)
    names = {field["name"]: field.get(ORIGINAL_NAME, field["name"]) for field in schema["fields"]}
    parsed = fastavro.parse_schema(schema)
    for cell, row in zip(cells_of(avro_rows.encode_rows(batch)), rows[min(skipped, len(rows) - 1) :], strict=True):
        stream = io.BytesIO(cell)
        read = fastavro.schemaless_reader(stream, parsed, None)
        assert {names[name]: value for name, value in read.items()} == row
        assert stream.tell() == len(cell)


@given(st.lists(LONG, min_size=1))
def test_varints_are_avros(values):
    written = []
    for value in values:
        stream = io.BytesIO()
        fastavro.schemaless_writer(stream, fastavro.parse_schema("long"), value)
        written.append(stream.getvalue())
    assert cells_of(avro_rows.varint(np.array(values, np.int64))) == written


@given(st.lists(st.binary(max_size=20), min_size=1))
def test_base64_is_the_standard_librarys(values):
    cells = json_rows.base64_cells(pa.array(values, pa.binary()))
    assert cells_of(cells) == [base64.b64encode(value) for value in values]


def test_floats_without_a_finite_value_are_words_and_whole_ones_stay_floats():
    batch = pa.RecordBatch.from_pydict({"x": [math.nan, math.inf, -math.inf, 1.0, -0.0, 1e300, 12345678901.0, 0.1]})
    lines = cells_of(json_rows.encode_rows(batch))
    words = [b'{"x":"NaN"}\n', b'{"x":"Infinity"}\n', b'{"x":"-Infinity"}\n']
    assert lines[:5] == [*words, b'{"x":1.0}\n', b'{"x":-0.0}\n']
    read = [json.loads(line)["x"] for line in lines[3:]]
    assert read == [1.0, -0.0, 1e300, 12345678901.0, 0.1]
    assert all(isinstance(value, float) for value in read)


@pytest.mark.parametrize("encode_rows", [json_rows.encode_rows, avro_rows.encode_rows])
def test_rows_without_columns_and_columns_without_values_are_rows_all_the_same(encode_rows):
    empty_struct = pa.array([{}, None, {}], pa.struct([]))
    nothing = pa.RecordBatch.from_pydict(
        {"nothing": pa.nulls(3), "empty": empty_struct, "none": pa.array([[], None, []], pa.list_(pa.null()))}
    )
    assert len(cells_of(encode_rows(nothing))) == 3
    assert len(cells_of(encode_rows(nothing.slice(0, 0)))) == 0


def test_names_that_avro_does_not_allow_are_changed_and_kept_apart():
    schema = pa.schema([("a-b", pa.int64()), ("a b", pa.int64()), ("1", pa.int64()), ("", pa.int64())])
    fields = to_avro(schema)["fields"]
    assert [field["name"] for field in fields] == ["a_b", "a_b_2", "_1", "_"]
    assert [field[ORIGINAL_NAME] for field in fields] == ["a-b", "a b", "1", ""]
    fastavro.parse_schema(to_avro(schema))
