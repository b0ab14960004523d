"""Columns of a topic's set: nothing is lost, no column changes its type, and both readers agree."""

from __future__ import annotations

import json
import random
from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamsink.decode.column_history import ColumnHistory, MemoryShelf
from streamsink.decode.column_set import from_json, to_json
from streamsink.decode.json.columns import Columns, JsonRules
from streamsink.decode.json.set_columns import SetColumns
from streamsink.decode.json.shape import Kind, Shape, arrow_field
from streamsink.errors import TransientError
from streamsink.record import VARIANT_OF
from tests.unit.decode.json.test_columns import DECLARED, DECLARED_VALUES, HIDDEN, NASTY, NASTY_VALUES, OBJECTS, VALUES

OPEN = JsonRules(declared=Shape(Kind.STRUCT))


def columns_of(shelf=None, rules=OPEN, *, fast=True):
    return SetColumns(rules, ColumnHistory(shelf or MemoryShelf(), "t", rules.declared), fast=fast)


def read(columns: SetColumns, values) -> Columns:
    return columns.read(pa.array(values, pa.binary()))


def batch(columns: Columns) -> pa.RecordBatch:
    for array in columns.arrays:
        array.validate(full=True)
    return pa.RecordBatch.from_arrays(columns.arrays, schema=pa.schema(columns.fields))


def rows(columns: Columns) -> list[dict[str, object]]:
    return [{name: cell for name, cell in row.items() if cell is not None} for row in batch(columns).to_pylist()]


def same(one: Columns, other: Columns) -> bool:
    """Whether all cells are equal, their types too; JSON's `-0` may be either zero."""
    return repr(rows(one)).replace("-0.0", "0.0") == repr(rows(other)).replace("-0.0", "0.0")


def variants(fields) -> dict[str, str]:
    marks = {field.name: (field.metadata or {}).get(VARIANT_OF.encode()) for field in fields}
    return {name: mark.decode() for name, mark in marks.items() if mark is not None}


def restored(fields, row: dict[str, object], *, top: bool = True) -> object:
    """A value made of its row as a reader would make it, by the fields' marks alone."""
    found: dict[str, object] = {}
    for field in fields:
        cell = row.get(field.name)
        if cell is None:
            continue
        marks = field.metadata or {}
        variant_of = marks.get(VARIANT_OF.encode())
        value = json.loads(cell) if b"streamsink" in marks else plain(field.type, cell)
        if top and field.name == "_rest":
            if not isinstance(value, dict):
                return value
            found |= value
        elif variant_of == b"" and not field.name.startswith("__"):
            return value
        else:
            found[field.name if variant_of is None else variant_of.decode()] = value
    return found


def plain(kind: pa.DataType, cell: object) -> object:
    if isinstance(cell, dict):
        return restored(list(kind), cell, top=False)
    if isinstance(cell, list):
        return [None if item is None else plain(kind.value_type, item) for item in cell]
    return cell


def without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {name: without_nulls(member) for name, member in value.items() if member is not None}
    return [without_nulls(member) for member in value] if isinstance(value, list) else value


def assert_types_last(before: list[pa.Field], after: list[pa.Field]) -> None:
    """Each place that was there has its type still; only places are added."""
    new = {field.name: field for field in after}
    assert [field.name for field in before] == [field.name for field in after][: len(before)]
    for field in before:
        assert_type_lasts(field.type, new[field.name].type)
        assert field.metadata == new[field.name].metadata


def assert_type_lasts(before: pa.DataType, after: pa.DataType) -> None:
    if pa.types.is_struct(before):
        assert_types_last(list(before), list(after))
    elif pa.types.is_list(before):
        assert_type_lasts(before.value_type, after.value_type)
    else:
        assert before == after


