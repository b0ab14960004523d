"""Reads records in Debezium's envelope: what became of a row, its values as our tables have them. Pure.

JSON with and without schemas. A schema says how times, decimals and bits are meant; without one values are as they are.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson

from streamsink.errors import TerminalError

Types = Mapping[str, tuple[str, Mapping[str, str]]]
"""By field: its schema's name, and that schema's parameters."""

MARK = "\0"
"""What a row's text begins with that is none (`mariadb/charsets.py`); a real one has it twice."""

_WRITTEN = frozenset({"c", "r", "u"})
_ZONED = re.compile(r"(?P<second>.*T\d\d:\d\d:\d\d)(?:\.(?P<part>\d+))?(?P<zone>Z|[+-]\d\d:\d\d)")
_HINT = "is it a topic that Debezium wrote, without a transform that unwraps its records?"


@dataclass(frozen=True, slots=True)
class Change:
    """A change that a record tells of. `key` is the row's key, `after` the row, None where it is deleted.

    `after` of a MongoDB record is a text of extended JSON. `frame` is the whole record where it frames a snapshot.
    """

    key: Mapping[str, Any] | None
    after: Any
    frame: Mapping[str, Any] | None = None


def read_change(key: bytes | None, value: bytes | None) -> Change | None:
    """Read the change that a record tells of.

    Args:
        key: The record's key, JSON; None or empty where it has none.
        value: The record's value, JSON; None for a tombstone, which deletes.

    Returns:
        The change, None where the record tells nothing of a row.

    Raises:
        TerminalError: It is in no envelope, or a change that can't be followed.
    """
    row_key = _row(*_payload(key)) if key else None
    if value is None:
        return Change(row_key, None)
    document, types = _payload(value)
    if isinstance(document, dict) and document.get("frame") in {"begin", "end"}:
        return Change(row_key, None, document)
    if not isinstance(document, dict) or "op" not in document or not {"after", "before"} & document.keys():
        raise TerminalError("a value is in no envelope with before, after and op", hint=_HINT)
    operation = document["op"]
    if operation == "d":
        before = document.get("before")
        if row_key is None and isinstance(before, dict):
            row_key = _row(before, types.get("before", ("", {}))[1])
        return Change(row_key, None)
    if operation == "m":
        return None
    if operation not in _WRITTEN:
        raise TerminalError(f"a record of operation {operation!r} can't be followed", hint="t empties a whole table")
    after = document.get("after")
    if after is None:
        raise TerminalError(
            f"a record of operation {operation!r} has no after",
            hint="MongoDB's connector needs capture.mode with full documents",
        )
    return Change(row_key, _row(after, types.get("after", ("", {}))[1]) if isinstance(after, dict) else after)


def _payload(data: bytes) -> tuple[Any, Mapping[str, Any]]:
    """A document without its schema, and what the schema says of each field: name, and fields or parameters."""
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise TerminalError(f"a record is no JSON: {error}", hint=_HINT) from error
    if isinstance(document, dict) and document.keys() == {"schema", "payload"}:
        return document["payload"], _fields(document["schema"])
    return document, {}


def _fields(schema: Any) -> dict[str, tuple[str, Any]]:
    """By field: its schema's name, and its own fields, or the parameters of one that has none."""
    if not isinstance(schema, dict):
        return {}
    found: dict[str, tuple[str, Any]] = {}
    for each in schema.get("fields") or ():
        inner = _fields(each) if each.get("fields") else each.get("parameters") or {}
        found[each.get("field", "")] = (each.get("name") or each.get("type") or "", inner)
    return found


def _row(values: Any, types: Types) -> dict[str, Any]:
    if not isinstance(values, dict):
        return {"id": values}
    return {name: _plain(value, *types.get(name, ("", {}))) for name, value in values.items()}


