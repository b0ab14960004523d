"""The fast reader and the exact reader must agree on every slice, however nasty."""

from __future__ import annotations

import json
from dataclasses import replace

import orjson
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamsink.decode.json.columns import Columns, JsonColumns, JsonRules
from streamsink.decode.json.connect_schema import shape_of
from streamsink.decode.json.shape import NESTED_FIELDS_MAX, Kind, Shape
from streamsink.decode.json.text import JsonText

OPEN = JsonRules(declared=Shape(Kind.STRUCT))

NAMES = st.sampled_from(["a", "b", "c", "", "a.b", "_rest", "ü", "x\0y"])
TEXTS = st.sampled_from(
    ["", "x", "5", "true", "2020-01-01T00:00:00Z", "null", "NaN", "\0", "\n", "}", "{", '"', "😀", "\\"]
)
NUMBERS = st.one_of(
    st.integers(-5, 5),
    st.sampled_from([2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63), 2**63, 2**64, 10**30]),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 1.0, 1e22, 5e-324, 0.1]),
)
DOCUMENTS = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=8,
)
OBJECTS = st.dictionaries(NAMES, DOCUMENTS, max_size=4)


def written(document: object) -> st.SearchStrategy[bytes]:
    forms = [
        json.dumps(document, separators=(",", ":")).encode(),
        json.dumps(document, ensure_ascii=False, indent=1).encode(),
        json.dumps(document).encode() + b" \r\n",
        b" " + json.dumps(document).encode(),
    ]
    return st.sampled_from(forms)


NASTY_VALUES = [
    b"",
    b" ",
    b"\n",
    b"null",
    b"{}",
    b"{",
    b"}",
    b'{"a":1',
    b',"b":2}',
    b'{"a":1}{"a":2}',
    b'{"a":1} null {"a":2}',
    b'{"a":1}\n{"a":2}',
    b'{"a":1},{"a":2}',
    b'{"a":1}]}',
    b'{"a":1}}',
    b'{"a":"x',
    b'y"}',
    b'{"a":"x}',
    b'{"a":"x\ny"}',
    b'{"a":1,"a":2}',
    b'{"a":1,"\\u0061":"x"}',
    b'{"a":NaN}',
    b'{"a":Infinity}',
    b'{"a":-Infinity}',
    b'{"a":1e400}',
    b'{"a":01}',
    b'{"a":1.}',
    b'{"a":+1}',
    b'{"a":1,}',
    b'{"a":"\\ud800"}',
    b'{"a":"\\udc00\\ud800"}',
    b'{"a":"\\ud83d\\ude00"}',
    b'{"a":"\xff"}',
    b'{"\xff":1}',
    b'{"a":"\xed\xa0\x80"}',
    b'\xef\xbb\xbf{"a":1}',
    b'{"a":1}\0',
    b'{"a":1}\0}',
    b'{"a":/**/1}',
    b"[1,2]",
    b'"x"',
    b"3",
    b"true",
    b"NaN",
    b'{"a":9007199254740993}',
    b'{"a":9007199254740993.0}',
    b'{"a":{"b":NaN}}',
    b'{"a":[1,NaN]}',
    b'{"a":-0}',
    b'{"a":1E2}',
    b"{'a':1}",
    b'{"a":tru}',
    b'{"a" 1}',
    b'{"a":1}x}',
]
NASTY = st.sampled_from(NASTY_VALUES)
VALUES = st.one_of(st.none(), NASTY, st.one_of(OBJECTS, DOCUMENTS).flatmap(written), OBJECTS.flatmap(written))


def read(columns: JsonColumns, values: list[bytes | None]) -> Columns:
    return columns.read(pa.array(values, pa.binary()))


def rows(columns: Columns) -> list[dict[str, object]]:
    batch = pa.RecordBatch.from_arrays(columns.arrays, schema=pa.schema(columns.fields))
    return batch.to_pylist()


def assert_same(one: Columns, other: Columns) -> None:
    assert one.bad == other.bad
    assert pa.schema(one.fields).equals(pa.schema(other.fields), check_metadata=True)
    for mine, theirs in zip(one.arrays, other.arrays, strict=True):
        mine.validate(full=True)
        assert repr(mine.to_pylist()).replace("-0.0", "0.0") == repr(theirs.to_pylist()).replace("-0.0", "0.0")