@settings(max_examples=200, deadline=None)
@given(
    slices=st.lists(st.lists(VALUES, max_size=12), min_size=1, max_size=4), columns_max=st.sampled_from([1, 3, 1000])
)
@example(slices=[[b'{"a":1}', b'{"a":1}{"a":2}', b'{"a":1', b"}"]], columns_max=1000)
@example(slices=[[b'{"a":1}', b'{"a":1} null {"a":2}', b'{"a":"x', b'y"}', b'{"a":1}']], columns_max=1000)
@example(slices=[[b'{"a":1.5}', b'{"a":2}'], [b'{"a":9007199254740993}', b'{"a":3}']], columns_max=1000)
@example(slices=[[b'{"a":1}'], [b'{"a":1.5}', b'{"a":2.0}', b'{"a":-0.0}', b'{"a":3}']], columns_max=1000)
def test_fast_and_exact_reader_agree(slices, columns_max):
    rules = JsonRules(declared=Shape(Kind.STRUCT), columns_max=columns_max)
    fast, exact = columns_of(rules=rules), columns_of(rules=rules, fast=False)
    for values in slices:
        one, other = read(fast, values), read(exact, values)
        assert one.bad == other.bad
        assert one.number == other.number
        assert pa.schema(one.fields).equals(pa.schema(other.fields), check_metadata=True)
        assert same(one, other)


@settings(max_examples=200, deadline=None)
@given(
    slices=st.lists(st.lists(OBJECTS, max_size=8), min_size=1, max_size=4), columns_max=st.sampled_from([1, 3, 1000])
)
def test_nothing_is_lost_and_no_column_changes_its_type(slices, columns_max):
    shelf = MemoryShelf()
    rules = JsonRules(declared=Shape(Kind.STRUCT), columns_max=columns_max)
    known: list[pa.Field] = []
    for objects in slices:
        # Each slice is read by a task that starts anew.
        found = read(columns_of(shelf, rules), [json.dumps(value).encode() for value in objects])
        assert not found.bad
        assert_types_last(known, found.fields)
        known = found.fields
        for value, row in zip(objects, batch(found).to_pylist() if found.fields else [{}] * len(objects), strict=True):
            assert without_nulls(restored(found.fields, row)) == without_nulls(value)


USUAL = b'{"a":1.5,"b":{"c":"x"},"d":["y"]}'


@pytest.mark.parametrize("nasty", [*NASTY_VALUES, *HIDDEN])
def test_one_nasty_value_among_usual_ones_is_read_as_if_alone(nasty):
    for values in ([USUAL, nasty, USUAL], [nasty, USUAL], [USUAL, nasty]):
        fast, exact = columns_of(), columns_of(fast=False)
        read(fast, [USUAL])
        read(exact, [USUAL])
        one, other = read(fast, values), read(exact, values)
        assert one.bad == other.bad
        assert same(one, other)


@settings(max_examples=100, deadline=None)
@given(values=st.lists(st.one_of(DECLARED_VALUES, st.just(b'{"a":1,"b":0.5,"when":7}'), NASTY), max_size=12))
@example(values=[b'{"b":1}', b'{"b":null}', b'{"a":1}'])
@example(values=[b'{"b":1,"when":9007199254740992}'])
def test_fast_and_exact_reader_agree_on_declared_columns(values):
    rules = JsonRules(declared=DECLARED)
    one, other = read(columns_of(rules=rules), values), read(columns_of(rules=rules, fast=False), values)
    assert one.bad == other.bad
    assert pa.schema(one.fields).equals(pa.schema(other.fields), check_metadata=True)
    # Times may be beyond those that Python knows.
    assert all(mine.equals(theirs) for mine, theirs in zip(one.arrays, other.arrays, strict=True))
    assert [field.name for field in one.fields][:3] == ["a", "b", "when"]


