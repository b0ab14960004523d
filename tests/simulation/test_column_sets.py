"""The law of columns: no two files of a topic have one column in two types, whatever crashes and races.

Several tasks share one store; the last one has transforms, whose decoder widens columns by itself. A task reads slices
in the set it knows, may write the next one, and stores a file; it may crash before that, and a new one takes its place.
Creates fail before or after they took effect, and reads fail.
"""

import json
import random

import pyarrow as pa
import pytest

from streamsink.decode import column_history
from streamsink.decode.column_history import ColumnHistory
from streamsink.decode.column_set import COLUMNS_KEY, from_json
from streamsink.decode.json.columns import Columns, JsonRules
from streamsink.decode.json.set_columns import SetColumns
from streamsink.decode.json.shape import Kind, Shape, arrow_field
from streamsink.errors import AlreadyExistsError, TransientError
from streamsink.record import VARIANT_OF
from streamsink.sink.column_shelf import StoreColumns
from streamsink.sink.transforming import with_transforms
from streamsink.upload.memory import MemoryStore
from tests.unit.decode.json.test_set_columns import restored, without_nulls
from tests.unit.transform.conftest import Pipeline, chain_of, raw_slice

TASKS, STEPS, HISTORIES = 4, 60, 25
RULES = JsonRules(declared=Shape(Kind.STRUCT), columns_max=12)
TRANSFORMED = {"archive__value": "columns", "value__columns__max": "12"}


class FaultyStore(MemoryStore):
    """Loses requests and replies, and says that a name is taken where nothing was written, as S3 may."""

    def __init__(self, name: str, dice: random.Random, fault_share: float) -> None:
        super().__init__(name)
        self.dice, self.fault_share = dice, fault_share

    def create(self, name, data, metadata):
        fault = self.dice.random() < self.fault_share
        kind = self.dice.choice(["request", "reply", "409"])
        if fault and kind == "request":
            raise TransientError("the request was lost")
        if fault and kind == "409":
            raise AlreadyExistsError("two writers met")
        super().create(name, data, metadata)
        if fault:
            raise TransientError("the reply was lost")

    def get(self, name):
        self._maybe_away()
        return super().get(name)

    def list(self, prefix=""):
        self._maybe_away()
        return super().list(prefix)

    def _maybe_away(self):
        if self.dice.random() < self.fault_share:
            raise TransientError("the store is away")


class Transforming:
    """A task with a transform that leaves values alone."""

    def __init__(self, shelf: StoreColumns) -> None:
        raw = chain_of(("InsertHeader", {"header": "h", "value.literal": "x"}), **TRANSFORMED)
        self.decoder = with_transforms(Pipeline(raw).config, columns=shelf)

    def read(self, values: pa.Array) -> Columns:
        rows = self.decoder.decode(raw_slice(values.to_pylist(), topic="t")).rows
        number = int((rows.schema.metadata or {}).get(COLUMNS_KEY.encode(), b"0"))
        return Columns(rows.columns[1:], list(rows.schema)[1:], {}, number)


class World:
    """One history of tasks that archive one topic."""

    def __init__(self, seed: int, name: str) -> None:
        self.dice = random.Random(seed)
        self.store = FaultyStore(name, self.dice, 0.15)
        self.shelf = StoreColumns(self.store, "topics")
        self.tasks: list[SetColumns | Transforming | None] = [None] * TASKS
        self.files: list[tuple[int, pa.Schema]] = []

    def step(self) -> None:
        number = self.dice.randrange(TASKS)
        values = [self.value() for _ in range(self.dice.randrange(1, 5))]
        try:
            task = self.tasks[number] or self.started(number)
            self.tasks[number] = task
            found = task.read(pa.array([json.dumps(value).encode() for value in values], pa.binary()))
        except TransientError:
            return
        if self.dice.random() < 0.2:
            self.tasks[number] = None
            return
        schema = pa.schema(found.fields)
        self.files.append((found.number, schema))
        batch = pa.RecordBatch.from_arrays(found.arrays, schema=schema)
        rows = batch.to_pylist() if found.fields else [{}] * len(values)
        for value, row in zip(values, rows, strict=True):
            assert without_nulls(restored(found.fields, row)) == without_nulls(value)

    def started(self, number: int) -> SetColumns | Transforming:
        if number == TASKS - 1:
            return Transforming(self.shelf)
        return SetColumns(RULES, ColumnHistory(self.shelf, "t"))

    def value(self) -> dict[str, object]:
        choices = [1, 2.5, "x", True, [1], ["x"], [1, "x"], [], {}, {"a": 1}, {"a": "x"}, {"b": [{"c": 1}]}, 2**60 + 1]
        names = self.dice.sample(["a", "b", "c", "d", "a__string", "e"], self.dice.randrange(4))
        return {name: self.dice.choice(choices) for name in names}

    def check(self) -> None:
        """The law, and that each file's set has its columns."""
        self.store.fault_share = 0.0
        types: dict[str, tuple[object, ...]] = {}
        for number, schema in self.files:
            for place, told in places(schema):
                assert types.setdefault(place, told) == told, f"{place} has two types"
            if number:
                document = self.store.get(f"_streamsink/columns/topics/t/{number}.json")
                kept = pa.schema([arrow_field(*item) for item in from_json(document, "set").fields.items()])
                assert kept.equals(schema, check_metadata=True)
            else:
                assert not schema.names


def places(fields, before: str = ""):
    """Each place with its type, and what it is a variant of; structs may gain fields."""
    for field in fields:
        kind, name = field.type, f"{before}{field.name}"
        while pa.types.is_list(kind):
            kind, name = kind.value_type, f"{name}[]"
        struct = pa.types.is_struct(kind)
        yield name, ("struct" if struct else str(kind), (field.metadata or {}).get(VARIANT_OF.encode()))
        if struct:
            yield from places(kind, f"{name}.")


def run(seed: int, name: str) -> World:
    world = World(seed, f"{name}-{seed}")
    for _ in range(STEPS):
        world.step()
    return world


def judge_all(name: str) -> None:
    for seed in range(HISTORIES):
        run(seed, name).check()


def test_no_two_files_have_a_column_in_two_types(unique):
    worlds = [run(seed, unique) for seed in range(HISTORIES)]
    for world in worlds:
        world.check()
    assert sum(len(world.files) for world in worlds) > HISTORIES * STEPS / 3
    assert max(number for world in worlds for number, _ in world.files) >= 4


@pytest.mark.parametrize("rule", ["the winner's set holds", "rows wait for their set"])
def test_the_law_notices_a_broken_rule(rule, unique, monkeypatch):
    honest = ColumnHistory.grow

    def stubborn(self, shape):
        honest(self, shape)
        return True

    def hasty(self, shape):
        try:
            return honest(self, shape)
        except TransientError:
            return True

    monkeypatch.setattr(column_history.ColumnHistory, "grow", stubborn if rule.startswith("the winner") else hasty)
    with pytest.raises(AssertionError):
        judge_all(unique)
