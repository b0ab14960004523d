"""What becomes of BSON documents in columns: every type, none taken for another."""

import datetime as dt
import uuid

import bson
import pyarrow as pa
import pytest
from bson import Binary, Code, DatetimeMS, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.dbref import DBRef
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsink.decode.bson.columns import BsonColumns
from streamsink.decode.column_history import ColumnHistory, MemoryShelf
from streamsink.decode.json.columns import JsonRules
from streamsink.decode.json.shape import Kind, Shape

OPEN = JsonRules(declared=Shape(Kind.STRUCT))


def columns_of(shelf=None, *, fast=True):
    return BsonColumns(OPEN, ColumnHistory(shelf or MemoryShelf(), "t", OPEN.declared), fast=fast)


def read(columns, *documents):
    values = [one if one is None or isinstance(one, bytes) else bson.encode(one) for one in documents]
    return columns.read(pa.array(values, pa.binary()))


def batch(found):
    for array in found.arrays:
        array.validate(full=True)
    return pa.RecordBatch.from_arrays(found.arrays, schema=pa.schema(found.fields))


def rows(found):
    return [{name: cell for name, cell in row.items() if cell is not None} for row in batch(found).to_pylist()]


def counted(found):
    """As `rows`, times as their counts: damaged ones are beyond Python's years."""
    made = batch(found)
    plain = pa.schema([field.with_type(untimed(field.type)) for field in made.schema])
    return [{name: cell for name, cell in row.items() if cell is not None} for row in made.cast(plain).to_pylist()]


def untimed(kind):
    if pa.types.is_timestamp(kind):
        return pa.int64()
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(untimed(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(untimed(field.type)) for field in kind])
    return kind


AT = dt.datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=dt.UTC)

TYPES = [
    (ObjectId("0123456789abcdef01234567"), pa.string(), "0123456789abcdef01234567"),
    (7, pa.int64(), 7),
    (Int64(2**62), pa.int64(), 2**62),
    (7.0, pa.float64(), 7.0),
    (float("-inf"), pa.float64(), float("-inf")),
    (True, pa.bool_(), True),
    ("é", pa.string(), "é"),
    (AT, pa.timestamp("ms", tz="UTC"), AT),
    (Decimal128("1.10"), pa.string(), "1.10"),
    (Decimal128("NaN"), pa.string(), "NaN"),
    (b"\x00\xff", pa.binary(), b"\x00\xff"),
    (Binary(b"\x00\xff", 128), pa.binary(), b"\x00\xff"),
    (Binary.from_uuid(uuid.UUID(int=7)), pa.string(), str(uuid.UUID(int=7))),
    ([1, 2], pa.list_(pa.int64()), [1, 2]),
    ([AT], pa.list_(pa.timestamp("ms", tz="UTC")), [AT]),
    ({"a": {"b": 1}}, pa.struct([("a", pa.struct([("b", pa.int64())]))]), {"a": {"b": 1}}),
    (Timestamp(5, 6), pa.struct([("t", pa.int64()), ("i", pa.int64())]), {"t": 5, "i": 6}),
    (
        Regex("^a", "im"),
        pa.struct([("pattern", pa.string()), ("options", pa.string())]),
        {"pattern": "^a", "options": "im"},
    ),
    (Code("f()"), pa.string(), "f()"),
    (
        Code("f()", {"x": 1}),
        pa.struct([("code", pa.string()), ("scope", pa.struct([("x", pa.int64())]))]),
        {"code": "f()", "scope": {"x": 1}},
    ),
    (MinKey(), pa.struct([("$minKey", pa.int64())]), {"$minKey": 1}),
    (MaxKey(), pa.struct([("$maxKey", pa.int64())]), {"$maxKey": 1}),
    (DBRef("c", 1), pa.struct([("$ref", pa.string()), ("$id", pa.int64())]), {"$ref": "c", "$id": 1}),
    ([1, "a"], pa.string(), '[1,"a"]'),
    ([1, AT, b"\x00"], pa.string(), '[1,"2026-01-02T03:04:05.678Z","AA=="]'),
]