@pytest.mark.parametrize(
    ("first", "second", "stored"),
    [
        (b'{"ms":1}', b'{"ms":1.5}', {"ms__double": 1.5}),
        (b'{"ms":1}', b'{"ms":2.0}', {"ms": 2}),
        (b'{"ms":1.5}', b'{"ms":2}', {"ms": 2.0}),
        (b'{"ms":1.5}', b'{"ms":9007199254740993}', {"ms__int64": 9007199254740993}),
        (b'{"ms":1.5}', b'{"ms":9007199254740994}', {"ms": 9007199254740994.0}),
        (b'{"ms":1}', b'{"ms":true}', {"ms__bool": True}),
        (b'{"ms":1}', b'{"ms":12345678901234567890123}', {"ms__json": "12345678901234567890123"}),
        (b'{"http":{"status":1}}', b'{"http":"GET"}', {"http__string": "GET"}),
        (b'{"http":{"status":1}}', b'{"http":{"status":"x"}}', {"http": {"status": None, "status__string": "x"}}),
        (b'{"http":"GET"}', b'{"http":{"status":1}}', {"http__json": '{"status":1}'}),
        (b'{"tags":[1]}', b'{"tags":[1,"a"]}', {"tags__json": '[1,"a"]'}),
        (b'{"tags":[1]}', b'{"tags":[]}', {"tags": []}),
        (b'{"tags":[1,"a"]}', b'{"tags":[2]}', {"tags": "[2]"}),
        (b'{"tags":[]}', b'{"tags":[2]}', {"tags": [2]}),
        (b'{"a":1,"a__string":2}', b'{"a":"x"}', {"_rest": '{"a":"x"}'}),
        (b'{"a":1,"b":[{"k":1}]}', b'{"b":[{"k":"x","m":2}]}', {"b": [{"k": None, "m": 2, "k__string": "x"}]}),
        (b'{"a":1}', b"[1, 2]", {"value": "[1,2]"}),
        (b'{"value":1}', b"[1, 2]", {"value__json": "[1,2]"}),
        (b'{"_rest":1}', b'{"_rest":{"x":2}}', {"_rest": '{"_rest":{"x":2}}'}),
    ],
)
@pytest.mark.parametrize("fast", [True, False])
def test_a_value_that_does_not_fit_its_column_goes_beside_it(first, second, stored, fast):
    shelf = MemoryShelf()
    read(columns_of(shelf, fast=fast), [first])
    assert rows(read(columns_of(shelf, fast=fast), [second])) == [stored]


def test_integers_and_doubles_of_the_first_slice_make_a_double_however_late_they_come():
    values = [b'{"ms":1}'] * 5_000 + [b'{"ms":1.5}'] + [b'{"ms":2}'] * 100
    found = read(columns_of(), values)
    assert [field.type for field in found.fields] == [pa.float64()]
    assert batch(found).column(0).to_pylist() == [1.0] * 5_000 + [1.5] + [2.0] * 100


def test_a_set_reads_back_as_it_was_written():
    shelf = MemoryShelf()
    value = b'{"a":[[{"b":1}]],"c":{"d":{"e":"x"}},"f":[true],"g":[1,"a"],"h":1.5,"i":12345678901234567890}'
    found = read(columns_of(shelf), [value, b'{"a":1,"h":"x"}', b'{"c":{"d":5}}', b"7"])
    document = shelf.newest("t").document
    shape = from_json(document, "1")
    assert pa.schema([arrow_field(name, child) for name, child in shape.fields.items()]).equals(
        pa.schema(found.fields), check_metadata=True
    )
    assert to_json("t", shape) == document
    assert variants(found.fields) == {"a__int64": "a", "h__string": "h", "value": ""}
    entries = {entry["name"]: entry for entry in json.loads(document)["fields"]}
    assert entries["a"]["type"] == "list<list<struct>>"
    assert entries["h__string"] == {"name": "h__string", "type": "string", "variant_of": "h"}


def test_declared_columns_are_in_the_first_set_and_keep_their_types():
    shelf = MemoryShelf()
    rules = JsonRules(declared=DECLARED)
    found = read(columns_of(shelf, rules), [b'{"x":1,"b":2}', b'{"a":70000000000,"b":1}', b'{"a":"?","b":1}', b"{}"])
    assert json.loads(shelf.newest("t").document)["fields"][:3] == [
        {"name": "a", "type": "int32"},
        {"name": "b", "type": "double"},
        {"name": "when", "type": "timestamp"},
    ]
    assert rows(found)[:3] == [{"x": 1, "b": 2.0}, {"a__int64": 70000000000, "b": 1.0}, {"a__string": "?", "b": 1.0}]
    assert found.bad == {3: "the required field 'b' is null or missing"}


