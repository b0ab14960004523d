import itertools
import math

import numpy as np
import orjson
import pytest

from streamsink.database.point_rows import Columns, PointRows, batched_rows, texts_of
from streamsink.database.points import Column, Shape
from streamsink.database.protocol import RowBatch

AWKWARD = ["", "null", 'a",\n  "b', '",', "\\", "ä\u2028", "null,\n  null"]
FIELDS = {"a": [1, -(2**63), 2**63 - 1], "f": [-0.0, 5e-324, 1e300, 3.0], "s": AWKWARD, "u": [2**64 - 1]}


def made(points, columns="afsu"):
    """A shape of fields of every type, and points that have some of them."""
    shape = Shape("m", ("h", "r"), {name: Column(name, "string") for name in columns})
    times, tags, fields = zip(*points, strict=True) if points else ((), (), ())
    return shape, Columns(times, tags, {name: [one.get(name) for one in fields] for name in shape.columns})


def plain(shape, points):
    """Rows as one would write them one by one."""
    pairs = []
    for time, tags, fields in sorted(points, key=lambda point: (point[0], tuple(tag or "" for tag in point[1]))):
        known = dict(zip(shape.tags, tags, strict=True))
        told = {name: fields[name] for name in shape.columns if fields.get(name) is not None}
        if told:
            key = {"time": time} | {name: tag or None for name, tag in known.items()}
            value = {"time": time, "tags": {name: tag for name, tag in known.items() if tag}, "fields": told}
            pairs.append((orjson.dumps(key), orjson.dumps(value)))
    return pairs


def pairs(rows):
    return list(zip(rows.keys.to_pylist(), rows.values.to_pylist(), strict=True))


def some_points(seed):
    """Points in any order, no two of one time and tags, with gaps in any field."""
    random = np.random.default_rng(seed)
    places = list(itertools.product([-1, 0, 7, 7 * 10**18], ["", None, "x", "ä,b"], ["1", "2"]))
    places = [place for place in places if place[1] != ""] if seed % 2 else [p for p in places if p[1] is not None]
    random.shuffle(places)
    for time, *tags in places:
        held = {name: values[random.integers(len(values))] for name, values in FIELDS.items() if random.random() < 0.6}
        yield time, tuple(tags), held


@pytest.mark.parametrize("seed", range(20))
def test_rows_in_bulk_are_the_rows_that_one_would_write_one_by_one(seed):
    points = list(some_points(seed))
    shape, columns = made(points)
    assert pairs(PointRows(shape).of(columns)) == plain(shape, points)


@pytest.mark.parametrize("seed", range(5))
def test_reading_goes_on_behind_any_point(seed):
    points = list(some_points(seed))
    shape, columns = made(points)
    for time, tags, _ in points:
        place = time, tuple(tag or "" for tag in tags)
        later = [point for point in points if (point[0], tuple(tag or "" for tag in point[1])) > place]
        assert pairs(PointRows(shape).of(columns, behind=place)) == plain(shape, later)


def test_points_without_tags_or_without_any_field_are_rows_too_or_none():
    shape = Shape("m", (), {"v": Column("v", "float")})
    rows = PointRows(shape).of(Columns([3, 1, 2], [(), (), ()], {"v": [1.5, None, -0.0]}))
    assert pairs(rows) == [
        (b'{"time":2}', b'{"time":2,"tags":{},"fields":{"v":-0.0}}'),
        (b'{"time":3}', b'{"time":3,"tags":{},"fields":{"v":1.5}}'),
    ]
    assert pairs(PointRows(shape).of(Columns([1], [()], {"v": [None]}))) == []
    assert pairs(PointRows(shape).of(Columns([], [], {"v": []}))) == []


@pytest.mark.parametrize("values", [AWKWARD, [None], [None, 1, None], [True, False], [1.5, math.nan], [""]])
def test_each_value_is_the_text_that_orjson_writes_of_it_alone(values):
    alone = [orjson.dumps(value) for value in values]
    assert texts_of(values).to_pylist() == [None if text == b"null" else text for text in alone]


@pytest.mark.parametrize("sizes", [[], [1], [3, 3], [0, 7, 0, 1], [20], [2, 2, 2]])
def test_batches_have_one_size_but_the_last(sizes):
    shape = Shape("m", (), {"v": Column("v", "integer")})
    numbers = iter(range(100))
    pieces = []
    for size in sizes:
        times = list(itertools.islice(numbers, size))
        pieces.append(PointRows(shape).of(Columns(times, [()] * size, {"v": times})))
    batches = list(batched_rows(pieces, 3))
    assert all(isinstance(batch, RowBatch) and len(batch.keys) == len(batch.values) for batch in batches)
    assert [len(batch.keys) for batch in batches[:-1]] == [3] * (len(batches) - 1)
    found = [pair for batch in batches for pair in pairs(batch)]
    assert found == [pair for piece in pieces for pair in pairs(piece)]
    assert all(len(batch.keys) for batch in batches)