@pytest.mark.parametrize(("value", "kind", "cell"), TYPES, ids=lambda each: type(each).__name__)
def test_each_type_has_its_column(value, kind, cell):
    found = batch(read(columns_of(), {"v": value}))
    assert found.schema.field("v").type.equals(kind)
    assert found.to_pylist() == [{"v": cell}]


def test_nothing_is_taken_for_what_it_only_looks_like():
    columns = columns_of()
    read(columns, {"at": AT, "raw": b"abcd", "n": 1})
    found = rows(read(columns, {"at": 5, "raw": "YWJj", "n": 1.5}, {"at": "2026-01-02", "raw": AT, "n": AT}))
    assert found == [
        {"at__int64": 5, "raw__string": "YWJj", "n__double": 1.5},
        {
            "at__string": "2026-01-02",
            "raw__json": '"2026-01-02T03:04:05.678Z"',
            "n__json": '"2026-01-02T03:04:05.678Z"',
        },
    ]


def test_types_stay_when_the_set_is_read_again():
    shelf = MemoryShelf()
    read(columns_of(shelf), {"at": AT, "raw": b"abcd"})
    found = read(columns_of(shelf), {"at": 5, "raw": "YWJj"}, {"at": AT, "raw": b""})
    assert rows(found) == [{"at__int64": 5, "raw__string": "YWJj"}, {"at": AT, "raw": b""}]


def test_times_that_no_calendar_has_are_kept():
    columns = columns_of()
    found = batch(read(columns, {"at": DatetimeMS(2**60)}, {"at": DatetimeMS(-(2**60))}, {"at": "x"}))
    assert found.column(0).cast(pa.int64()).to_pylist() == [2**60, -(2**60), None]
    assert rows(read(columns, {"n": [1, DatetimeMS(2**60)]})) == [{"n": "[1,1152921504606846976]"}]


def test_broken_bytes_are_bad_and_their_neighbours_are_not():
    found = read(columns_of(), {"a": 1}, b"\x05\x00\x00", None, b"{}", bson.encode({"a": 2}) + b"x")
    assert sorted(found.bad) == [1, 3, 4]
    assert all("not valid BSON" in why for why in found.bad.values())
    assert rows(found) == [{"a": 1}, {}, {}, {}, {}]


def test_text_that_is_no_utf8_is_replaced_and_of_two_fields_of_one_name_the_last_counts():
    broken = bson.encode({"a": "x?x"}).replace(b"x?x", b"x\xffx")
    twice = bson.encode({"a": "x", "b": "y"}).replace(b"\x02b\x00", b"\x02a\x00")
    assert rows(read(columns_of(), broken, twice)) == [{"a": "x\ufffdx"}, {"a": "y"}]


