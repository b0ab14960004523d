"""What an agent yields becomes the bytes that are archived."""

import json
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum

import faust
import pytest
from faust.serializers import codecs

from streamsink.errors import TerminalError
from streamsink.faust.results import as_json, by_codec


class Customer(faust.Record):
    name: str


class Order(faust.Record):
    id: int
    customer: Customer
    price: Decimal


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Order(1, Customer("Ada"), Decimal("1.10")), {"id": 1, "customer": {"name": "Ada"}, "price": "1.10"}),
        ({"a": [1, None, 2.5]}, {"a": [1, None, 2.5]}),
        ([1, "x"], [1, "x"]),
        (5, 5),
        ("text", "text"),
        (2**70, 2**70),
        ({"n": 2**70, "d": date(2026, 1, 2)}, {"n": 2**70, "d": "2026-01-02"}),
        ({1: True}, {"1": True}),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (Colour.RED, "red"),
        (uuid.UUID(int=5), str(uuid.UUID(int=5))),
        (b"plain", "plain"),
        ({"x"}, ["x"]),
    ],
)
def test_any_jsonable_value_is_json(value, text):
    assert json.loads(as_json(value)) == text


def test_nothing_is_a_tombstone():
    assert as_json(None) is None


@pytest.mark.parametrize("value", [object(), {"a": object()}, b"\xff"])
def test_what_has_no_form_in_json_is_an_error_with_a_hint(value):
    with pytest.raises(TerminalError) as caught:
        as_json(value)
    assert "value_serializer" in caught.value.hint


class Reversed(codecs.Codec):
    def _dumps(self, obj):
        return json.dumps(obj).encode()[::-1]

    def _loads(self, s):
        return json.loads(s[::-1])


def test_a_codec_of_the_app_writes_what_it_would_write_to_a_topic(make_app):
    codecs.register("reversed", Reversed())
    app = make_app("results")
    serialize = by_codec(app.serializers.dumps_value, "reversed")
    assert serialize({"a": 1}) == b'}1 :"a"{'
    assert serialize(None) is None
    with pytest.raises(TerminalError, match="can't be archived"):
        serialize(object())
