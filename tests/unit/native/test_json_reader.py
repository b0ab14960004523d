"""What the native library gives is what the exact reader gives, or in doubt; and it harms nothing in its process."""

from __future__ import annotations

import gc
import json
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamsink.decode.column_history import ColumnHistory, MemoryShelf
from streamsink.decode.json import text as json_text
from streamsink.decode.json.columns import JsonRules
from streamsink.decode.json.fast_reader import RowsRead
from streamsink.decode.json.native_reader import NativeReader
from streamsink.decode.json.placing import orphaned, placed
from streamsink.decode.json.set_columns import SetColumns
from streamsink.decode.json.shape import Kind, Shape, arrow_type
from streamsink.native import library
from streamsink.native.json_reader import make_reader
from streamsink.tooling import native
from tests.unit.decode.json.test_columns import HIDDEN, NASTY_VALUES, OBJECTS, VALUES


@pytest.fixture(scope="module", autouse=True)
def _built():
    assert native.build() is not None, "cargo is needed"
    library.load.cache_clear()
    assert library.load() is not None


def shape_after(*values: object) -> Shape:
    """The column set of a topic that had these values."""
    shelf = MemoryShelf()
    columns = SetColumns(JsonRules(declared=Shape(Kind.STRUCT)), ColumnHistory(shelf, "t"), fast=False)
    for value in values:
        columns.read(pa.array([json.dumps(value).encode()], pa.binary()))
    return ColumnHistory(shelf, "t").shape


def read(shape: Shape, values: list[bytes]) -> RowsRead:
    found = NativeReader(shape, shape).read(pa.array(values, pa.binary()))
    for array, child in zip(found.arrays, shape.fields.values(), strict=True):
        array.validate(full=True)
        assert array.type.equals(arrow_type(child), check_metadata=True)
        assert array.filter(pa.array(found.doubt)).null_count == found.doubt.sum()
    return found


def assert_exact(shape: Shape, values: list[bytes]) -> RowsRead:
    """Each row that is not in doubt is what the exact reader makes of it, to the bit."""
    found = read(shape, values)
    names = list(shape.fields)
    for row in np.flatnonzero(~found.doubt).tolist():
        document = json_text.read(values[row])
        assert isinstance(document, dict)
        cells, left = placed(shape, document)
        assert not left
        assert not orphaned(shape, cells)
        for name, child, array in zip(names, shape.fields.values(), found.arrays, strict=True):
            wanted = pa.array([cells.get(name)], arrow_type(child))
            assert repr(array.slice(row, 1).to_pylist()) == repr(wanted.to_pylist())
    return found


KNOWN = OBJECTS.filter(bool)
MANGLED = st.tuples(KNOWN, st.integers(0, 60), st.integers(0, 3), st.binary(max_size=4)).map(
    lambda made: mangled(json.dumps(made[0]).encode(), *made[1:])
)


def mangled(value: bytes, at: int, taken: int, put: bytes) -> bytes:
    at %= len(value)
    return value[:at] + put + value[at + taken :]


@settings(max_examples=400, deadline=None)
@given(
    known=st.lists(KNOWN, min_size=1, max_size=4),
    values=st.lists(st.one_of(VALUES.filter(lambda value: value is not None), MANGLED), max_size=12),
)
@example(known=[{"a": 1}], values=[b'{"a":-0}', b'{"a":-0.0}', b'{"a":1e400}', b'{"a":9223372036854775808}'])
@example(known=[{"a": {"b": 1}}, {"a": 1}, {"a": [1]}], values=[b'{"a":{"b":1,"b":2}}', b'{"a":[{"x":1,"x":2}]}'])
@example(known=[{"a": [1]}, {"a": ["x"]}], values=[b'{"a":[1,2,"x"]}', b'{"a":[1]}', b'{"a":[1.5e-7]}'])
@example(known=[{"a": 1}], values=[b'{"a":1,"b":null,"b":1}', b'{"b":null,"a":1}', b'{"a":null,"a":1}'])
@example(known=[{"a": "x"}], values=['{"a":"ü'.encode()[:-1], b'\xbc"}'])
def test_a_row_that_is_not_in_doubt_is_what_the_exact_reader_makes_of_it(known, values):
    shape = shape_after(*known)
    if shape.fields:
        assert_exact(shape, values)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.from_regex(r"-?(0|[1-9][0-9]{0,18})(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,2})?", fullmatch=True), max_size=8)
)
@example(["-0", "-0.0", "0.0", "0.00", "0.10", "1.50", "100.0", "0.0001", "0.00009", "1E2", "1e15"])
@example(["9007199254740993.0", "123456789012345.6", "12345678901234.56", "999999999999999.9", "5e-324"])
@example(["80000000000000.12", "8388608.000976562", "-8388608.000976563", "1125899906842624.2"])
def test_numbers_in_a_text_are_written_as_the_exact_reader_writes_them(numbers):
    shape = shape_after({"a": [1, "x"]})
    assert_exact(shape, [f'{{"a":["s",{number}]}}'.encode() for number in numbers])