SCALARS = [each for each, _, _ in TYPES if not isinstance(each, list | dict)]
SCALARS += [None, 0.0, -0.0, 2.5, 2.0**60, Int64(2**53 + 1), -1, "", "\0", "1", b"", Binary(b"x", 2), Binary(b"x", 4)]
VALUES = st.recursive(
    st.sampled_from(SCALARS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
DOCUMENTS = st.dictionaries(st.sampled_from(["a", "b", "c", "a__json", "a__double", "é"]), VALUES, max_size=5)


@settings(deadline=None, max_examples=60)
@given(st.lists(DOCUMENTS, min_size=1, max_size=6), st.lists(DOCUMENTS, min_size=1, max_size=6), st.integers(1, 30))
def test_both_readers_agree(first, then, times):
    fast, exact = columns_of(), columns_of(fast=False)
    for documents in (first, first * times, then, then * times + first):
        one, other = read(fast, *documents), read(exact, *documents)
        assert repr(rows(one)) == repr(rows(other))
        assert one.bad == other.bad
        assert {field.name: field.type for field in one.fields} == {field.name: field.type for field in other.fields}


@pytest.mark.parametrize("times", [1, 20])
def test_an_empty_array_is_in_the_column_that_a_later_row_of_its_slice_brings(times):
    empty, full = {"n": []}, {"n": [AT]}
    fast, exact = columns_of(), columns_of(fast=False)
    for each in (fast, exact):
        read(each, empty)
    one, other = (read(each, *[empty] * times, full) for each in (fast, exact))
    assert rows(one) == rows(other) == [{"n": []}] * times + [{"n": [AT]}]


def test_an_empty_array_whose_end_is_damaged_is_not_taken_for_an_empty_one():
    good = bson.encode({"a": [], "b": [], "c": MinKey()})
    places = [place for place in range(4, len(good) - 1) if good[place] == 0]
    raw = [good] * 20 + [good[:place] + b"\1" + good[place + 1 :] for place in places]
    fast, exact = columns_of(), columns_of(fast=False)
    for each in (fast, exact):
        read(each, good)
    one, other = read(fast, *raw), read(exact, *raw)
    assert repr(counted(one)) == repr(counted(other))
    assert one.bad == other.bad


LISTS = st.lists(st.integers(-3, 3) | st.none() | st.text("ab", max_size=2), max_size=40)


@settings(deadline=None, max_examples=40)
@given(
    st.lists(
        st.fixed_dictionaries({"n": LISTS, "d": st.lists(st.fixed_dictionaries({"m": LISTS}), max_size=3)}),
        min_size=1,
        max_size=40,
    )
)
def test_both_readers_agree_on_arrays_of_any_length(documents):
    fast, exact = columns_of(), columns_of(fast=False)
    for some in (documents, documents * 20):
        one, other = read(fast, *some), read(exact, *some)
        assert rows(one) == rows(other)
        assert one.bad == other.bad


@settings(deadline=None, max_examples=60)
@given(st.data(), st.lists(DOCUMENTS, min_size=1, max_size=4))
def test_damaged_documents_are_read_as_the_exact_reader_reads_them(data, documents):
    raw = [bson.encode(each) for each in documents] * 20
    for _ in range(data.draw(st.integers(1, 4))):
        row = data.draw(st.integers(0, len(raw) - 1))
        if raw[row]:
            place = data.draw(st.integers(0, len(raw[row]) - 1))
            byte = data.draw(st.sampled_from([0, 1, 2, 5, 0x0A, 0x0C, 0x10, 0x7F, 0xFF]))
            raw[row] = raw[row][:place] + bytes([byte]) + raw[row][place + 1 :]
    fast, exact = columns_of(), columns_of(fast=False)
    for each in (fast, exact):
        read(each, *documents)
    one, other = read(fast, *raw), read(exact, *raw)
    assert repr(counted(one)) == repr(counted(other))
    assert one.bad == other.bad


def test_arrays_are_never_read_one_by_one(monkeypatch):
    documents = [{"n": list(range(row % 15)), "d": [{"t": ["a", None]}] * (row % 3), "none": []} for row in range(40)]
    columns = columns_of()
    read(columns, {"none": ["x"]}, *documents)
    monkeypatch.setattr("streamsink.decode.bson.columns.record_of", lambda _: pytest.fail("it was in doubt"))
    monkeypatch.setattr("streamsink.decode.bson.cells.record_of", lambda _: pytest.fail("a value was read by itself"))
    assert [{**row, "none": []} for row in rows(read(columns, *documents))] == documents


def test_most_documents_are_never_read_one_by_one(monkeypatch):
    columns = columns_of()
    documents = [{"_id": ObjectId(), "n": n, "x": n / 3, "s": str(n), "at": AT, "in": {"a": n}} for n in range(2_000)]
    read(columns, *documents[:300])
    monkeypatch.setattr("streamsink.decode.bson.columns.record_of", lambda _: pytest.fail("it was in doubt"))
    assert rows(read(columns, *documents))[1999]["in"] == {"a": 1999}
