"""Avro's bytes to columns, held against fastavro on random schemas and on bytes that are damaged."""

import io
import json
import random
from datetime import UTC, date, datetime, time
from decimal import Decimal

import fastavro
import numpy as np
import pyarrow as pa
import pytest

from streamsink.decode.avro.columns import padded, read_columns
from streamsink.decode.avro.named_types import AvroSchemaError
from streamsink.decode.avro.types import avro_type

SEED = 7


def encoded(schema, values):
    parsed = fastavro.parse_schema(schema)
    for value in values:
        stream = io.BytesIO()
        fastavro.schemaless_writer(stream, parsed, value)
        yield stream.getvalue()


def decoded(schema, values):
    values = list(values)
    stops = np.cumsum([len(value) for value in values])
    starts = np.concatenate([[0], stops[:-1]])
    data = padded(np.frombuffer(b"".join(values), np.uint8))
    return read_columns(avro_type(json.dumps(schema)), data, starts, stops)


def record(type_):
    return {"type": "record", "name": "R", "namespace": "n", "fields": [{"name": "a", "type": type_}]}


def values_of(type_, values):
    """Through one field of a record; the column's type and its values."""
    found = decoded(record(type_), encoded(record(type_), [{"a": value} for value in values]))
    assert not found.bad
    return found.array.type.field(0).type, [row["a"] for row in found.array.to_pylist()]


NOON = datetime(2024, 2, 29, 12, 30, 1, 123456, tzinfo=UTC)
CASES = [
    ("long", [0, -1, 63, 64, -65, 2**31, -(2**31) - 1, 2**62, 2**63 - 1, -(2**63), 2**55, 2**56], pa.int64()),
    ("int", [0, -1, 2**31 - 1, -(2**31)], pa.int32()),
    ("double", [0.0, -1.5, 1e300], pa.float64()),
    ("float", [0.0, -1.5], pa.float32()),
    ("boolean", [True, False], pa.bool_()),
    ("bytes", [b"", b"\xff\x00", b"x" * 300], pa.binary()),
    ("string", ["", "naïve", "x" * 300], pa.string()),
    (["null", "string"], ["a", None, ""], pa.string()),
    (["long", "null"], [1, None], pa.int64()),
    ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, ["B", "A"], pa.string()),
    ({"type": "fixed", "name": "F", "size": 3}, [b"abc", b"\x00\x00\x00"], pa.binary(3)),
    ({"type": "int", "logicalType": "date"}, [date(2024, 2, 29), date(1969, 12, 31)], pa.date32()),
    ({"type": "int", "logicalType": "time-millis"}, [time(12, 30, 1, 123000)], pa.time32("ms")),
    ({"type": "long", "logicalType": "time-micros"}, [time(12, 30, 1, 123456)], pa.time64("us")),
    (
        {"type": "long", "logicalType": "timestamp-millis"},
        [NOON.replace(microsecond=123000)],
        pa.timestamp("ms", tz="UTC"),
    ),
    ({"type": "long", "logicalType": "timestamp-micros"}, [NOON], pa.timestamp("us", tz="UTC")),
    ({"type": "long", "logicalType": "local-timestamp-micros"}, [NOON.replace(tzinfo=None)], pa.timestamp("us")),
    (
        {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2},
        [Decimal("1.23"), Decimal("-1.23"), Decimal("0.00"), Decimal("99999999.99"), Decimal("-99999999.99")],
        pa.decimal128(10, 2),
    ),
    (
        {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 0},
        [Decimal(10**38 - 1), Decimal(1 - 10**38), Decimal(0)],
        pa.decimal128(38, 0),
    ),
    (
        {"type": "fixed", "name": "D", "size": 8, "logicalType": "decimal", "precision": 10, "scale": 2},
        [Decimal("-1.23"), Decimal("99999999.99")],
        pa.decimal128(10, 2),
    ),
    (
        {"type": "array", "items": "long"},
        [[], [1], list(range(-300, 300))],
        pa.list_(pa.field("item", pa.int64(), False)),
    ),
    ({"type": "array", "items": ["null", "string"]}, [["a", None], []], pa.list_(pa.string())),
]


@pytest.mark.parametrize(("type_", "values", "arrow"), CASES, ids=lambda case: str(case)[:40])
def test_each_type_reads_as_it_was_written(type_, values, arrow):
    assert values_of(type_, values) == (arrow, values)


