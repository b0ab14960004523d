"""Lines of JSON against Kafka Connect's own, from its jar: values drawn by chance, and those that bite, in one JVM.

Where they may differ, and why:

* Members of an object, and pairs of a map, stand in the message's order; Connect's in that of a hash map.
* Half a surrogate pair becomes U+FFFD; Jackson has no bytes for it and fails.
* Java before 19 writes some floats with a digit too many: the numbers are compared.
* A value that is no struct but holds structs is written as its JSON; Jackson writes their Java classes.
"""

from __future__ import annotations

import base64
import json
import os
import random
import subprocess
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from streamsink.config.sink import Converter, LineRules
from streamsink.decode.lines.text import LineError
from streamsink.decode.lines.values import line_maker
from tests.servers.kafka import VERSION, maven_classpath

CASES = int(os.environ.get("STREAMSINK_JSON_CASES", "3000"))
SEED = int(os.environ.get("STREAMSINK_JSON_SEED", "17"))
FLOAT_DIGITS = 9
LOGICAL = "org.apache.kafka.connect.data."
TEXTS = [
    "", "x", 'quo"te', "back\\slash", "tab\tnew\nline\r\b\f", "\x00\x01\x1f\x7f", "\u2028\u2029", "ü€😀", "\ufeff", "/",
    "NaN", "2026-11-28T00:00:00.5Z", "null",
]  # fmt: skip
NUMBERS = [
    "0", "-0", "1", "-1", "127", "128", "-129", "32768", "2147483647", "2147483648", "-9223372036854775808",
    "9223372036854775807", "9223372036854775808", "18446744073709551616", "1" + "0" * 40, "0.0", "-0.0", "1.0", "1.10",
    "1e3", "1E-3", "0.001", "0.0009999", "9999999.0", "10000000.0", "1e7", "123456789.125", "3.4028235E38", "1e39",
    "1.4E-45", "1.7976931348623157E308", "1e400", "-1e400", "4.9E-324", "1e-400", "0.1", "1e21", "1e22", "2.5e-7",
    "9007199254740993.0", "123.450", "100e0",
]  # fmt: skip
PLAIN = [
    b'{"a":1}', b"{}", b"[]", b"[1,null]", b'"s"', b"5", b"-0", b"1.0", b"1e3", b"true", b"false", b"null", b"",
    b" null ", b'\xef\xbb\xbf{"a":1}', b'{"a":1}{"b":2}', b'{"a":1} x', b"5 6", b"5x", b'{"a":1,"a":2}', b'{"a":',
    b"{'a':1}", b"nul", b"NaN", b'{"a":NaN}', b'{"a":1e400}', b'{"a":3.4028235E38}', b'{"a":"\\u00e9\\ud83d\\ude00"}',
    b'{"a":"\\/\\b\\f"}', b'{"a":"\xff"}', b"\x00", b'{"a":"\x01"}', b'{"":0}', b'{"a":[{"b":[[]]}]}', b"[1,]",
    b'{"a":"\x7f"}', b'\n\t {"a" : [ 1 , 2.50 ] }\n',
]  # fmt: skip


def schema(kind, **more):
    return {"type": kind, **more}


def logical(name, kind, **more):
    return schema(kind, name=LOGICAL + name, version=1, **more)