def test_a_few_fields_of_many_are_read_exactly_whatever_their_order():
    dice = random.Random(1500)
    kinds = [
        lambda: dice.randrange(-99, 99),
        dice.random,
        lambda: dice.random() < 0.5,
        lambda: "x" * dice.randrange(20),
        lambda: [dice.randrange(9) if dice.random() < 0.8 else None for _ in range(dice.randrange(3))],
        lambda: [{"deep": dice.randrange(9)} if dice.random() < 0.5 else {"other": "y"} for _ in range(2)],
        lambda: {"inner": dice.randrange(9)} if dice.random() < 0.5 else {"text": "z"},
        lambda: [1, "mixed", {"k": 0.5}],
    ]
    # Of all lengths, and alike at both ends.
    names = [f"name{'e' * (number % 19)}{number}{'d' * (number % 11)}" for number in range(160)]
    made = {name: kinds[number % len(kinds)] for number, name in enumerate(names)}
    shape = shape_after(*({name: make() for name, make in made.items()} for _ in range(12)))
    rows = []
    for row in range(300):
        often = [name for number, name in enumerate(names) if row % (number + 1) == 0]
        chosen = dice.sample(often, min(len(often), 6)) + dice.sample(names, dice.randrange(4))
        record = {name: made[name]() for name in dict.fromkeys(chosen)}
        rows.append(json.dumps(record, separators=(", ", ": ") if row % 2 else (",", ":")).encode())
    found = assert_exact(shape, rows)
    assert not found.doubt.any()
    taken = NativeReader(shape, shape).read(pa.array(rows, pa.binary()).slice(7, 200)).arrays
    assert [array.to_pylist() for array in taken] == [array.slice(7, 200).to_pylist() for array in found.arrays]


@pytest.mark.parametrize("nasty", [*NASTY_VALUES, *HIDDEN])
def test_a_nasty_value_touches_no_neighbour(nasty):
    usual = b'{"a":1.5,"b":{"c":"x"},"d":["y",null],"e":null}'
    shape = shape_after({"a": 1.5, "b": {"c": "x"}, "d": ["y"], "e": True})
    found = assert_exact(shape, [usual, nasty, usual])
    assert not found.doubt[[0, 2]].any()


@pytest.mark.parametrize(
    ("known", "value"),
    [
        ([{"a": 1}], b'{"a":2.0}'),
        ([{"a": 1}, {"a": 1.5}], b'{"a":2.5}'),
        ([{"a": 1.5}], b'{"a":9007199254740994}'),
        ([{"a": 1.5}, {"a": 2**53 + 1}], b'{"a":9007199254740993}'),
        ([{"a": 1}, {"a": 2**70}], b'{"a":1180591620717411303424}'),
        ([{"a": 1}], b'{"a":-9223372036854775808}'),
        ([{"a": 1.5}], b'{"a":1.7976931348623157e308}'),
        ([{"a": 1}, {"a": "x"}], b'{"a":"\\u00fc\\ud83d\\ude00\\n\\/"}'),
        ([{"a": 1}, {"a": True}], b'{"a":false}'),
        ([{"a": {"b": 1}}, {"a": {"b": "x"}}], b'{"a":{"b":"y"}}'),
        ([{"a": {"b": 1}}, {"a": [1]}], b'{"a": [ {"k": "\\u001f\\u007f\\b"}, 0.5, 123456789012345.6, -0.0 ] }'),
        ([{"a": [1]}, {"a": ["x"]}], b'{"a":[1,2,"x",[],{},null]}'),
        ([{"a": [1, "x"]}], b'{"a":"text"}'),
        ([{"a": [{"b": 1}]}], b'{"a":[{"b":2},null,{}]}'),
        ([{"a": 1, "b": 2, "c": 3}], b'{ "c" : 1 , "\\u0061" : 2 }\r\n'),
        ([{"a": 1}], b'{"new":null,"a":1}'),
    ],
)
def test_what_messy_topics_are_full_of_is_read_natively(known, value):
    shape = shape_after(*known)
    assert not assert_exact(shape, [value]).doubt.any()


@pytest.mark.parametrize(
    "value", [b'{"b":1}', b'{"a":1,"a":2}', b'{"a":"x"}', b'{"a":"\\ud800"}', b'{"a":1}{}', b"[]", b'{"a":1e999}']
)
def test_what_only_the_exact_reader_can_judge_is_in_doubt(value):
    assert read(shape_after({"a": 1}), [value]).doubt.all()


def test_a_field_called_as_a_variant_and_a_number_beyond_all_doubles_are_in_doubt():
    shape = shape_after({"a": 1}, {"a": "x"}, {"b": 1.5})
    assert read(shape, [b'{"a__string":"y"}', b'{"b":1e999}', b'{"a":"y","b":1e99}']).doubt.tolist() == [
        True,
        True,
        False,
    ]