def test_nanoseconds_and_local_times_keep_their_units():
    for name, arrow in (
        ("timestamp-nanos", pa.timestamp("ns", tz="UTC")),
        ("local-timestamp-nanos", pa.timestamp("ns")),
    ):
        type_ = {"type": "long", "logicalType": name}
        found = decoded(record(type_), encoded(record("long"), [{"a": 10**18 + 1}]))
        assert found.array.field(0).type == arrow
        assert found.array.field(0).cast(pa.int64()).to_pylist() == [10**18 + 1]


def test_maps_and_nested_lists_keep_their_order():
    type_ = {"type": "array", "items": {"type": "map", "values": {"type": "array", "items": "int"}}}
    _, found = values_of(type_, [[{"q": [1, 2], "p": []}, {}], [], [{"r": [3]}]])
    assert found == [[[("q", [1, 2]), ("p", [])], []], [], [[("r", [3])]]]


def test_a_union_of_several_types_is_a_struct_with_one_field_for_each():
    one = {"type": "record", "name": "X", "fields": [{"name": "x", "type": "int"}]}
    arrow, found = values_of(["null", "int", "string", one], [1, "s", None, ("n.X", {"x": 5})])
    assert [arrow.field(at).name for at in range(arrow.num_fields)] == ["int", "string", "X"]
    assert found[0] == {"int": 1, "string": None, "X": None}
    assert found[1]["string"] == "s"
    assert found[2] is None
    assert found[3]["X"] == {"x": 5}


def test_a_record_that_holds_itself_becomes_json_text():
    tree = {
        "type": "record",
        "name": "Tree",
        "fields": [
            {"name": "v", "type": "int"},
            {"name": "next", "type": ["null", "Tree"]},
            {"name": "z", "type": "int"},
        ],
    }
    values = [{"v": 1, "next": {"v": 2, "next": None, "z": 3}, "z": 4}, {"v": 5, "next": None, "z": 6}]
    found = decoded(tree, encoded(tree, values))
    assert not found.bad
    assert found.array.type.field("next").metadata == {b"streamsink": b"json"}
    assert [row["next"] and json.loads(row["next"]) for row in found.array.to_pylist()] == [values[0]["next"], None]
    assert [row["z"] for row in found.array.to_pylist()] == [4, 6]


def test_a_type_named_before_and_a_referenced_one_are_found():
    inner = json.dumps({"type": "enum", "name": "other.E", "symbols": ["A", "B"]})
    outer = {"type": "record", "name": "R", "namespace": "n", "fields": [{"name": "e", "type": "other.E"}]}
    tree = avro_type(json.dumps(outer), {"other.E": inner})
    found = read_columns(tree, padded(np.array([2], np.uint8)), np.array([0]), np.array([1]))
    assert found.array.to_pylist() == [{"e": "B"}]
    with pytest.raises(AvroSchemaError, match=r"other\.E"):
        avro_type(json.dumps(outer))


DAMAGED = [
    ("string", b"\x06ab", "ends within a string"),
    ("string", b"\x02\xff", "not UTF-8"),
    ("string", b"\x03", "ends within a string"),
    ("string", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "ends within a string"),
    ("long", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "more than 64 bits"),
    ("long", b"\x80", "ends within a number"),
    ("int", b"\xff\xff\xff\xff\xff\x01", "more than 32 bits"),
    ("boolean", b"\x02", "neither 0 nor 1"),
    ("double", b"\x00" * 7, "ends within a number"),
    ("long", b"\x02\x02", "1 bytes more than its schema says"),
    (["null", "int"], b"\x04\x00", "no such branch"),
    ({"type": "enum", "name": "E", "symbols": ["A"]}, b"\x02", "no such symbol"),
    ({"type": "array", "items": "null"}, b"\xfe\xff\xff\xff\xff\xff\x01\x00", "claims more items"),
    ({"type": "array", "items": "int"}, b"\x04\x02", "ends within a number"),
    ({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 0}, b"\x04\x27\x10", "more than 4 digits"),
    ({"type": "bytes", "logicalType": "decimal", "precision": 64, "scale": 0}, b"\x22" + b"\x7f" * 17, "38 digits"),
]


@pytest.mark.parametrize(("type_", "bad", "why"), DAMAGED, ids=lambda case: str(case)[:40])
def test_a_damaged_record_is_named_and_leaves_its_neighbours_alone(type_, bad, why):
    schema = record(type_)
    good = next(iter(encoded(record("string"), [{"a": "ok"}])))
    if type_ != "string":
        good = {"long": b"\x02", "int": b"\x02", "boolean": b"\x01", "double": b"\x00" * 8}.get(str(type_), b"\x00")
    found = decoded(schema, [good, bad, good])
    assert list(found.bad) == [1], found.bad
    assert why in found.bad[1]
    values = found.array.to_pylist()
    assert values[0] == values[2]