@settings(max_examples=150, deadline=None)
@given(
    slices=st.lists(st.lists(VALUES, max_size=12), min_size=1, max_size=3), columns_max=st.sampled_from([1, 3, 1000])
)
@example(slices=[[b'{"a":1}', b'{"a":1}{"a":2}', b'{"a":1', b"}"]], columns_max=1000)
@example(slices=[[b'{"a":1}', b'{"a":1} null {"a":2}', b'{"a":"x', b'y"}', b'{"a":1}']], columns_max=1000)
@example(slices=[[b'{"a":1.5}', b'{"a":2}'], [b'{"a":9007199254740993}', b'{"a":3}']], columns_max=1000)
@example(slices=[[b'{"a":1.5}', b'{"a":2}'], [b'{"a":NaN}', b'{"a":3}']], columns_max=1000)
def test_fast_and_exact_reader_agree(slices: list[list[bytes | None]], columns_max: int):
    rules = replace(OPEN, columns_max=columns_max)
    fast, exact = JsonColumns(rules), JsonColumns(rules, fast=False)
    for values in slices:
        assert_same(read(fast, values), read(exact, values))


@settings(max_examples=100, deadline=None)
@given(slices=st.lists(st.lists(VALUES, max_size=12), min_size=1, max_size=3))
@example(slices=[[b'{"a":1}'], [b'{"a":1,"z":NaN}', b'{"a":1,"z":"\xff"}', b'{"a":1,"z":{"a":NaN}}', b'{"a":2}']])
@example(slices=[[b'{"a":1}'], [b'{"a":1,"z":-Infinity}', b'{"a":1,"z":1e400}', b'{"a":2}']])
def test_fast_and_exact_reader_agree_on_a_few_fields_only(slices: list[list[bytes | None]]):
    rules = replace(OPEN, wanted=("a", "b.c", "a.b"), always=frozenset({"a", "b", "b.c", "a.b"}))
    fast, exact = JsonColumns(rules), JsonColumns(rules, fast=False)
    for values in slices:
        assert_same(read(fast, values), read(exact, values))


USUAL = b'{"a":1.5,"b":{"c":"x"},"d":["y"]}'
HIDDEN = [
    b'{"a":1.5,"z":NaN}',
    b'{"a":1.5,"z":Infinity}',
    b'{"a":1.5,"z":-Infinity}',
    b'{"a":1.5,"z":"\xff"}',
    b'{"a":1.5,"z":1e400}',
    b'{"a":1.5,"z":{"a":2}}',
    b'{"a":1.5,"z":1,"z":2}',
    b'{"a":1.5,"b":{"d":1}}',
    b'{"a":9007199254740993,"b":{"c":"x"}}',
    b'{"a":1.5,"b":{"c":"\xff"}}',
    b'{"a":1.5,"d":["\xed\xa0\x80"]}',
    b'{"a":1.5}\0{"a":1.5}',
    b'{"a":1.5}\0}',
]


@pytest.mark.parametrize("nasty", [*NASTY_VALUES, *HIDDEN])
@pytest.mark.parametrize("wanted", [None, ("a", "b.c")])
def test_one_nasty_value_among_usual_ones_is_read_as_if_alone(nasty: bytes, wanted: tuple[str, ...] | None):
    rules = replace(OPEN, wanted=wanted, always=frozenset(wanted or ()))
    fast, exact = JsonColumns(rules), JsonColumns(rules, fast=False)
    for values in ([USUAL], [USUAL, nasty, USUAL], [nasty, USUAL], [USUAL, nasty]):
        assert_same(read(fast, values), read(exact, values))


def test_two_faults_that_cancel_in_number_do_not_shift_rows():
    columns = JsonColumns(OPEN)
    read(columns, [b'{"a":0}'])
    for values in ([b'{"a":1}{"a":2}', b'{"a":3}\0}', b'{"a":4}'], [b'{"a":1}{"a":2}', b'{"a":3', b"}", b'{"a":4}']):
        again = read(columns, values)
        assert set(again.bad) == set(range(len(values) - 1))
        assert again.arrays[0].to_pylist()[-1] == 4


DECLARED = shape_of(
    {
        "type": "struct",
        "fields": [
            {"field": "a", "type": "int32", "optional": True},
            {"field": "b", "type": "double"},
            {"field": "when", "type": "int64", "name": "org.apache.kafka.connect.data.Timestamp", "optional": True},
        ],
    }
)
DECLARED_VALUES = st.fixed_dictionaries(
    {}, optional={"a": DOCUMENTS, "b": DOCUMENTS, "when": DOCUMENTS, "c": DOCUMENTS}
).flatmap(written)