def test_where_columns_widen_what_does_not_fit_is_in_doubt_and_a_text_takes_all():
    shape = Shape(Kind.STRUCT, fields={"a": Shape(Kind.INT), "t": Shape(Kind.TEXT)})
    values = [b'{"a":1,"t":[1,{"k":"v"}]}', b'{"a":1.0}', b'{"a":"x"}', b'{"a":1,"b":null}', b'{"t":"x","a":null}']
    found = NativeReader(shape, None).read(pa.array(values, pa.binary()))
    assert found.doubt.tolist() == [False, True, True, True, False]
    assert found.arrays[1].to_pylist() == ['[1,{"k":"v"}]', None, None, None, '"x"']


def test_where_the_set_is_full_other_fields_go_to_the_rest_but_for_some():
    rest = Shape(Kind.TEXT, variant_of="_rest")
    shape = Shape(
        Kind.STRUCT, fields={"a": Shape(Kind.INT), "a__string": Shape(Kind.STRING, variant_of="a"), "_rest": rest}
    )
    values = [
        b'{"b":1.50,"a":1,"c":null,"q\\"\\u00fc\\n":[1, {"k":2}]}',
        b'{"a":"x"}',
        b'{"c":null}',
        b'{"kept":1}',
        b'{"_rest":1}',
        b'{"a__string":1}',
        b'{"b":1,"b":2}',
        b'{"b":null,"a":1,"b":2}',
        b'{"a":true,"b":1}',
    ]
    reader = NativeReader(shape, shape, rest_but=frozenset({"kept"}))
    for _ in range(2):
        found = reader.read(pa.array(values, pa.binary()))
        assert found.doubt.tolist() == [False] * 3 + [True] * 6
        assert found.arrays[2].to_pylist() == ['{"b":1.5,"q\\"\u00fc\\n":[1,{"k":2}]}', *[None] * 8]
        assert found.arrays[0].to_pylist() == [1, *[None] * 8]
    assert read(shape, values).doubt.tolist() == [True, False, False, *[True] * 6]


@pytest.mark.parametrize(
    ("skipped", "certain"),
    [
        (b'{"k":[1,"\\u00fc\\"",{},[],null,true,-1.5e3],"k":2}', True),
        (b'"\\ud83d\\ude00"', True),
        (b"1.", False),
        (b"01", False),
        (b"tru", False),
        (b'"\\x"', False),
        (b'"a\nb"'.replace(b"\n", b"\n"), False),
        (b'{"k" 1}', False),
        (b"{1:2}", False),
        (b"[1 2]", False),
        (b"[" * 100 + b"]" * 100, False),
    ],
)
def test_what_is_passed_over_is_json_all_the_same(skipped, certain):
    shape = Shape(Kind.STRUCT, fields={"a": Shape(Kind.INT)})
    value = b'{"x":' + skipped + b',"a":1}'
    found = NativeReader(shape, None, others_ignored=True).read(pa.array([value], pa.binary()))
    assert found.doubt.tolist() == [not certain]
    assert found.arrays[0].to_pylist() == [1 if certain else None]


def test_names_that_a_text_writes_in_several_ways_are_found():
    shape = shape_after({'q"': 1, "b\\n": 2, "t\t": 3, "ü": 4})
    values = [json.dumps({'q"': 1, "b\\n": 2, "t\t": 3, "ü": 4}).encode(), b'{"b\\n":7}', b'{"q"":1}', b'{"t\t":1}']
    found = assert_exact(shape, values)
    assert found.doubt.tolist() == [False, True, True, True]


def test_columns_outlive_the_rows_they_came_in_and_memory_is_given_back():
    shape = shape_after({"a": "x", "b": [{"c": 1}], "d": 1.5})
    values = pa.array([b'{"a":"some text of a record","b":[{"c":1},{"c":2}],"d":2.5}'] * 5_000, pa.binary())
    reader = NativeReader(shape, shape)
    kept = reader.read(values).arrays[0]
    before = 0
    for turn in range(400):
        reader.read(values)
        if turn == 100:
            before = resident_bytes()
    assert resident_bytes() - before < 16 << 20
    del reader
    gc.collect()
    assert kept.to_pylist() == ["some text of a record"] * 5_000


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@given(description=st.binary(max_size=40))
@example(description=b"{\0\1\0\0" + b"\xff" * 10 + b"\1\0ai\0\x40")
@example(description=b"{\0\1\0\0" + b"\0" * 10 + b"\1\0ai\0\x40")
def test_a_description_that_is_none_makes_no_reader_and_no_harm(description):
    make_reader(description, pa.struct([]))


def test_it_is_off_where_the_switch_says_so(monkeypatch):
    monkeypatch.setenv(library.SWITCH, "off")
    library.load.cache_clear()
    try:
        assert library.load() is None
        assert make_reader(b"", pa.struct([])) is None
    finally:
        library.load.cache_clear()


def test_a_library_that_is_none_is_left_alone(monkeypatch, tmp_path):
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"no library")
    monkeypatch.setattr(library, "FILE", broken)
    library.load.cache_clear()
    try:
        assert library.load() is None
    finally:
        library.load.cache_clear()