class Drawing:
    """Schemas and payloads that mostly fit, by chance. A payload is JSON text, so that numbers keep their digits."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def text(self) -> str:
        return json.dumps(self.chance.choice(TEXTS), ensure_ascii=self.chance.random() < 0.5)

    def number(self) -> str:
        return self.chance.choice(NUMBERS)

    def any_value(self, depth: int) -> str:
        kind = self.chance.randrange(8 if depth else 6)
        if kind == 6:
            return f"[{','.join(self.any_value(depth - 1) for _ in range(self.chance.randrange(4)))}]"
        if kind == 7:
            names = self.chance.sample(["a", "b", "ü", "with space", 'q"', ""], self.chance.randrange(5))
            return f"{{{','.join(f'{json.dumps(name)}:{self.any_value(depth - 1)}' for name in names)}}}"
        return [self.text, self.number, self.number, lambda: "null", lambda: "true", lambda: "false"][kind]()

    def schema(self, depth: int) -> dict:
        kinds = ["int8", "int16", "int32", "int64", "float", "double", "boolean", "string", "bytes"]
        kinds += ["Decimal", "Date", "Time", "Timestamp"] + (["array", "map", "struct"] * 2 if depth else [])
        kind = self.chance.choice(kinds)
        made = self._made(kind, depth)
        made["optional"] = self.chance.random() < 0.5
        if self.chance.random() < 0.15 and kind in {"int32", "string", "double", "boolean"}:
            made["default"] = {"int32": 7, "string": "d", "double": 1.5, "boolean": True}[kind]
        return made

    def _made(self, kind: str, depth: int) -> dict:
        if kind == "Decimal":
            return logical(kind, "bytes", parameters={"scale": str(self.chance.choice([0, 2, 5]))})
        if kind in {"Date", "Time", "Timestamp"}:
            return logical(kind, "int64" if kind == "Timestamp" else "int32")
        if kind == "array":
            return schema(kind, items=self.schema(depth - 1))
        if kind == "map":
            keys = schema(self.chance.choice(["string", "string", "int32", "int64", "boolean"]), optional=False)
            return schema(kind, keys=keys, values=self.schema(depth - 1))
        if kind == "struct":
            return self.struct(depth)
        return schema(kind)

    def struct(self, depth: int) -> dict:
        names = self.chance.sample(["id", "name", "at", "amount", "ü", "list"], self.chance.randrange(5))
        return schema("struct", fields=[{"field": name, **self.schema(depth - 1)} for name in names])

    def payload(self, made: dict) -> str:
        odd = self.chance.random()
        if odd < 0.03:
            return "null"
        if odd < 0.05:
            return self.any_value(0)
        name, kind = made.get("name", "").removeprefix(LOGICAL), made["type"]
        if name:
            return self._logical(name)
        return self._plain(kind, made)

    def _logical(self, name: str) -> str:
        if name == "Decimal":
            if self.chance.random() < 0.1:
                return self.chance.choice(["1", "1.25", "-3.14159", "0.00"])
            size = self.chance.randrange(1, 12)
            return json.dumps(base64.b64encode(self.chance.randbytes(size)).decode())
        if name == "Time":
            return str(self.chance.choice([0, 1, 86_399_999, 86_400_000, 86_400_001, -1]))
        return str(self.chance.choice([0, -1, 20_000, 1_795_887_251, 2_147_483_647]))

    def _plain(self, kind: str, made: dict) -> str:
        simple = {"string": self.text, "bytes": self._bytes, "boolean": lambda: self.chance.choice(["true", "false"])}
        nested = {"array": self._array, "struct": self._struct, "map": self._map}
        if kind in nested:
            return nested[kind](made)
        return simple.get(kind, self.number)()

    def _bytes(self) -> str:
        return json.dumps(base64.b64encode(self.chance.randbytes(self.chance.randrange(6))).decode())

    def _array(self, made: dict) -> str:
        return f"[{','.join(self.payload(made['items']) for _ in range(self.chance.randrange(4)))}]"

    def _struct(self, made: dict) -> str:
        members = [f"{json.dumps(one['field'])}:{self.payload(one)}" for one in made["fields"]]
        return f"{{{','.join(one for one in members if self.chance.random() > 0.03)}}}"

    def _map(self, made: dict) -> str:
        count, values = self.chance.randrange(4), made["values"]
        if made["keys"]["type"] == "string":
            names = self.chance.sample(["a", "b", "c", "ü"], count)
            return f"{{{','.join(f'{json.dumps(name)}:{self.payload(values)}' for name in names)}}}"
        keys = ["true", "false"] if made["keys"]["type"] == "boolean" else ["1", "-5", "2147483647", "40"]
        chosen = self.chance.sample(keys, min(count, len(keys)))
        return f"[{','.join(f'[{key},{self.payload(values)}]' for key in chosen)}]"


def enveloped(made: dict, payload: str) -> bytes:
    return f'{{"schema":{json.dumps(made)},"payload":{payload}}}'.encode()


def drawn() -> list[dict]:
    cases = [(False, False, value) for value in PLAIN]
    cases += [(True, False, value) for value in [b"", b"null", b"{}", b'{"schema":null,"payload":null}', *PLAIN[:4]]]
    cases += [(True, False, b'{"schema":null,"payload":{"a":1.50}}'), (True, False, b'{"schema":{},"payload":1}')]
    cases += [(False, False, f'{{"n":{number}}}'.encode()) for number in NUMBERS]
    kinds = ["int8", "int16", "int32", "int64", "float", "double"]
    for kind in kinds:
        made = schema("struct", fields=[{"field": "n", "type": kind}])
        cases += [(True, False, enveloped(made, f'{{"n":{number}}}')) for number in NUMBERS]
    for number in range(CASES):
        draw = Drawing(SEED * 1_000_000 + number)
        if number % 3 == 0:
            cases.append((False, False, draw.any_value(3).encode()))
        else:
            made = draw.struct(3) if number % 3 == 1 else draw.schema(2)
            cases.append((True, number % 2 == 0, enveloped(made, draw.payload(made))))
    return [
        {"schemas": schemas, "numeric": numeric, "value": base64.b64encode(value).decode()}
        for schemas, numeric, value in cases
    ]


@pytest.fixture(scope="module")
def answers():
    """The cases, and what Connect writes of them."""
    kafka = "org.apache.kafka"
    classpath = maven_classpath(
        f"connect-json-{VERSION}", (kafka, "connect-json", VERSION), ("org.slf4j", "slf4j-nop", "1.7.36")
    )
    cases = drawn()
    done = subprocess.run(
        [
            *("java", "-XX:TieredStopAtLevel=1", "-Duser.timezone=UTC", "-Dfile.encoding=UTF-8", "-cp", classpath),
            str(Path(__file__).parent / "connect" / "JsonLines.java"),
        ],
        input="\n".join(json.dumps(case) for case in cases),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return list(zip(cases, map(json.loads, done.stdout.splitlines()), strict=True))


def ours(case: dict) -> dict:
    rules = LineRules(schemas_enable=case["schemas"], decimal_numeric=case["numeric"])
    try:
        line = line_maker(Converter.JSON, rules)(base64.b64decode(case["value"]))
    except LineError as error:
        return {"error": str(error)}
    return {"null": True} if line is None else {"line": base64.b64encode(line).decode()}


def meaning(text: bytes):
    """What a line says, with each number's own spelling of integers and the value of floats; pairs in no order."""
    return json.loads(
        text, parse_int=lambda digits: ("int", digits), parse_float=lambda digits: ("float", float(digits))
    )