def test_columns_are_bounded_and_variants_count():
    shelf = MemoryShelf()
    rules = JsonRules(declared=Shape(Kind.STRUCT), columns_max=3)
    read(columns_of(shelf, rules), [b'{"a":1,"b":2}'])
    found = read(columns_of(shelf, rules), [b'{"a":"x","b":"y","c":3}', b'{"b":2}'])
    assert [field.name for field in found.fields] == ["a", "b", "c", "_rest"]
    assert rows(found) == [{"c": 3, "_rest": '{"a":"x","b":"y"}'}, {"b": 2}]


def test_a_thousand_and_a_half_keys_leave_room_for_variants_and_go_to_rest_as_text():
    columns = columns_of()
    dice = random.Random(3)
    values = [{f"key{number}": dice.randrange(9) for number in dice.sample(range(1_500), 12)} for _ in range(3_000)]
    for low in (0, 1_500):
        found = read(columns, [json.dumps(value).encode() for value in values[low : low + 1_500]])
        assert len(found.fields) == 951
        for value, row in zip(values[low:], batch(found).to_pylist(), strict=False):
            assert restored(found.fields, row) == value
    late = read(columns, [json.dumps({"key7": "late"}).encode()])
    assert "key7__string" in [field.name for field in late.fields]


class RacingShelf(MemoryShelf):
    """Before an append, another task appends something else, so often."""

    def __init__(self, *documents):
        super().__init__()
        self.documents = list(documents)

    def append(self, topic, number, document):
        if self.documents:
            super().append(topic, number, self.documents.pop(0))
        return super().append(topic, number, document)


def set_of(*fields: tuple[str, str]) -> bytes:
    return json.dumps({"topic": "t", "fields": [{"name": name, "type": kind} for name, kind in fields]}).encode()


def test_where_another_task_was_faster_its_types_hold():
    shelf = RacingShelf(set_of(("ms", "string")), set_of(("ms", "string"), ("b", "int64")))
    found = read(columns_of(shelf), [b'{"ms":1,"b":2,"c":true}'])
    assert found.number == 3
    assert [(field.name, str(field.type)) for field in found.fields] == [
        ("ms", "string"),
        ("b", "int64"),
        ("c", "bool"),
        ("ms__int64", "int64"),
    ]
    assert rows(found) == [{"b": 2, "c": True, "ms__int64": 1}]


def test_a_task_that_is_never_fast_enough_tries_again_later():
    shelf = RacingShelf(*(set_of(*((f"c{n}", "int64") for n in range(upto))) for upto in range(1, 300)))
    with pytest.raises(TransientError, match="faster than this one"):
        read(columns_of(shelf), [b'{"ms":1}'])


class DeafShelf(MemoryShelf):
    def append(self, topic, number, document):
        raise TransientError("no answer")


def test_rows_are_not_given_out_before_their_set_is_written():
    with pytest.raises(TransientError, match="no answer"):
        read(columns_of(DeafShelf()), [b'{"ms":1}'])


def test_a_wide_and_sparse_topic_is_read_as_exactly():
    dice = random.Random(1)
    fast, exact = columns_of(), columns_of(fast=False)
    numbers = []
    for _ in range(4):
        given_values = []
        for number in range(1_200):
            value = {"ts": number, "text": 'a "quoted": null, thing', "in": {"x": None, "y": number % 3}}
            if dice.random() < 0.3:
                value[f"seldom{dice.randrange(40)}"] = dice.choice([None, 1, "s", {"ts": 1}, [{"q": None}]])
            if dice.random() < 0.1:
                value["ts"] = dice.choice([1.5, "late", None])
            given_values.append(value)
        for columns in (fast, exact):
            found = read(columns, [json.dumps(value).encode() for value in given_values])
            for value, row in zip(given_values, batch(found).to_pylist(), strict=True):
                assert without_nulls(restored(found.fields, row)) == without_nulls(value)
        numbers.append(found.number)
    assert all(later >= earlier for earlier, later in pairwise(numbers))