@settings(max_examples=100, deadline=None)
@given(values=st.lists(st.one_of(DECLARED_VALUES, st.just(b'{"a":1,"b":0.5,"when":7}'), NASTY), max_size=12))
@example(values=[b'{"b":1}', b'{"b":null}', b'{"a":1}'])
def test_fast_and_exact_reader_agree_on_declared_columns(values: list[bytes | None]):
    rules = JsonRules(declared=DECLARED)
    assert_same(read(JsonColumns(rules), values), read(JsonColumns(rules, fast=False), values))


@settings(max_examples=100, deadline=None)
@given(values=st.lists(st.one_of(DECLARED_VALUES, st.just(b'{"a":1,"b":0.5,"when":7}'), NASTY), max_size=12))
def test_fast_and_exact_reader_agree_on_schema_envelopes(values: list[bytes]):
    schema = (
        b'{"type":"struct","fields":[{"field":"a","type":"int32","optional":true},{"field":"b","type":"double"},'
        b'{"field":"when","type":"int64","name":"org.apache.kafka.connect.data.Timestamp","optional":true}]}'
    )
    wrapped = [b'{"schema":' + schema + b',"payload":' + value + b"}" for value in values]
    rules = replace(OPEN, schemas_enable=True)
    assert_same(read(JsonColumns(rules), wrapped), read(JsonColumns(rules, fast=False), wrapped))


@settings(max_examples=100, deadline=None)
@given(objects=st.lists(OBJECTS, min_size=1, max_size=12))
def test_no_value_is_lost(objects: list[dict[str, object]]):
    raw = [json.dumps(document).encode() for document in objects]
    columns = read(JsonColumns(OPEN), raw)
    assert not columns.bad
    fields = {field.name: field for field in columns.fields}
    if not fields:
        assert not any(objects)
        return
    for document, row in zip(objects, rows(columns), strict=True):
        rest = json.loads(row.get("_rest") or "{}")
        for name, value in document.items():
            if name == "_rest":
                assert_holds(rest["_rest"], value)
            else:
                assert_member(fields[name], row[name], value)


def assert_member(field: pa.Field, stored: object, value: object):
    if field.metadata and stored is not None:
        stored = json.loads(stored)
    elif isinstance(stored, dict):
        assert isinstance(value, dict)
        for name, member in value.items():
            assert_member(field.type.field(field.type.get_field_index(name)), stored[name], member)
        return
    elif isinstance(stored, list):
        assert isinstance(value, list)
        for mine, theirs in zip(stored, value, strict=True):
            assert_member(field.type.value_field, mine, theirs)
        return
    assert_holds(stored, value)


def assert_holds(stored: object, value: object):
    assert stored == value
    if not isinstance(value, int | float) or isinstance(value, bool):
        assert type(stored) is type(value)


def test_rows_stand_beside_their_records_when_one_of_many_is_broken():
    values = [orjson.dumps({"n": n, "s": f"{n}"}) for n in range(5_000)]
    values[1_234] = b'{"n":1}{"n":2}'
    values[4_321] = b'{"n":'
    columns = read(JsonColumns(OPEN), values)
    assert set(columns.bad) == {1_234, 4_321}
    numbers = columns.arrays[0].to_pylist()
    assert [n for row, n in enumerate(numbers) if row not in columns.bad] == [
        n for n in range(5_000) if n not in columns.bad
    ]


@pytest.mark.parametrize(
    ("values", "kind", "stored"),
    [
        ([b'{"a":1}', b'{"a":null}'], pa.int64(), [1, None]),
        ([b'{"a":1}', b'{"a":1.5}'], pa.float64(), [1.0, 1.5]),
        ([b'{"a":9007199254740993}', b'{"a":1.5}'], pa.string(), ["9007199254740993", "1.5"]),
        ([b'{"a":1}', b'{"a":"x"}'], pa.string(), ["1", '"x"']),
        ([b'{"a":9223372036854775808}'], pa.string(), ["9223372036854775808"]),
        ([b'{"a":123456789012345678901234567890}'], pa.string(), ["123456789012345678901234567890"]),
        ([b'{"a":{"b":1}}', b'{"a":2}'], pa.string(), ['{"b":1}', "2"]),
        ([b'{"a":"2020-01-01T00:00:00Z"}'], pa.string(), ["2020-01-01T00:00:00Z"]),
        ([b'{"a":[1]}', b'{"a":[2.5]}'], pa.list_(pa.float64()), [[1.0], [2.5]]),
        (
            [b'{"a":{"b":1}}', b'{"a":{"c":true}}'],
            pa.struct([("b", pa.int64()), ("c", pa.bool_())]),
            [{"b": 1, "c": None}, {"b": None, "c": True}],
        ),
        ([b'{"a":{}}', b'{"a":null}'], pa.struct([("_empty", pa.null())]), [{"_empty": None}, None]),
    ],
)
def test_columns_widen_without_loss(values: list[bytes], kind: pa.DataType, stored: list[object]):
    columns = read(JsonColumns(OPEN), values)
    assert columns.arrays[0].type == kind
    assert columns.arrays[0].to_pylist() == stored


