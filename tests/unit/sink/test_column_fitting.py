"""Columns of transforms, schemas in values and plugins: each keeps its type, and nothing is lost."""

from __future__ import annotations

import json
import random

import pyarrow as pa
import pytest

from streamsink.decode.column_history import MemoryShelf
from streamsink.decode.column_set import from_json
from streamsink.decode.protocol import Decoder
from streamsink.errors import TransientError
from streamsink.record import DecodedSlice, RawSlice
from streamsink.sink.column_fitting import FittingDecoder
from streamsink.sink.transforming import with_transforms
from tests.unit.decode.json.test_set_columns import assert_types_last, restored, variants, without_nulls
from tests.unit.transform.conftest import Pipeline, chain_of, raw_slice


class Given(Decoder):
    """Gives the rows that a test has put there, as a plugin may: of any type, and other ones each time."""

    def __init__(self) -> None:
        self.rows = pa.RecordBatch.from_pylist([{}])

    def parts(self, raw: RawSlice) -> list[RawSlice]:
        return [raw]

    def decode(self, raw: RawSlice) -> DecodedSlice:
        offsets = raw.rows.column("offset")
        return DecodedSlice(raw.topic_partition, raw.start, raw.next_offset, self.rows, offsets, offsets)


class Fitting:
    """A task: gives it columns, and has what it makes of them."""

    def __init__(self, shelf=None, columns_max=1000):
        self.given = Given()
        self.shelf = shelf or MemoryShelf()
        self.decoder = FittingDecoder(self.given, self.shelf, columns_max)

    def __call__(self, **columns) -> pa.RecordBatch:
        self.given.rows = pa.RecordBatch.from_pydict(columns)
        made = self.decoder.decode(raw_slice([b"x"] * self.given.rows.num_rows)).rows
        made.validate(full=True)
        return made


def values(batch: pa.RecordBatch) -> list[object]:
    return [without_nulls(restored(list(batch.schema), row)) for row in batch.to_pylist()]


def cells(batch: pa.RecordBatch) -> list[dict[str, object]]:
    return [{name: cell for name, cell in row.items() if cell is not None} for row in batch.to_pylist()]


def test_a_column_keeps_its_type_and_others_go_to_its_variants():
    fit = Fitting()
    first = fit(ms=pa.array([1, 2], pa.int32()), who=["ann", None])
    made = fit(ms=pa.array([2.5, 3.0]), who=pa.array([True, None]))
    assert cells(made) == [{"ms__double": 2.5, "who__bool": True}, {"ms": 3}]
    assert variants(made.schema) == {"ms__double": "ms", "who__bool": "who"}
    assert cells(fit(ms=["late"], who=[{"id": 1}])) == [{"ms__string": "late", "who__json": '{"id":1}'}]
    assert_types_last(list(first.schema), list(made.schema))


@pytest.mark.parametrize(
    ("column", "other", "expected"),
    [
        (pa.array([0.5], pa.float32()), pa.array([0.1, 0.25, float("inf")]), {"a__double": 0.1}),
        (pa.array([0.5]), pa.array([2**53 + 1, 2, -1]), {"a__int64": 2**53 + 1}),
        (pa.array([0.5]), pa.array([2**63 - 1, 2, -1]), {"a__int64": 2**63 - 1}),
        (pa.array([1], pa.int8()), pa.array([300, 2, -1]), {"a__int64": 300}),
        (pa.array(["x"]), pa.array([2**63, None, None], pa.uint64()), {"a__json": str(2**63)}),
        (pa.array([1]), pa.array([2**63 - 1, None, None], pa.uint64()), {"a": 2**63 - 1}),
        (pa.array([1]), pa.array([-1.5, 2.0, 3.0]), {"a__double": -1.5}),
    ],
)
def test_a_number_that_its_column_would_change_goes_beside_it(column, other, expected):
    fit = Fitting()
    fit(a=column)
    made = fit(a=other)
    assert cells(made)[0] == expected
    assert values(made) == [{} if value is None else {"a": value} for value in other.to_pylist()]