def _plain(value: Any, name: str, parameters: Mapping[str, Any]) -> Any:
    """A value as a row's JSON has it."""
    if value is None:
        return None
    change = _MEANINGS.get(name)
    if change is None and name.startswith("io.debezium.data.geometry."):
        change = _geometry
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and change is None and value.startswith(MARK):
        return MARK + value
    return value if change is None else change(value, parameters)


def _date(value: Any, _: Mapping[str, Any]) -> str:
    return (date(1970, 1, 1) + timedelta(days=value)).isoformat()


def _timestamp(per_second: int) -> Callable[[Any, Mapping[str, Any]], str]:
    def text(value: Any, _: Mapping[str, Any]) -> str:
        seconds, part = divmod(value, per_second)
        moment = datetime(1970, 1, 1) + timedelta(seconds=seconds)  # noqa: DTZ001 - a time without a zone
        return f"{moment:%Y-%m-%d %H:%M:%S}{_fraction(part, per_second)}"

    return text


def _time(per_second: int) -> Callable[[Any, Mapping[str, Any]], str]:
    def text(value: Any, _: Mapping[str, Any]) -> str:
        seconds, part = divmod(abs(value), per_second)
        sign = "-" if value < 0 else ""
        clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        return f"{sign}{clock}{_fraction(part, per_second)}"

    return text


def _fraction(part: int, per_second: int) -> str:
    """The digits behind a second, at most six, none where they are zero."""
    microseconds = part * 1_000_000 // per_second
    return f".{microseconds:06d}" if microseconds else ""


def _zoned(value: Any, _: Mapping[str, Any]) -> str:
    matched = _ZONED.fullmatch(value)
    if matched is None:
        return str(value)
    moment = datetime.fromisoformat(matched["second"] + matched["zone"].replace("Z", "+00:00")).astimezone(UTC)
    digits = (matched["part"] or "").ljust(6, "0")[:6]
    return f"{moment:%Y-%m-%d %H:%M:%S}" + (f".{digits}" if digits.strip("0") else "")


def _decimal(value: Any, parameters: Mapping[str, Any]) -> str:
    if not isinstance(value, str):
        return str(value)
    return _scaled(value, int(parameters.get("scale", 0)))


def _scaled(value: str, scale: int) -> str:
    unscaled = int.from_bytes(base64.b64decode(value), "big", signed=True)
    digits = str(abs(unscaled)).rjust(scale + 1, "0")
    sign = "-" if unscaled < 0 else ""
    return f"{sign}{digits[: len(digits) - scale]}" + (f".{digits[len(digits) - scale :]}" if scale else "")


def _bits(value: Any, _: Mapping[str, Any]) -> Any:
    return int.from_bytes(base64.b64decode(value), "little") if isinstance(value, str) else value


def _geometry(value: Any, _: Mapping[str, Any]) -> Any:
    wkb = base64.b64decode(value["wkb"])
    return base64.b64encode(int(value.get("srid") or 0).to_bytes(4, "little") + wkb).decode()


_MEANINGS: dict[str, Callable[[Any, Mapping[str, Any]], Any]] = {
    "io.debezium.time.Date": _date,
    "org.apache.kafka.connect.data.Date": _date,
    "io.debezium.time.Timestamp": _timestamp(1_000),
    "org.apache.kafka.connect.data.Timestamp": _timestamp(1_000),
    "io.debezium.time.MicroTimestamp": _timestamp(1_000_000),
    "io.debezium.time.NanoTimestamp": _timestamp(1_000_000_000),
    "io.debezium.time.Time": _time(1_000),
    "org.apache.kafka.connect.data.Time": _time(1_000),
    "io.debezium.time.MicroTime": _time(1_000_000),
    "io.debezium.time.NanoTime": _time(1_000_000_000),
    "io.debezium.time.ZonedTimestamp": _zoned,
    "org.apache.kafka.connect.data.Decimal": _decimal,
    "io.debezium.data.VariableScaleDecimal": lambda value, _: _scaled(value["value"], int(value["scale"])),
    "io.debezium.data.Bits": _bits,
}
