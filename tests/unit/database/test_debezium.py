"""What records in Debezium's envelope say: the row, its values as our tables have them."""

import base64

import orjson
import pytest

from streamsink.database.debezium import Change, read_change
from streamsink.errors import TerminalError


def b64(number, size, order="big"):
    return base64.b64encode(number.to_bytes(size, order, signed=order == "big")).decode()


def enveloped(value, name, parameters=None, kind="int64"):
    field = {"field": "v", "type": kind, "optional": True, "name": name} | (
        {"parameters": parameters} if parameters else {}
    )
    after = {"type": "struct", "field": "after", "fields": [field]}
    envelope = {"type": "struct", "fields": [{"type": "struct", "field": "before", "fields": [field]}, after]}
    return orjson.dumps({"schema": envelope, "payload": {"before": None, "after": {"v": value}, "op": "c"}})


@pytest.mark.parametrize(
    ("value", "name", "parameters", "wanted"),
    [
        (0, "io.debezium.time.Date", None, "1970-01-01"),
        (-1, "io.debezium.time.Date", None, "1969-12-31"),
        (1_500, "io.debezium.time.Timestamp", None, "1970-01-01 00:00:01.500000"),
        (-1, "io.debezium.time.MicroTimestamp", None, "1969-12-31 23:59:59.999999"),
        (86_400_000_000, "io.debezium.time.MicroTimestamp", None, "1970-01-02 00:00:00"),
        (-3_020_399_000_001, "io.debezium.time.MicroTime", None, "-838:59:59.000001"),
        (3_600_000, "io.debezium.time.Time", None, "01:00:00"),
        ("2026-01-02T03:04:05.5+02:00", "io.debezium.time.ZonedTimestamp", None, "2026-01-02 01:04:05.500000"),
        ("2026-01-02T03:04:05Z", "io.debezium.time.ZonedTimestamp", None, "2026-01-02 03:04:05"),
        (b64(-1234, 2), "org.apache.kafka.connect.data.Decimal", {"scale": "2"}, "-12.34"),
        (b64(5, 1), "org.apache.kafka.connect.data.Decimal", {"scale": "3"}, "0.005"),
        (b64(10**37, 16), "org.apache.kafka.connect.data.Decimal", {"scale": "0"}, str(10**37)),
        (b64(5, 2, "little"), "io.debezium.data.Bits", None, 5),
        (True, "", None, 1),
        (2026, "io.debezium.time.Year", None, 2026),
        ('{"a":1}', "io.debezium.data.Json", None, '{"a":1}'),
        (
            {"wkb": base64.b64encode(b"\x01wkb").decode(), "srid": 4326},
            "io.debezium.data.geometry.Point",
            None,
            base64.b64encode(b"\xe6\x10\x00\x00\x01wkb").decode(),
        ),
        (None, "io.debezium.time.Date", None, None),
    ],
)
def test_a_schema_says_how_a_value_is_meant(value, name, parameters, wanted):
    found = read_change(b'{"schema":null,"payload":{"id":1}}', enveloped(value, name, parameters))
    assert found == Change({"id": 1}, {"v": wanted})


def test_without_schemas_values_are_as_they_are():
    value = orjson.dumps({"before": None, "after": {"id": 1, "text": "x"}, "op": "u"})
    assert read_change(b'{"id":1}', value) == Change({"id": 1}, {"id": 1, "text": "x"})


def test_deletes_and_tombstones_say_that_a_row_is_gone():
    deleted = orjson.dumps({"before": {"id": 1}, "after": None, "op": "d"})
    assert read_change(b'{"id":1}', deleted) == Change({"id": 1}, None)
    assert read_change(b'{"id":1}', None) == Change({"id": 1}, None)


def test_a_message_says_nothing_of_a_row():
    assert read_change(None, orjson.dumps({"before": None, "after": None, "op": "m"})) is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b'{"id":1}', "in no envelope"),
        (b"[]", "in no envelope"),
        (b"\x00", "no JSON"),
        (b'{"before":null,"after":null,"op":"t"}', "'t' can't be followed"),
        (b'{"before":null,"after":null,"op":"u"}', "has no after"),
    ],
)
def test_what_can_not_be_followed_is_said(value, said):
    with pytest.raises(TerminalError, match=said):
        read_change(b'{"id":1}', value)
