"""The records of `spark.py`: values of every Avro type that Spark has, and JSON of changing types."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

LATER = timedelta(hours=977)
COUNTRIES = ("de", "fr", "100%", "a b")

LINE = {"type": "record", "name": "Line", "fields": [
    {"name": "sku", "type": "string"},
    {"name": "n", "type": ["null", "int"], "default": None},
    {"name": "marks", "type": {"type": "array", "items": "string"}},
]}  # fmt: skip
ORDER = {"type": "record", "name": "Order", "namespace": "shop", "fields": [
    {"name": "id", "type": "long"},
    {"name": "small", "type": "int"},
    {"name": "half", "type": "float"},
    {"name": "third", "type": "double"},
    {"name": "ok", "type": "boolean"},
    {"name": "text", "type": "string"},
    {"name": "raw", "type": "bytes"},
    {"name": "fixed", "type": {"type": "fixed", "name": "Four", "size": 4}},
    {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}},
    {"name": "wide", "type": {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 6}},
    {"name": "due", "type": {"type": "int", "logicalType": "date"}},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "exactly", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "PAID"]}},
    {"name": "note", "type": ["null", "string"], "default": None},
    {"name": "never", "type": ["null", "long"], "default": None},
    {"name": "never_at", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}], "default": None},
    {"name": "tags", "type": {"type": "map", "values": "string"}},
    {"name": "counts", "type": {"type": "map", "values": ["null", "long"]}},
    {"name": "nested", "type": {"type": "array", "items": {"type": "array", "items": "int"}}},
    {"name": "lines", "type": {"type": "array", "items": LINE}},
    {"name": "country", "type": "string"},
]}  # fmt: skip
MAPS = ("tags", "counts")


def order(number: int) -> dict[str, Any]:
    """A value of `ORDER`: times before 1970, nulls, empty lists and maps among them."""
    return {
        "id": number * 10**12 - 5,
        "small": -number,
        "half": number / 4,
        "third": number / 3,
        "ok": number % 2 == 0,
        "text": ["plain", "", 'ü\n"', "x" * 40][number % 4],
        "raw": bytes(range(number % 5)),
        "fixed": b"abcd",
        "price": Decimal(number * 7 - 100).scaleb(-2),
        "wide": Decimal(10**30 + number).scaleb(-6),
        "due": date(1960 + number % 90, 3, 1),
        "at": datetime(1969, 12, 31, 23, 59, 59, 999000, UTC) + LATER * number,
        "exactly": datetime(2024, 1, 1, tzinfo=UTC) + timedelta(microseconds=number * 333_333),
        "state": ("NEW", "PAID")[number % 2],
        "note": None if number % 3 else f"note {number}",
        "never": None,
        "never_at": None,
        "tags": {f"k{at}": str(at) for at in range(number % 3)},
        "counts": {"a": number, "b": None} if number % 2 else {},
        "nested": [[1, number], []][: number % 3],
        "lines": [{"sku": "a", "n": None if number % 2 else number, "marks": ["m"] * (number % 3)}] * (number % 3),
        "country": COUNTRIES[number % 4],
    }


def messy(number: int) -> dict[str, Any]:
    """JSON whose fields change their types, with names that have to be quoted."""
    return {
        "id": number,
        "ms": [5, 2.5, "late", 7][number % 4],
        "http": [{"status": 200, "path": "/"}, {"status": "gone"}, "GET /", {"status": 2}][number % 4],
        "tags": [[1, 2], [1, "a"], [], ["x"]][number % 4],
        "third": number / 3,
        "never": None,
        "a.b": number,
        "q`uote": number,
        "it's": {"in'ner": number, "mixed": [1, "x"][number % 2]},
        "nested": [[1, number], []][: number % 3],
        "items": [{"sku": "s", "n": number}],
        "country": COUNTRIES[number % 4],
    }