def equal_numbers(ours_: float, theirs: float) -> bool:
    """Java before 19 may write a single-precision number with a digit too many, so that the same one is meant."""
    digits = Decimal(theirs).normalize().as_tuple().digits
    return ours_ == theirs or (len(digits) <= FLOAT_DIGITS and np.float32(ours_) == np.float32(theirs))


def same(ours_: object, theirs: object) -> bool:
    if isinstance(ours_, list) and isinstance(theirs, list):
        pairs = all(isinstance(one, list) and len(one) == 2 for one in [*ours_, *theirs]) and len(ours_) > 1
        if pairs:
            ours_, theirs = sorted(ours_, key=repr), sorted(theirs, key=repr)
        return len(ours_) == len(theirs) and all(map(same, ours_, theirs))
    if isinstance(ours_, dict) and isinstance(theirs, dict):
        return ours_.keys() == theirs.keys() and all(same(ours_[name], theirs[name]) for name in ours_)
    if isinstance(ours_, tuple) and isinstance(theirs, tuple) and ours_[0] == theirs[0] == "float":
        return equal_numbers(ours_[1], theirs[1])
    return ours_ == theirs


def agrees(our: dict, their: dict) -> bool:
    if "line" in our and "line" in their:
        return same(meaning(base64.b64decode(our["line"])), meaning(base64.b64decode(their["line"])))
    return our.keys() == their.keys()


def holds_structs(case: dict) -> bool:
    """Whether the value is no struct and has one within: Jackson writes Java's classes then."""
    value = base64.b64decode(case["value"])
    root = json.loads(value)["schema"] if case["schemas"] and b'"struct"' in value else None
    return isinstance(root, dict) and root.get("type") != "struct"


def test_lines_say_what_connects_say(answers):
    compared = [(case, their) for case, their in answers if not holds_structs(case)]
    wrong = [
        f"{base64.b64decode(case['value'])!r} {case}\n  ours   {shown(ours(case))}\n  theirs {shown(their)}"
        for case, their in compared
        if not agrees(ours(case), their)
    ]
    assert not wrong, f"{len(wrong)} of {len(compared)} differ:\n" + "\n".join(wrong[:20])
    assert len(compared) > 2000 * CASES // 3000


def shown(answer: dict) -> str:
    return str(base64.b64decode(answer["line"])) if "line" in answer else str(answer)[:200]


def test_most_cases_are_written_and_not_refused(answers):
    written = sum("line" in their for _, their in answers)
    assert written > len(answers) // 2


def test_half_a_surrogate_pair_does_not_stop_the_connector():
    line = line_maker(Converter.JSON, LineRules())(b'{"a":"cut \\ud83d"}')
    assert line == '{"a":"cut \ufffd"}'.encode()
