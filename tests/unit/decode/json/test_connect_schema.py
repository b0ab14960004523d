from __future__ import annotations

import base64
import datetime as dt
import json
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pytest

from streamsink.decode.json.columns import JsonColumns, JsonRules
from streamsink.decode.json.connect_schema import SchemaError, shape_of
from streamsink.decode.json.shape import Kind, MisfitError, Shape, arrow_type, rendered, widened

LOGICAL = "org.apache.kafka.connect.data."


def stored(schema: dict[str, object], value: object) -> object:
    shape = shape_of(schema)
    assert widened(shape, value) is shape
    return pa.array([rendered(shape, value)], arrow_type(shape)).to_pylist()[0]


DECIMAL = {"type": "bytes", "name": f"{LOGICAL}Decimal", "parameters": {"scale": "2"}}


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        ({"type": "boolean"}, True, True),
        ({"type": "int8"}, -128, -128),
        ({"type": "int64"}, 2**63 - 1, 2**63 - 1),
        ({"type": "float"}, 0.5, 0.5),
        ({"type": "double"}, 3, 3.0),
        ({"type": "string"}, "x", "x"),
        ({"type": "bytes"}, base64.b64encode(b"\0\xff").decode(), b"\0\xff"),
        (DECIMAL, base64.b64encode((-12345).to_bytes(2, "big", signed=True)).decode(), Decimal("-123.45")),
        (DECIMAL, 1.5, Decimal("1.50")),
        (DECIMAL, 7, Decimal("7.00")),
        ({"type": "int64", "name": f"{LOGICAL}Timestamp"}, -1, dt.datetime(1969, 12, 31, 23, 59, 59, 999000, dt.UTC)),
        (
            {"type": "int64", "name": f"{LOGICAL}Timestamp"},
            "2020-01-01T01:00:00+01:00",
            dt.datetime(2020, 1, 1, tzinfo=dt.UTC),
        ),
        ({"type": "int32", "name": f"{LOGICAL}Date"}, 1, dt.date(1970, 1, 2)),
        ({"type": "int32", "name": f"{LOGICAL}Date"}, "1970-01-03", dt.date(1970, 1, 3)),
        ({"type": "int32", "name": f"{LOGICAL}Time"}, 1, dt.time(0, 0, 0, 1000)),
        ({"type": "array", "items": {"type": "int32"}}, [1, 2], [1, 2]),
        (
            {"type": "map", "keys": {"type": "string"}, "values": {"type": "int32", "optional": True}},
            {"a": None},
            [("a", None)],
        ),
        ({"type": "map", "keys": {"type": "int32"}, "values": {"type": "int32"}}, [[1, 2]], [(1, 2)]),
        ({"type": "struct", "fields": [{"field": "a", "type": "int32", "default": 5}]}, {}, {"a": 5}),
    ],
)
def test_a_value_is_stored_in_its_declared_type(schema: dict[str, object], value: object, expected: object):
    assert stored(schema, value) == expected


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "boolean"}, 1),
        ({"type": "int8"}, 128),
        ({"type": "int32"}, True),
        ({"type": "int32"}, 1.0),
        ({"type": "double"}, 2**53 + 1),
        ({"type": "float"}, 1e39),
        ({"type": "string"}, 5),
        ({"type": "bytes"}, "not base64!"),
        (DECIMAL, 1.005),
        (DECIMAL, True),
        (DECIMAL, 10**38),
        ({"type": "int64", "name": f"{LOGICAL}Timestamp"}, "2020-01-01T00:00:00.000001Z"),
        ({"type": "int32", "name": f"{LOGICAL}Time"}, 86_400_000),
        ({"type": "array", "items": {"type": "int32"}}, [None]),
        ({"type": "array", "items": {"type": "int32"}}, 1),
        ({"type": "map", "keys": {"type": "string"}, "values": {"type": "int32"}}, {"a": "x"}),
        ({"type": "map", "keys": {"type": "string", "optional": True}, "values": {"type": "int32"}}, [[None, 1]]),
        ({"type": "struct", "fields": [{"field": "a", "type": "int32"}]}, {}),
        ({"type": "struct", "fields": []}, None),
    ],
)
def test_a_value_that_does_not_fit_its_type_is_refused(schema: dict[str, object], value: object):
    with pytest.raises(MisfitError):
        widened(shape_of(schema), value)


@pytest.mark.parametrize(
    "schema",
    [
        None,
        {},
        {"type": "array"},
        {"type": "struct", "fields": [{"type": "int32"}]},
        {"type": "struct", "fields": [{"field": "a", "type": "int32"}, {"field": "a", "type": "int32"}]},
        {"type": "bytes", "name": f"{LOGICAL}Decimal"},
        {"type": "int32", "default": "x"},
    ],
)
def test_a_document_that_is_no_schema_is_refused(schema: object):
    with pytest.raises(SchemaError):
        shape_of(schema)


ENVELOPES = JsonRules(declared=Shape(Kind.STRUCT), schemas_enable=True)