def test_what_is_no_number_stays_in_a_column_of_floats():
    fit = Fitting()
    fit(a=pa.array([0.5], pa.float32()))
    (row,) = cells(fit(a=pa.array([float("nan")])))
    assert list(row) == ["a"]
    fit = Fitting()
    fit(a=[1])
    assert list(cells(fit(a=pa.array([float("nan")])))[0]) == ["a__double"]


def test_empty_lists_and_lists_of_nulls_stay_in_their_column():
    fit = Fitting()
    fit(tags=[["x"]], deep=[[{"a": 1}]])
    assert cells(fit(tags=[[], [None]], deep=[[], [None]])) == [
        {"tags": [], "deep": []},
        {"tags": [None], "deep": [None]},
    ]
    assert cells(fit(tags=[["y"], [1, 2]][:1], deep=[[{"a": None, "b": 2}]])) == [
        {"tags": ["y"], "deep": [{"a": None, "b": 2}]}
    ]
    assert cells(fit(tags=[[1, 2]], deep=[["x"]])) == [{"tags__json": "[1,2]", "deep__json": '["x"]'}]


def test_a_struct_gains_fields_and_has_variants_inside():
    fit = Fitting()
    fit(http=[{"status": 200}])
    made = fit(http=[{"status": "gone", "path": "/"}, None])
    assert cells(made) == [{"http": {"status": None, "status__string": "gone", "path": "/"}}, {}]
    assert cells(fit(http=[{"status": 404}])) == [{"http": {"status": 404, "status__string": None, "path": None}}]


def test_fields_past_the_limit_and_fields_called_as_a_variant_go_to_rest():
    fit = Fitting(columns_max=2)
    fit(a=[1], b=[2])
    assert values(fit(a=[1], c=["x"], d=[None])) == [{"a": 1, "c": "x"}]
    fit = Fitting()
    fit(a=[1])
    fit(a=["x"])
    made = fit(a=["y"], a__string=["z"])
    assert cells(made) == [{"a__string": "y", "_rest": '{"a__string":"z"}'}]
    assert values(fit(a=[2])) == [{"a": 2}]


def test_rows_name_the_set_that_has_all_their_columns_whichever_task_wrote_it():
    shelf = MemoryShelf()
    one, other = Fitting(shelf), Fitting(shelf)
    one(a=[1])
    assert cells(other(a=["x"], b=[2])) == [{"a__string": "x", "b": 2}]
    made = one(b=["y"], c=[3])
    number = int(made.schema.metadata[b"streamsink.columns"])
    assert number == shelf.newest("logs").number == 3
    kept = from_json(shelf.newest("logs").document, "newest")
    assert list(kept.fields) == made.schema.names == ["a", "a__string", "b", "b__string", "c"]


def test_rows_wait_where_their_set_can_not_be_written():
    class Away(MemoryShelf):
        def append(self, topic, number, document):
            raise TransientError("away")

    with pytest.raises(TransientError):
        Fitting(Away())(a=[1])


def random_array(dice: random.Random) -> pa.Array:
    """Two cells of one type."""
    samples = [
        [1, 2],
        [2**60 + 1, None],
        [1.5, 2.0],
        ["x", None],
        [True, False],
        [None, None],
        [[1], []],
        [["x"], None],
        [[None], [1.5]],
        [{"a": 1}, None],
        [{"a": "x", "b": [1]}, {"a": "y", "b": None}],
        [[{"c": 1}], [{"c": 2}]],
        [[{"c": "x"}], []],
    ]
    return pa.array(dice.choice(samples))


