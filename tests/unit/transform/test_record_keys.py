"""Keys that transforms changed, written as their converter reads them."""

import base64
from decimal import Decimal

import orjson
import pyarrow as pa
import pytest

from streamsink.transform.record_keys import key_writer
from streamsink.transform.rows import Datum


@pytest.mark.parametrize("digits", ["12345678901234567890123456789012345.67", "-0.01", "0.00"])
def test_a_decimal_in_an_envelope_keeps_all_its_digits(digits):
    keys = pa.array([Decimal(digits), None], pa.decimal128(38, 2))
    written = key_writer(as_json=True, with_schema=True)(Datum(keys))
    assert written.type == pa.binary()
    assert written[1].as_py() is None
    key = orjson.loads(written[0].as_py())
    unscaled = int.from_bytes(base64.b64decode(key["payload"]), "big", signed=True)
    assert Decimal((unscaled < 0, Decimal(abs(unscaled)).as_tuple().digits, -2)) == Decimal(digits)
    assert key["schema"]["name"] == "org.apache.kafka.connect.data.Decimal"
    assert key["schema"]["parameters"] == {"scale": "2"}