def struct(**types: str) -> dict[str, object]:
    fields = [{"field": name, "type": kind, "optional": True} for name, kind in types.items()]
    return {"type": "struct", "fields": fields, "optional": True}


def envelope(schema: object, payload: object) -> bytes:
    return json.dumps({"schema": schema, "payload": payload}).encode()


def read(*values: bytes, rules: JsonRules = ENVELOPES):
    columns = JsonColumns(rules).read(pa.array(values, pa.binary()))
    batch = pa.RecordBatch.from_arrays(columns.arrays, schema=pa.schema(columns.fields))
    return batch, columns.bad


def test_a_payload_has_the_types_its_schema_declares():
    batch, bad = read(envelope(struct(a="int32", b="string"), {"a": 1, "b": "x"}))
    assert not bad
    assert batch.schema.types == [pa.int32(), pa.string()]
    assert batch.to_pylist() == [{"a": 1, "b": "x"}]


def test_schemas_of_one_topic_widen_together():
    batch, bad = read(
        envelope(struct(a="int32", b="string"), {"a": 1, "b": "x"}),
        envelope(struct(a="int64", c="float"), {"a": 2**40, "c": 0.5}),
        envelope(struct(b="int32"), {"b": 7}),
    )
    assert not bad
    assert batch.schema.types == [pa.int64(), pa.string(), pa.float32()]
    assert batch.to_pylist() == [
        {"a": 1, "b": '"x"', "c": None},
        {"a": 2**40, "b": None, "c": 0.5},
        {"a": None, "b": "7", "c": None},
    ]


def test_a_payload_must_fit_its_own_schema_even_where_the_topic_is_wider():
    _, bad = read(envelope(struct(a="int64"), {"a": 2**40}), envelope(struct(a="int32"), {"a": 2**40}))
    assert set(bad) == {1}


def test_a_payload_without_schema_is_read_as_plain_json():
    batch, bad = read(envelope(None, {"a": 1}), envelope(None, [1]))
    assert not bad
    assert batch.to_pylist() == [{"a": 1, "value": None}, {"a": None, "value": "[1]"}]


def test_a_payload_that_is_no_struct_becomes_the_column_value():
    batch, bad = read(
        envelope({"type": "int32", "optional": True}, 5), envelope({"type": "int32", "optional": True}, None)
    )
    assert not bad
    assert batch.to_pylist() == [{"value": 5}, {"value": None}]


@pytest.mark.parametrize(
    "value",
    [
        b'{"a":1}',
        b'{"schema":null}',
        b'{"schema":null,"payload":{},"more":1}',
        b'{"schema":5,"payload":{}}',
        b"[1]",
        envelope({"type": "struct", "fields": []}, None),
        envelope(struct(a="int32"), [1]),
    ],
)
def test_what_is_no_envelope_is_a_bad_record(value: bytes):
    good = envelope(struct(a="int32"), {"a": 1})
    batch, bad = read(good, value, good)
    assert set(bad) == {1}
    assert batch.column("a").to_pylist() == [1, None, 1]


def test_a_payload_cannot_smuggle_a_second_document():
    prefix = b'{"schema":' + json.dumps(struct(a="int32")).encode() + b',"payload":'
    _, bad = read(prefix + b'{"a":1}}', prefix + b'{"a":1},"payload":{"a":2}}', prefix + b'{"a":1}}{"a":2}}')
    assert set(bad) == {2}


def test_envelopes_bring_the_fields_that_paths_need():
    rules = replace(ENVELOPES, wanted=("a",), always=frozenset({"a"}))
    batch, bad = read(*[envelope(struct(a="int32", b="string"), {"a": 1, "b": "x"})] * 400, rules=rules)
    assert not bad
    assert batch.column("a").to_pylist() == [1] * 400
    assert batch.schema.types == [pa.int32()]


@pytest.mark.parametrize(("replaces", "wanted"), [(True, ["dflt", "v", "dflt"]), (False, [None, "v", None])])
def test_a_null_becomes_its_schemas_default_only_where_that_is_wanted(*, replaces: bool, wanted: list[str | None]):
    fields = [{"field": "x", "type": "string", "optional": True, "default": "dflt"}]
    schema = {"type": "struct", "fields": fields}
    rules = replace(ENVELOPES, replace_null=replaces)
    batch, bad = read(*(envelope(schema, payload) for payload in ({"x": None}, {"x": "v"}, {})), rules=rules)
    assert not bad
    assert batch.column("x").to_pylist() == wanted


def test_a_required_field_that_is_null_is_bad_where_nulls_do_not_become_defaults():
    fields = [{"field": "x", "type": "int32", "optional": False, "default": 7}]
    given = [envelope({"type": "struct", "fields": fields}, payload) for payload in ({"x": None}, {"x": 1})]
    batch, bad = read(*given, rules=replace(ENVELOPES, replace_null=False))
    assert list(bad) == [0]
    assert batch.column("x").to_pylist()[1] == 1
    assert not read(*given)[1]