def test_whatever_types_come_nothing_is_lost_and_no_type_changes():
    for seed in range(60):
        dice = random.Random(seed)
        shelf = MemoryShelf()
        tasks = [Fitting(shelf, columns_max=12) for _ in range(2)]
        newest: list[pa.Field] = []
        for _ in range(12):
            names = dice.sample(["a", "b", "c", "a__string", "b__json"], dice.randrange(1, 5))
            columns = {name: random_array(dice) for name in names}
            made = dice.choice(tasks)(**columns)
            given = pa.RecordBatch.from_pydict(columns).to_pylist()
            assert values(made) == [without_nulls(row) for row in given], seed
            fields = list(made.schema)
            assert_types_last(*sorted([newest, fields], key=len))
            newest = max(newest, fields, key=len)


def transformed(raw, shelf):
    pipeline = Pipeline(raw)
    return with_transforms(pipeline.config, columns=shelf)


def test_topics_that_get_one_name_share_its_columns():
    shelf = MemoryShelf()
    rename = ("RegexRouter", {"regex": "logs-.*", "replacement": "logs"})
    decoder = transformed(chain_of(rename, topics="logs-a,logs-b", archive__value="columns"), shelf)
    decoder.decode(raw_slice([b'{"n":1}'], topic="logs-a"))
    made = decoder.decode(raw_slice([b'{"n":"x"}'], topic="logs-b")).rows
    assert made.schema.names == ["_kafka", "n", "n__string"]
    assert shelf.newest("logs").number == 2
    assert shelf.newest("logs-a") is None


def test_records_that_choose_their_topics_have_the_columns_of_their_source():
    shelf = MemoryShelf()
    daily = ("TimestampRouter", {"topic.format": "${topic}-${timestamp}", "timestamp.format": "yyyyMMdd"})
    transformed(chain_of(daily, archive__value="columns"), shelf).decode(raw_slice([b'{"n":1}']))
    assert shelf.newest("logs").number == 1


def test_values_with_schemas_in_them_keep_their_columns_after_a_clash():
    shelf = MemoryShelf()
    raw = chain_of(value__converter__schemas__enable="true", archive__value="columns")
    decoder = transformed(raw, shelf)

    def rows(kind, payload):
        fields = [{"field": "n", "type": kind, "optional": True}]
        schema = {"type": "struct", "optional": False, "fields": fields}
        value = json.dumps({"schema": schema, "payload": {"n": payload}}).encode()
        return decoder.decode(raw_slice([value])).rows

    assert rows("int32", 1).schema.field("n").type == pa.int32()
    assert [row["n__string"] for row in rows("string", "x").to_pylist()] == ["x"]
    assert [(row["n"], row["n__string"]) for row in rows("int32", 2).to_pylist()] == [(2, None)]


def test_objects_find_their_column_after_a_text_was_among_them():
    decoder = transformed(
        chain_of(("InsertField$Value", {"topic.field": "topic"}), archive__value="columns"), MemoryShelf()
    )

    def rows(*values):
        made = decoder.decode(raw_slice([json.dumps(value).encode() for value in values])).rows
        return [
            {key: cell for key, cell in row.items() if cell is not None and key not in {"topic", "_kafka"}}
            for row in made.to_pylist()
        ]

    rows({"http": {"status": 200}, "tags": [1], "ms": 1})
    assert rows({"http": "GET"}, {"http": {"status": 404}}) == [{"http__string": "GET"}, {"http": {"status": 404}}]
    assert rows({"tags": [1, "x"]}, {"tags": [2]}) == [{"tags__json": '[1,"x"]'}, {"tags": [2]}]
    assert rows({"ms": "late"}, {"ms": 2**70}) == [{"ms__string": "late"}, {"ms__json": str(2**70)}]
    assert rows({"ms": 2}, {"ms": 2.5}, {"ms": True}) == [{"ms": 2}, {"ms__double": 2.5}, {"ms__bool": True}]
    assert rows({"http": {"status": "gone"}}) == [{"http": {"status": None, "status__string": "gone"}}]
