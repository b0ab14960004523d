"""JSON values of columns: what the sink did to place them is undone."""

import datetime as dt
import decimal
import json

import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsink.record import JSON_TEXT_METADATA
from streamsink.replay.json_value import json_values

TEXT = dict(JSON_TEXT_METADATA)
SCHEMA = pa.schema(
    [
        pa.field("a", pa.int64()),
        pa.field("a__string", pa.string(), metadata={"streamsink.variant_of": "a"}),
        pa.field("clash", pa.string(), metadata=TEXT),
        pa.field("_kafka_", pa.int64()),
        pa.field("_rest", pa.string(), metadata=TEXT),
        pa.field("l", pa.list_(pa.field("item", pa.string(), metadata=TEXT))),
        pa.field("d", pa.struct([pa.field("x", pa.float64()), pa.field("y", pa.string())])),
        pa.field("value", pa.string(), metadata={**TEXT, "streamsink.variant_of": ""}),
        pa.field("t", pa.timestamp("us", tz="UTC")),
        pa.field("day", pa.date32()),
        pa.field("time", pa.time32("ms")),
        pa.field("price", pa.decimal128(38, 2)),
        pa.field("m", pa.map_(pa.string(), pa.int64())),
        pa.field("raw", pa.binary()),
    ]
)


@pytest.mark.parametrize(
    ("row", "value"),
    [
        ({}, b"{}"),
        ({"a": 1}, b'{"a":1}'),
        ({"a__string": 'x"\n\\'}, b'{"a":"x\\"\\n\\\\"}'),
        ({"clash": '{"b":[1]}'}, b'{"clash":{"b":[1]}}'),
        ({"_kafka_": 5, "_rest": '{"z":[1],"q":"w"}'}, b'{"_kafka":5,"z":[1],"q":"w"}'),
        ({"a": 1, "_rest": "{}"}, b'{"a":1}'),
        ({"l": ["1", '"s"', None, "[2]"]}, b'{"l":[1,"s",null,[2]]}'),
        ({"l": []}, b'{"l":[]}'),
        ({"d": {}}, b'{"d":{}}'),
        ({"d": {"x": 1.0, "y": "ü"}}, '{"d":{"x":1.0,"y":"ü"}}'.encode()),
        ({"d": {"x": float("inf")}}, b'{"d":{"x":"Infinity"}}'),
        ({"value": "[1,2]"}, b"[1,2]"),
        ({"value": '"text"'}, b'"text"'),
        ({"t": dt.datetime(1969, 12, 31, 23, 59, 59, tzinfo=dt.UTC)}, b'{"t":-1000}'),
        ({"day": dt.date(1969, 12, 31), "time": dt.time(0, 0, 1)}, b'{"day":-1,"time":1000}'),
        ({"price": decimal.Decimal("-1.50"), "raw": b"\xff"}, b'{"price":"/2o=","raw":"/w=="}'),
        ({"price": decimal.Decimal("9" * 36 + ".99")}, b'{"price":"SztMqFqGxHoJiiI//////w=="}'),
        ({"m": [("k", 1), ("l", None)]}, b'{"m":{"k":1,"l":null}}'),
        ({"m": []}, b'{"m":{}}'),
    ],
)
def test_what_was_done_to_place_a_value_is_undone(row, value):
    neighbours = [{"a": 3, "d": {"x": 0.5}, "l": ["7"]}, row, {}]
    assert json_values(pa.RecordBatch.from_pylist(neighbours, schema=SCHEMA)).to_pylist()[1] == value


leaves = st.fixed_dictionaries(
    {},
    optional={
        "n": st.integers(-(2**63), 2**63 - 1),
        "x": st.floats(allow_nan=False, allow_infinity=False),
        "s": st.text(st.characters(codec="utf-8")),
        "b": st.booleans(),
        "": st.lists(st.one_of(st.none(), st.integers(-9, 9))),
    },
)
documents = st.fixed_dictionaries({}, optional={"in": leaves, "many": st.lists(leaves, max_size=3), 'q"uote': leaves})
INSIDE = pa.struct(
    [("n", pa.int64()), ("x", pa.float64()), ("s", pa.string()), ("b", pa.bool_()), ("", pa.list_(pa.int64()))]
)


@settings(deadline=None)
@given(st.lists(documents, min_size=1, max_size=8), st.integers(0, 3))
def test_any_document_is_as_it_was(made, skipped):
    schema = pa.schema([("in", INSIDE), ("many", pa.list_(INSIDE)), ('q"uote', INSIDE)])
    rows = pa.RecordBatch.from_pylist(made, schema=schema).slice(min(skipped, len(made) - 1))
    found = json_values(rows).to_pylist()
    assert [json.loads(one) for one in found] == made[-rows.num_rows :]
    assert [orjson.loads(one) for one in found] == made[-rows.num_rows :]
