import base64
import datetime as dt
from decimal import Decimal

import orjson
import pyarrow as pa
import pytest

from streamsink.decode import column_set
from streamsink.decode.json.connect_schema import SchemaError, shape_of
from streamsink.decode.json.fast_reader import DoubtError, FastReader
from streamsink.decode.json.native_reader import NativeReader
from streamsink.decode.json.placing import UnfitError, fit
from streamsink.decode.json.row_reader import Habits, RowReader
from streamsink.decode.json.shape import Shape, arrow_type
from streamsink.decode.json.text import read as document_of

LOCAL = {"type": "string", "name": "LocalTimestamp"}
UTC = {"type": "string", "name": "org.apache.kafka.connect.data.Timestamp"}
DAY = {"type": "string", "name": "Date"}
PRICE = {"type": "string", "name": "Decimal", "parameters": {"scale": "2", "connect.decimal.precision": "10"}}
WIDE = {"type": "string", "name": "Decimal", "parameters": {"scale": "10"}}
UNSIGNED = {"type": "int64", "name": "Unsigned"}
BYTES = {"type": "bytes"}


def shape(schema: dict) -> Shape:
    return shape_of({"type": "struct", "fields": [{"field": "a", "optional": True, **schema}]})


def texts(*values: object) -> pa.Array:
    return pa.array([b'{"a":%s}' % (value if isinstance(value, bytes) else orjson.dumps(value)) for value in values])


local = dt.datetime.fromisoformat

FITTING = [
    (LOCAL, "2026-01-31 12:00:00.123456", local("2026-01-31 12:00:00.123456")),
    (LOCAL, "9999-12-31T23:59:59", local("9999-12-31 23:59:59")),
    (LOCAL, "0001-01-01 00:00:00.1", local("0001-01-01 00:00:00.100000")),
    (UTC, "1969-12-31 23:59:59.5", dt.datetime(1969, 12, 31, 23, 59, 59, 500000, dt.UTC)),
    (DAY, "2024-02-29", dt.date(2024, 2, 29)),
    (PRICE, "-12345678.90", Decimal("-12345678.90")),
    (PRICE, "0", Decimal("0.00")),
    (PRICE, "00000000001.230", Decimal("1.23")),
    (WIDE, "9999999999999999999999999999.9999999999", Decimal("9999999999999999999999999999.9999999999")),
    (UNSIGNED, 2**64 - 1, Decimal(2**64 - 1)),
    (UNSIGNED, 0, Decimal(0)),
    (BYTES, base64.b64encode(b"\0\xff").decode(), b"\0\xff"),
    (BYTES, "", b""),
]
UNFIT = [
    (LOCAL, "0000-00-00 00:00:00"),
    (LOCAL, "2024-02-31 00:00:00"),
    (LOCAL, "2024-01-01"),
    (LOCAL, "2024-01-01 00:00:00Z"),
    (LOCAL, "2024-01-01 00:00:00.1234567"),
    (UTC, 5),
    (DAY, "0000-00-00"),
    (DAY, "2023-02-29"),
    (PRICE, "123456789.00"),
    (PRICE, "1.234"),
    (PRICE, "1e3"),
    (PRICE, "MTIzNA=="),
    (PRICE, 1.5),
    (UNSIGNED, -1),
    (UNSIGNED, b"18446744073709551616"),
    (UNSIGNED, "5"),
    (UNSIGNED, 1.5),
    (BYTES, "AAE"),
    (BYTES, b"12345678901234567890"),
]


def reader_of(known: Shape, reading: str) -> NativeReader | RowReader:
    return NativeReader(known, known) if reading == "native" else RowReader(known, Habits())


@pytest.mark.parametrize(("schema", "value", "expected"), FITTING)
def test_a_value_that_fits_is_the_same_by_each_reader(reading, schema, value, expected):
    known = shape(schema)
    exact = fit(known.fields["a"], document_of(texts(value)[0].as_py())["a"])
    assert pa.array([exact], arrow_type(known.fields["a"])).to_pylist() == [expected]
    if expected == Decimal(2**64 - 1):
        return
    read = reader_of(known, reading).read(texts(value, None, value))
    assert not read.doubt.any()
    assert read.arrays[0].to_pylist() == [expected, None, expected]
    assert FastReader(known, others_ignored=False).read(texts(value)).arrays[0].to_pylist() == [expected]


@pytest.mark.parametrize(("schema", "value"), UNFIT)
def test_a_value_that_does_not_fit_is_left_to_its_variant(reading, schema, value):
    known = shape(schema)
    with pytest.raises(UnfitError):
        fit(known.fields["a"], document_of(texts(value)[0].as_py())["a"])
    fitting = next(one for of, one, _ in reversed(FITTING) if of is schema)
    assert reader_of(known, reading).read(texts(value, None, fitting)).doubt.tolist() == [True, False, False]
    with pytest.raises(DoubtError):
        FastReader(known, others_ignored=False).read(texts(value))


@pytest.mark.parametrize("schema", [LOCAL, UTC, DAY, PRICE, WIDE, UNSIGNED])
def test_a_column_set_keeps_how_values_are_written(reading, schema):
    known = shape(schema)
    again = column_set.from_json(column_set.to_json("t", known), "1.json")
    for of, value, expected in FITTING:
        if of is schema and expected != Decimal(2**64 - 1):
            read = reader_of(again, reading).read(texts(value))
            assert read.arrays[0].to_pylist() == [expected]
            assert not read.doubt.any()


@pytest.mark.parametrize("precision", ["1", "39", "x"])
def test_a_decimal_has_as_many_digits_as_its_scale_and_at_most_38(precision):
    parameters = {"scale": "2", "connect.decimal.precision": precision}
    with pytest.raises(SchemaError):
        shape({"type": "string", "name": "Decimal", "parameters": parameters})
