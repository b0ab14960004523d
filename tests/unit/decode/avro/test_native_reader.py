"""What the native library reads of Avro is what the exact reader reads, to the bit, or nothing."""

from __future__ import annotations

import ctypes
import json
import random
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest

from streamsink.decode.avro.columns import Columns, padded, read_columns
from streamsink.decode.avro.native_reader import native_records
from streamsink.decode.avro.types import avro_type
from streamsink.decode.registry.client import RegisteredSchema
from streamsink.decode.registry.schema_reader import AvroReader
from streamsink.decode.registry.wire import Frames
from streamsink.native import library
from streamsink.tooling import native
from tests.unit.decode.avro.test_columns import encoded, random_type, random_value, record

SEED = 11


@pytest.fixture(scope="module", autouse=True)
def _built():
    assert native.build() is not None, "cargo is needed"
    library.load.cache_clear()
    assert library.load() is not None


@dataclass(frozen=True)
class Both:
    """What both readers make of values."""

    exact: Columns
    native: pa.StructArray | None


class Readers:
    """Both readers of one schema; the native one is used for batch after batch."""

    def __init__(self, schema):
        self.type = avro_type(json.dumps(schema))
        self.native = native_records(self.type)

    def read(self, values):
        stops = np.cumsum([len(value) for value in values])
        starts = stops - [len(value) for value in values]
        data = padded(np.frombuffer(b"".join(values), np.uint8))
        return Both(read_columns(self.type, data, starts, stops), self.native.read(data, starts, stops))


def assert_same(found):
    """As the exact reader has it, or nothing where that finds a fault."""
    if found.exact.bad:
        assert found.native is None
        return
    assert found.native is not None
    found.native.validate()
    assert found.native.type.equals(found.exact.array.type, check_metadata=True)
    for one, other in zip(leaves(found.native), leaves(found.exact.array), strict=True):
        # A time of day is any number here, as the bytes have it.
        one.validate(full=not pa.types.is_time(one.type))
        assert one.equals(other)


def leaves(array):
    """The columns, with nulls where what they are in is null; numbers by their bits, since NaN differs from itself."""
    if pa.types.is_struct(array.type):
        yield array.is_null()
        for member in array.flatten():
            yield from leaves(member)
    elif pa.types.is_floating(array.type):
        yield array.view(pa.int32() if array.type.bit_width == 32 else pa.int64())
    else:
        yield array


PLAIN = ["boolean", "int", "long", "float", "double", "bytes", "string"]
TIMES = [
    {"type": "int", "logicalType": "date"},
    {"type": "int", "logicalType": "time-millis"},
    {"type": "long", "logicalType": "time-micros"},
    {"type": "long", "logicalType": "timestamp-nanos"},
    {"type": "long", "logicalType": "local-timestamp-millis"},
]


def plain_type(pick, depth, name):
    """A type that the native library reads."""
    kind = pick.choice(["plain", "plain", "time", "enum", "union", "union", "record"])
    if kind == "record" and depth < 3:
        return fields(pick, depth + 1, name)
    if kind == "enum":
        return {"type": "enum", "name": name, "symbols": ["A", "BB", "C_3"]}
    if kind == "union":
        inside = plain_type(pick, depth, name)
        if not isinstance(inside, list):
            return pick.choice([["null", inside], [inside, "null"], [inside]])
    return pick.choice(TIMES) if kind == "time" else pick.choice(PLAIN)


def fields(pick, depth, name):
    members = [{"name": f"f{at}", "type": plain_type(pick, depth, f"{name}_{at}")} for at in range(pick.randint(1, 5))]
    return {"type": "record", "name": name, "fields": members}


def without_times(schema):
    """The same bytes, whose values fastavro takes as they are."""
    if isinstance(schema, list):
        return [without_times(branch) for branch in schema]
    if isinstance(schema, dict):
        if "logicalType" in schema:
            return schema["type"]
        if schema["type"] == "record":
            return schema | {"fields": [at | {"type": without_times(at["type"])} for at in schema["fields"]]}
    return schema


def test_random_records_of_plain_fields_are_read_as_the_exact_reader_reads_them():
    pick = random.Random(SEED)
    for _ in range(150):
        schema = fields(pick, 0, "R")
        readers = Readers(schema)
        assert readers.native is not None, schema
        plain = without_times(schema)
        for _ in range(3):
            values = list(encoded(plain, [random_value(pick, plain) for _ in range(pick.randint(1, 40))]))
            assert_same(readers.read(values))


