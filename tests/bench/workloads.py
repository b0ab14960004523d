"""Records of many kinds, by name: what `BENCH=decode` and `BENCH=workloads` run."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

Lines = list[dict[str, object]]


def workloads(records: list[bytes]) -> dict[str, list[bytes]]:
    """Workloads made of log records; "clean" is what all others are compared with."""
    lines: Lines = [json.loads(record) for record in records]
    made: dict[str, list[bytes]] = {"clean": records}
    for name, change in _CHANGES.items():
        dice = random.Random(name)
        made[name] = [json.dumps(change(dict(line), dice)).encode() for line in lines]
    return made


def _new_fields(line: dict[str, object], dice: random.Random) -> dict[str, object]:
    if dice.random() < 0.01:
        line[f"extra{dice.randrange(50)}"] = 1
    return line


def _mixed_numbers(line: dict[str, object], dice: random.Random) -> dict[str, object]:
    if dice.random() < 0.3:
        line["status"] = float(dice.randrange(1000)) / 2
    return line


def _clash(line: dict[str, object], dice: random.Random) -> dict[str, object]:
    if dice.random() < 0.05:
        line["status"] = {"code": line["status"], "why": ["gone", 1.5]}
    return line


def _text(line: dict[str, object], dice: random.Random) -> dict[str, object]:
    line["tags"] = [dice.randrange(9), "x", {"k": 0.5}]
    return line


def _escapes(line: dict[str, object], _dice: random.Random) -> dict[str, object]:
    line["msg"] = f'"{line["msg"]}"\n\tüber\\'
    return line


def _many_keys(line: dict[str, object], dice: random.Random) -> dict[str, object]:
    return {"ts": line["ts"]} | {f"key{dice.randrange(1500)}": dice.randrange(9) for _ in range(12)}


def _nested(line: dict[str, object], dice: random.Random) -> dict[str, object]:
    items = [{"sku": f"s{dice.randrange(99)}", "count": dice.randrange(9)} for _ in range(dice.randrange(4))]
    request = {"path": line.pop("path"), "status": line.pop("status"), "headers": {"trace": line.pop("trace")}}
    return line | {"request": request, "items": items}


def _two_hundred_columns(_line: dict[str, object], dice: random.Random) -> dict[str, object]:
    return {f"column{number}": dice.randrange(1000) for number in range(200)}


def _large(line: dict[str, object], dice: random.Random) -> dict[str, object]:
    return line | {"body": f"{dice.getrandbits(256):064x}" * 75}


_CHANGES: dict[str, Callable[[dict[str, object], random.Random], dict[str, object]]] = {
    "1 % new fields among fifty": _new_fields,
    "integers and doubles": _mixed_numbers,
    "5 % objects for numbers": _clash,
    "a list of mixed values": _text,
    "escapes": _escapes,
    "1,500 keys": _many_keys,
    "nested": _nested,
    "200 columns": _two_hundred_columns,
    "5 KB": _large,
}