def test_the_sign_of_a_zero_is_kept():
    for fast in (True, False):
        columns = JsonColumns(OPEN, fast=fast)
        for _ in range(2):
            assert repr(read(columns, [b'{"a":-0.0}', b'{"a":0.0}']).arrays[0].to_pylist()) == "[-0.0, 0.0]"


def test_a_topics_columns_are_sticky_and_keep_their_order():
    columns = JsonColumns(OPEN)
    read(columns, [b'{"b":1,"a":2}'])
    second = read(columns, [b'{"c":1.5,"a":null}'])
    assert [field.name for field in second.fields] == ["b", "a", "c"]
    assert rows(second) == [{"b": None, "a": None, "c": 1.5}]


def test_fields_beyond_the_limit_go_to_rest_as_json_text():
    columns = read(JsonColumns(replace(OPEN, columns_max=2)), [b'{"a":1,"b":2,"c":{"d":[3]},"e":null}', b'{"a":1}'])
    assert rows(columns) == [
        {"a": 1, "b": 2, "_rest": '{"c":{"d":[3]},"e":null}'},
        {"a": 1, "b": None, "_rest": None},
    ]


def test_a_value_that_is_no_object_is_kept_as_json_text():
    columns = read(JsonColumns(OPEN), [b"[1, 2]", b'"x"', b"null", b"12345678901234567890123"])
    assert rows(columns) == [
        {"value": "[1,2]"},
        {"value": '"x"'},
        {"value": None},
        {"value": "12345678901234567890123"},
    ]


def test_a_declared_column_refuses_what_does_not_fit_and_never_widens():
    columns = read(
        JsonColumns(JsonRules(declared=DECLARED)), [b'{"a":1,"b":1}', b'{"a":"x","b":1,"new":1}', b'{"a":1}']
    )
    assert columns.bad == {
        1: "field 'a': 'x' does not fit the declared int32",
        2: "the required field 'b' is null or missing",
    }
    assert [str(field.type) for field in columns.fields] == ["int32", "double", "timestamp[ms, tz=UTC]"]


def test_an_undeclared_field_is_kept_beside_declared_ones():
    columns = read(JsonColumns(JsonRules(declared=DECLARED)), [b'{"b":1,"new":[true]}'])
    assert rows(columns)[0]["new"] == [True]


def test_a_map_in_disguise_becomes_json_text_instead_of_ever_more_columns():
    columns = JsonColumns(OPEN)
    read(columns, [json.dumps({"m": {f"k{n}": 1}}).encode() for n in range(NESTED_FIELDS_MAX)])
    again = read(columns, [b'{"m":{"one":1,"more":2}}'])
    assert again.arrays[0].to_pylist() == ['{"one":1,"more":2}']


def test_a_deeply_nested_value_is_kept_as_text_and_too_deep_a_one_is_bad():
    deep = b'{"a":' + b"[" * 100 + b"1" + b"]" * 100 + b"}"
    hostile = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    columns = read(JsonColumns(OPEN), [deep, hostile, b'{"a":' + b"[" * 500 + b"]" * 500 + b"}"])
    assert set(columns.bad) == {1, 2}
    value = columns.arrays[0].to_pylist()[0]
    while isinstance(value, list):
        (value,) = value
    assert json.loads(value.replace("[", "").replace("]", "")) == 1


def test_unwrapped_numbers_stay_exact_inside_json_text():
    columns = read(JsonColumns(OPEN), [b'{"a":[1,"x",123456789012345678901234]}'])
    assert columns.arrays[0].to_pylist() == [["1", '"x"', "123456789012345678901234"]]
    assert isinstance(JsonText("1"), str)


@pytest.mark.parametrize(
    "value", [b'{"a":[null,null]}', b'{"a":[{"b":null},{"b":null}]}', b'{"a":{"b":[[null],[null,null]]}}']
)
def test_lists_of_nothing_but_nulls_keep_every_null(value: bytes):
    columns = read(JsonColumns(OPEN), [value, value])
    for array in columns.arrays:
        array.validate(full=True)
    assert rows(columns) == [json.loads(value)] * 2
