"""Line protocol in bulk is what one would write point by point."""

import random

import orjson
import pyarrow as pa
import pytest

from streamsink.database import point_lines
from streamsink.database.point_lines import PointLines
from streamsink.database.points import Column, Shape
from streamsink.errors import TerminalError

KINDS = {"a=, b": "integer", "b": "boolean", ",f": "float", "s": "string", "ü": "unsigned"}
VALUES = {
    "integer": [0, -(2**63), 2**63 - 1],
    "unsigned": [0, 2**64 - 1],
    "float": [-0.0, 5e-324, 1.7976931348623157e308, 0.1, 3.0, 3],
    "boolean": [True, False],
    "string": ["", "a", 'a "b" \\', "\\n", "line\nbreak", ",=,", "ä🍏", "null"],
}
TAGS = ["x", "a b", "c=d,e", "ö"]


def escaped(text, signs):
    return "".join(f"\\{sign}" if sign in signs else sign for sign in text)


def plain(measurement, told):
    """A line as one would write it alone, with its floats as Python has them."""
    tags = [f",{escaped(name, ',= ')}={escaped(tag, ',= ')}" for name, tag in sorted(told["tags"].items())]
    fields = []
    for name, value in told["fields"].items():
        ends = {"integer": f"{value}i", "unsigned": f"{value}u", "boolean": str(value).lower(), "float": value}
        text = f'"{escaped(value, chr(34) + chr(92))}"' if KINDS[name] == "string" else ends[KINDS[name]]
        fields.append((escaped(name, ",= "), float(text) if KINDS[name] == "float" else text))
    return escaped(measurement, ", ") + "".join(tags), fields, told["time"]


def some_rows(seed):
    chance = random.Random(seed)
    for _ in range(chance.randrange(1, 40)):
        names = [name for name in sorted(KINDS) if chance.random() < 0.5] or ["b"]
        fields = {name: chance.choice(VALUES[KINDS[name]]) for name in names}
        tags = {name: chance.choice(TAGS) for name in ("h", "r t") if chance.random() < 0.7}
        yield {"time": chance.choice([-(2**63) + 2, -1, 0, 2**63 - 2]), "tags": tags, "fields": fields}


@pytest.mark.parametrize("seed", range(20))
def test_lines_in_bulk_are_those_that_one_would_write_one_by_one(seed):
    shape = Shape("m, n", ("h", "r t"), {name: Column(name, KINDS[name]) for name in sorted(KINDS)})
    told = list(some_rows(seed))
    lines = PointLines(shape).of(pa.array([orjson.dumps(row) for row in told], pa.binary()))
    assert lines.times.tolist() == [row["time"] for row in told]
    for text, row in zip(lines.texts.to_pylist(), told, strict=True):
        head, fields, time = plain(shape.measurement, row)
        left = text.decode().removeprefix(f"{head} ")
        for number, (name, value) in enumerate(fields):
            left = left.removeprefix(("," if number else "") + f"{name}=")
            if isinstance(value, float):
                written = left.split(",")[0].split(" ")[0]
                assert repr(float(written)) == repr(value)
                left = left.removeprefix(written)
            else:
                assert left.startswith(value)
                left = left.removeprefix(value)
        assert left == f" {time}"


def test_bodies_hold_all_lines_in_order_and_end_at_their_size_or_at_a_cut(monkeypatch):
    monkeypatch.setattr(point_lines, "WRITE_BYTES", 30)
    shape = Shape("m", (), {"v": Column("v", "integer")})
    told = [{"time": number, "tags": {}, "fields": {"v": 10**number}} for number in range(12)]
    lines = PointLines(shape).of(pa.array([orjson.dumps(row) for row in told], pa.binary()))
    whole = [f"m v={10**number}i {number}".encode() for number in range(12)]
    for cuts in ([], [1], [5, 6, 11]):
        bodies = list(lines.bodies(cuts))
        assert b"\n".join(bodies).split(b"\n") == whole
        assert all(len(body) < 30 + len(whole[-1]) for body in bodies)
        assert {body.split(b"\n")[0] for body in bodies} >= {whole[cut] for cut in cuts}
    assert len(list(lines.bodies())) < 12
    assert list(PointLines(shape).of(pa.array([], pa.binary())).bodies()) == []


def test_a_field_that_the_table_lacks_is_not_left_out_in_silence():
    shape = Shape("m", (), {"v": Column("v", "integer")})
    with pytest.raises(TerminalError):
        PointLines(shape).of(pa.array([b'{"time":1,"tags":{},"fields":{"w":1}}'], pa.binary()))
