"""Whatever schemas the records of one topic come with, each record is read as its own schema says."""

from __future__ import annotations

import json
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamsink.decode.json.columns import Columns, JsonColumns, JsonRules
from streamsink.decode.json.shape import Kind, Shape

RULES = JsonRules(declared=Shape(Kind.STRUCT), schemas_enable=True)
NARROW = replace(RULES, wanted=("a", "b.a"), always=frozenset({"a", "b", "b.a"}))

NAMES = st.sampled_from(["a", "b", "c"])
LEAVES = st.sampled_from([("int8", 1), ("int32", 70_000), ("int64", 2**40), ("double", 0.5), ("string", "x")])


@st.composite
def typed(draw: st.DrawFn, depth: int = 0) -> tuple[dict[str, object], object]:
    """A schema, and a value that mostly fits it."""
    form = draw(st.sampled_from(["leaf", "leaf", "struct", "array", "map"] if depth < 2 else ["leaf"]))
    if form == "leaf":
        kind, value = draw(LEAVES)
        schema: dict[str, object] = {"type": kind}
        if draw(st.integers(0, 5)) == 0:
            schema["default"] = value
    elif form == "struct":
        members = draw(st.dictionaries(NAMES, typed(depth + 1), max_size=3))
        schema = {"type": "struct", "fields": [{**kind, "field": name} for name, (kind, _) in members.items()]}
        dropped = draw(st.one_of(st.none(), st.none(), NAMES))
        value = {name: member for name, (_, member) in members.items() if name != dropped}
    else:
        items, member = draw(typed(depth + 1))
        schema = {"type": "array", "items": items}
        value = [member] * draw(st.integers(0, 2))
        if form == "map":
            schema, value = {"type": "map", "keys": {"type": "string"}, "values": items}, {"k": member}
    if draw(st.booleans()):
        schema["optional"] = True
    return schema, draw(st.sampled_from([value, value, value, None]))


RECORDS = st.dictionaries(NAMES, typed(), min_size=1, max_size=3)


def envelope(members: dict[str, tuple[dict[str, object], object]]) -> bytes:
    fields = [{**kind, "field": name} for name, (kind, _) in members.items()]
    payload = {name: value for name, (_, value) in members.items()}
    document = {"schema": {"type": "struct", "fields": fields}, "payload": payload}
    return json.dumps(document, separators=(",", ":")).encode()


def read(columns: JsonColumns, values: list[bytes]) -> Columns:
    made = columns.read(pa.array(values, pa.binary()))
    assert [array.type for array in made.arrays] == [field.type for field in made.fields]
    return made


def rows(columns: Columns) -> list[dict[str, object]]:
    return pa.RecordBatch.from_arrays(columns.arrays, schema=pa.schema(columns.fields)).to_pylist()


SLICES = st.lists(st.lists(RECORDS.map(envelope), min_size=1, max_size=6), min_size=1, max_size=3)


@settings(max_examples=100, deadline=None)
@given(slices=SLICES, narrow=st.booleans())
@example(slices=[[envelope({"b": ({"type": "int8"}, 1), "a": ({"type": "struct", "fields": []}, {})})]], narrow=True)
@example(
    slices=[[envelope({"b": ({"type": "struct", "fields": [{"type": "int8", "field": "b"}]}, {"b": 1})})]], narrow=True
)
def test_fast_and_exact_reader_agree_whatever_schemas_come(*, slices: list[list[bytes]], narrow: bool):
    rules = NARROW if narrow else RULES
    fast, exact = JsonColumns(rules), JsonColumns(rules, fast=False)
    for values in [*slices, *slices]:
        one, other = read(fast, values), read(exact, values)
        assert one.bad == other.bad
        assert pa.schema(one.fields).equals(pa.schema(other.fields), check_metadata=True)
        for array in one.arrays:
            array.validate(full=True)
        assert rows(one) == rows(other)


def field(kind: str, **more: object) -> dict[str, object]:
    return {"type": kind, **more}


X = {"type": "int32", "field": "x", "optional": True}
X_REQUIRED = {"type": "int32", "field": "x"}
INTS = {"type": "map", "keys": {"type": "string"}}