def test_damaged_bytes_are_left_to_the_exact_reader_and_later_batches_are_read():
    pick = random.Random(SEED)
    faults = 0
    for _ in range(300):
        schema = fields(pick, 0, "R")
        readers, plain = Readers(schema), without_times(schema)
        values = list(encoded(plain, [random_value(pick, plain) for _ in range(8)]))
        for _ in range(4):
            broken = list(values)
            row = pick.randrange(8)
            whole = bytearray(broken[row])
            at = pick.randint(0, len(whole))
            match pick.randrange(4):
                case 0:
                    whole = whole[:at]
                case 1:
                    whole[at:at] = pick.randbytes(pick.randint(1, 11))
                case 2:
                    whole[at : at + 1] = pick.randbytes(1)
                case _:
                    whole = bytearray(pick.randbytes(pick.randint(0, 30)))
            broken[row] = bytes(whole)
            found = readers.read(broken)
            faults += bool(found.exact.bad)
            assert_same(found)
        assert_same(readers.read(values))
    assert faults > 500


def test_two_halves_of_a_character_in_neighbouring_texts_are_no_utf8():
    readers = Readers(record("string"))
    found = readers.read([b"\x02\xc3", b"\x02\xa9"])
    assert set(found.exact.bad) == {0, 1}
    assert found.native is None
    assert readers.read([b"\x04\xc3\xa9", b"\0"]).native.to_pylist() == [{"a": "é"}, {"a": ""}]


@pytest.mark.parametrize("kind", ["float", "double"])
def test_a_number_that_is_none_keeps_its_bits(kind):
    size = 4 if kind == "float" else 8
    cells = [bytes([at]) + b"\0" * (size - 3) + tail for at in (0, 1, 255) for tail in (b"\xf8\x7f", b"\xf0\xff")]
    found = Readers(record(kind)).read(cells)
    whole = pa.int32() if size == 4 else pa.int64()
    assert found.native.field(0).view(whole).equals(found.exact.array.field(0).view(whole))


LONGEST = [
    b"\xff" * 9 + b"\x01",
    b"\xfe" + b"\xff" * 8 + b"\x01",
    b"\x80" * 9 + b"\0",
    b"\x80\0",
    b"\xff" * 9 + b"\x02",
]


@pytest.mark.parametrize("cell", LONGEST, ids=bytes.hex)
def test_numbers_of_many_bytes_are_read_as_the_exact_reader_reads_them(cell):
    for kind in ("long", "int"):
        assert_same(Readers(record(kind)).read([cell]))


def test_a_batch_after_nulls_alone_and_after_none_is_right():
    readers = Readers(record(["null", {"type": "record", "name": "X", "fields": [{"name": "x", "type": "string"}]}]))
    for values in ([b"\0"] * 9, [b"\x02\x02a", b"\0", b"\x02\0"], [b"\x02\x02b"] * 17, [b"\0"]):
        assert_same(readers.read(values))
    assert readers.read([]).native is None


OTHERS = [
    "null",
    {"type": "array", "items": "int"},
    {"type": "map", "values": "int"},
    {"type": "fixed", "name": "F", "size": 3},
    {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 1},
    ["null", "int", "string"],
    ["null"],
    {"type": "record", "name": "E", "fields": []},
]


@pytest.mark.parametrize("type_", OTHERS, ids=str)
def test_other_types_are_the_exact_readers(type_):
    assert native_records(avro_type(json.dumps(record(type_)))) is None


def test_random_schemas_are_described_or_left():
    pick = random.Random(SEED)
    described = 0
    for _ in range(200):
        schema = {"type": "record", "name": "W", "fields": [{"name": "f", "type": random_type(pick, 1, [])}]}
        readers = Readers(schema)
        if readers.native is not None:
            described += 1
            assert_same(readers.read(list(encoded(schema, [random_value(pick, schema) for _ in range(5)]))))
    assert described > 50


def test_a_registrys_reader_says_what_is_wrong_with_a_record_among_others():
    reader = AvroReader(RegisteredSchema(7, "AVRO", json.dumps(record("string"))))
    cells = [b"\x04ok", b"\x06no", b"\x02!"]
    stops = np.cumsum([len(cell) for cell in cells])
    starts = stops - [len(cell) for cell in cells]
    data = padded(np.frombuffer(b"".join(cells), np.uint8))
    found = reader.read(Frames(np.full(3, 7), data, starts, stops))
    assert found.bad == {1: "it ends within a string"}
    rest = reader.read(Frames(np.full(2, 7), data, starts[[0, 2]], stops[[0, 2]]))
    assert rest.array.to_pylist() == [{"a": "ok"}, {"a": "!"}]
    assert not rest.bad


def test_no_description_but_a_whole_one_makes_a_reader():
    loaded = library.load()
    type_ = avro_type(json.dumps(record({"type": "enum", "name": "E", "symbols": ["A", "B"]})))
    whole = b"\1\0\0\0e\xff\2\0\0\0\1\0\0\0A\1\0\0\0B"
    open_, close = loaded.streamsink_avro_open, loaded.streamsink_avro_close
    assert native_records(type_) is not None
    for size in range(len(whole)):
        assert not open_(whole[:size], size)
    assert not open_(whole + b"!", len(whole) + 1)
    handle = open_(whole, len(whole))
    assert handle
    close(ctypes.c_void_p(handle))