def random_type(pick, depth, names):  # noqa: PLR0911 - one case a type
    plain = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]
    kind = pick.choice([*plain, "enum", "fixed", "array", "map", "record", "union"] if depth < 3 else plain)
    name = f"N{len(names)}"
    if kind in {"enum", "fixed", "record"}:
        names.append(name)
    match kind:
        case "enum":
            return {"type": "enum", "name": name, "symbols": ["A", "B", "C"]}
        case "fixed":
            return {"type": "fixed", "name": name, "size": pick.randint(1, 20)}
        case "array":
            return {"type": "array", "items": random_type(pick, depth + 1, names)}
        case "map":
            return {"type": "map", "values": random_type(pick, depth + 1, names)}
        case "record":
            fields = [
                {"name": f"f{at}", "type": random_type(pick, depth + 1, names)} for at in range(pick.randint(1, 4))
            ]
            return {"type": "record", "name": name, "fields": fields}
        case "union":
            return ["null", random_type(pick, 3, names)] if pick.random() < 0.5 else ["string", "null"]
    return kind


def random_value(pick, type_):  # noqa: PLR0911 - one case a type
    if isinstance(type_, list):
        return random_value(pick, pick.choice(type_))
    kind = type_ if isinstance(type_, str) else type_["type"]
    match kind:
        case "null":
            return None
        case "boolean":
            return pick.random() < 0.5
        case "int":
            return pick.randint(-(2**31), 2**31 - 1) >> pick.randint(0, 31)
        case "long":
            return pick.randint(-(2**63), 2**63 - 1) >> pick.randint(0, 63)
        case "float":
            return float(np.float32(pick.random()))
        case "double":
            return pick.random()
        case "bytes":
            return pick.randbytes(pick.randint(0, 40))
        case "string":
            return "é" * pick.randint(0, 40)
        case "enum":
            return pick.choice(type_["symbols"])
        case "fixed":
            return pick.randbytes(type_["size"])
        case "array":
            return [random_value(pick, type_["items"]) for _ in range(pick.randint(0, 4))]
        case "map":
            return {f"k{at}": random_value(pick, type_["values"]) for at in range(pick.randint(0, 4))}
    return {field["name"]: random_value(pick, field["type"]) for field in type_["fields"]}


def as_read(value, type_):
    """What Arrow gives back for a value: maps as pairs."""
    if isinstance(value, dict) and isinstance(type_, dict) and type_["type"] == "map":
        return [(key, as_read(inside, type_["values"])) for key, inside in value.items()]
    if isinstance(value, dict):
        return {field["name"]: as_read(value[field["name"]], field["type"]) for field in type_["fields"]}
    if isinstance(value, list):
        return [as_read(inside, type_["items"]) for inside in value]
    return value


def test_random_schemas_read_as_fastavro_wrote_them():
    pick = random.Random(SEED)
    for _ in range(150):
        fields = [{"name": f"f{at}", "type": random_type(pick, 0, [])} for at in range(pick.randint(1, 5))]
        for at, field in enumerate(fields):
            field["type"] = json.loads(json.dumps(field["type"]).replace('"N', f'"N{at}_'))
        schema = {"type": "record", "name": "Whole", "fields": fields}
        values = [random_value(pick, schema) for _ in range(pick.randint(1, 30))]
        found = decoded(schema, encoded(schema, values))
        assert not found.bad, schema
        assert found.array.to_pylist() == [as_read(value, schema) for value in values], schema


def test_damaged_bytes_never_raise_and_never_touch_other_records():
    pick = random.Random(SEED)
    for _ in range(150):
        schema = {"type": "record", "name": "Whole", "fields": [{"name": "f", "type": random_type(pick, 0, [])}]}
        values = [random_value(pick, schema) for _ in range(5)]
        good = list(encoded(schema, values))
        broken = [*good[:2], pick.randbytes(pick.randint(0, 30)), *good[3:]]
        found = decoded(schema, broken)
        assert set(found.bad) <= {2}
        rows = found.array.to_pylist()
        assert [rows[at] for at in (0, 1, 3, 4)] == [as_read(values[at], schema) for at in (0, 1, 3, 4)]