@settings(max_examples=100, deadline=None)
@given(values=st.lists(RECORDS.map(envelope), min_size=2, max_size=6))
@example(
    values=[
        envelope({"a": (field("struct", fields=[X]), {"x": 1})}),
        envelope({"a": (field("struct", fields=[X], optional=True), None)}),
    ]
)
@example(
    values=[
        envelope({"a": ({**INTS, "values": field("int32")}, {"k": 1})}),
        envelope({"a": ({**INTS, "values": field("int32", optional=True)}, {"k": None})}),
    ]
)
@example(
    values=[
        envelope({"a": ({**INTS, "values": field("struct", fields=[X_REQUIRED])}, {"k": {"x": 1}})}),
        envelope({"a": ({**INTS, "values": field("struct", fields=[X])}, {"k": {}})}),
    ]
)
def test_a_record_is_bad_by_its_own_schema_only(values: list[bytes]):
    alone = {row for row, value in enumerate(values) if read(JsonColumns(RULES), [value]).bad}
    assert set(read(JsonColumns(RULES), values).bad) == alone


@pytest.mark.parametrize("fast", [True, False])
def test_each_record_gets_the_default_of_its_own_schema(*, fast: bool):
    columns = JsonColumns(RULES, fast=fast)
    values = [
        envelope({"a": (field("int32", default=1), None)}),
        envelope({"a": (field("int32", default=2), None)}),
        envelope({"a": (field("int32", optional=True), None)}),
        envelope({"a": (field("int32", optional=True, default=3), 4)}),
        envelope({"b": (field("struct", optional=True, fields=[{**X, "default": 5}]), {})}),
    ]
    for _ in range(2):
        together = read(columns, values)
        assert not together.bad
        assert [row["a"] for row in rows(together)] == [1, 2, None, 4, None]
        assert [row["b"] for row in rows(together)] == [None, None, None, None, {"x": 5}]


def grown_topic() -> tuple[list[bytes], list[bytes]]:
    small = field("struct", fields=[X_REQUIRED], optional=True)
    large = field("struct", fields=[X, {**X, "field": "y"}], optional=True)
    old = [envelope({"a": (field("int32"), n), "b": (small, {"x": n} if n % 2 else None)}) for n in range(600)]
    new = [
        envelope({"a": (field("int64"), n), "b": (large, {"y": n}), "c": (field("string"), "z")}) for n in range(600)
    ]
    return old, new


def test_a_topic_whose_schema_grew_stays_on_the_fast_reader(monkeypatch: pytest.MonkeyPatch):
    columns = JsonColumns(RULES)
    old, new = grown_topic()
    for values in (old, new):
        read(columns, values)
    monkeypatch.setattr(columns, "_observe", lambda *_: pytest.fail("read exactly"))
    assert rows(read(columns, old))[6:8] == [
        {"a": 6, "b": None, "c": None},
        {"a": 7, "b": {"x": 7, "y": None}, "c": None},
    ]
    assert rows(read(columns, new))[7] == {"a": 7, "b": {"x": None, "y": 7}, "c": "z"}


@pytest.mark.parametrize("fast", [True, False])
def test_a_column_that_schemas_clash_in_holds_json_texts_of_all(*, fast: bool):
    columns = JsonColumns(RULES, fast=fast)
    values = [envelope({"a": (field("string"), "x")}), envelope({"a": (field("int32"), 5)})]
    for value in [*values, *values]:
        read(columns, [value])
    assert [row["a"] for value in values for row in rows(read(columns, [value]))] == ['"x"', "5"]


@pytest.mark.parametrize("fast", [True, False])
def test_a_few_fields_are_judged_by_themselves(*, fast: bool):
    rules = replace(RULES, wanted=("a",), always=frozenset({"a"}))
    columns = JsonColumns(rules, fast=fast)
    read(columns, [envelope({"a": (field("int64", optional=True), 1)})])
    values = [
        envelope({"a": (field("int32"), 1), "b": (field("int32"), 2)}),
        envelope({"a": (field("int32"), 1), "b": (field("int32"), "not declared so")}),
        envelope({"a": (field("int32"), 2**40), "b": (field("int32"), 2)}),
    ]
    for _ in range(2):
        assert set(read(columns, values).bad) == {2}


def test_a_required_field_inside_an_object_is_demanded_by_the_fast_reader():
    kind = field("struct", fields=[X_REQUIRED], optional=True)
    listed = field("array", items=field("int32"), optional=True)
    values = [
        envelope({"a": (kind, {"x": 1}), "b": (listed, [1])}),
        envelope({"a": (kind, {}), "b": (listed, [1])}),
        envelope({"a": (kind, None), "b": (listed, None)}),
        envelope({"a": (kind, {"x": 1}), "b": (listed, [None])}),
    ]
    columns = JsonColumns(RULES)
    for _ in range(2):
        assert set(read(columns, values).bad) == {1, 3}
