"""Header values as JSON against Kafka Connect's own converters, from its jar, in one JVM."""

import base64
import json
import random
import re
import subprocess
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from streamsink.config.sink import HeaderConverter
from streamsink.decode.lines.headers import header_cell, header_text
from tests.servers.kafka import VERSION, maven_classpath

VALUES = [
    "", " ", "x", "true", "false", "TRUE", " true ", "truex", "0", "-0", "+7", "127", "128", "-129", "32768",
    "2147483648", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "1" + "0" * 30, "1.0", "1.5",
    "-0.25", "0.1", ".5", "+.5", "5.", "1e3", "1E-3", "2.5e10", "1e39", "1e30", "-1e39", "1.5e400", "123456789.125",
    "3.4028235E38", "0x1f", "1d", "NaN", " 12", "12 ", "2026-11-29", "2024-02-29", "2023-02-29", "2026-13-01",
    "1999-12-31", "1234567890", "12:34:56.789Z", "00:00:00.000Z", "23:59:59.999Z",
    "2026-11-29T12:34:56.789Z", "1969-12-31T23:59:59.999Z", "2026-11-29T12:34:56Z", "2026-11-29 12:34",
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "application/json", "ü€😀", 'quo"te', "back\\slash",
    "a,b", "a:b", "urn:x:y", "7b", "1.2.3", "10.0.0.1", "-", "+", "e5", "\u0000", "\u2028", "http://host:80/",
    "tab\tnew\nline",
]  # fmt: skip
LIKE_A_DATE = re.compile(rb"[0-9]{4}-[0-9]{2}-|[0-9]{2}:")
"""Dates and times stay the texts they were; Connect writes those before 1970 as times of a day."""
LONG_FRACTION = re.compile(r"-?[0-9]\.[0-9]{6,}E-?[0-9]+")
BYTES = [b"\xff\xfe", b"\x00\x01", b"abc\x80"]
OURS = {
    "null": b"null",
    "12:34:56Z": b'"12:34:56Z"',
    "10,20": b'"10,20"',
    "12:30": b'"12:30"',
    "1:2": b'"1:2"',
    "[1,2]": b'"[1,2]"',
    '{"a":1}': b'"{\\"a\\":1}"',
}
"""Where Connect is not followed: it fails at null, cuts a text that begins with a number, and takes lists apart."""


def drawn():
    dice = random.Random(17)
    numbers = [f"{dice.choice(['', '-', '+'])}{dice.randrange(10 ** dice.randrange(1, 22))}" for _ in range(150)]
    floats = [f"{dice.uniform(-10, 10):.{dice.randrange(1, 12)}f}" for _ in range(150)]
    exponents = [f"{dice.randrange(1, 99)}.{dice.randrange(99)}e{dice.randrange(-60, 60)}" for _ in range(100)]
    dates = [f"{dice.randrange(1583, 9999)}-{dice.randrange(1, 13):02}-{dice.randrange(1, 32):02}" for _ in range(100)]
    times = [f"{day}T{dice.randrange(24):02}:{dice.randrange(60):02}:07.{dice.randrange(1000):03}Z" for day in dates]
    values = [one.encode() for one in [*VALUES, *numbers, *floats, *exponents, *dates, *times]] + BYTES
    return [
        {"converter": converter.value, "numeric": numeric, "text": text, "value": base64.b64encode(value).decode()}
        for value in values
        for converter in HeaderConverter
        for numeric, text in [(False, False), (False, True)] + [(True, False)] * (converter is HeaderConverter.SIMPLE)
        if not (text and LIKE_A_DATE.match(value))
    ]


def test_header_values_are_written_as_connect_writes_them():
    kafka = "org.apache.kafka"
    classpath = maven_classpath(
        f"connect-json-{VERSION}", (kafka, "connect-json", VERSION), ("org.slf4j", "slf4j-nop", "1.7.36")
    )
    cases = drawn()
    done = subprocess.run(
        [
            *("java", "-XX:TieredStopAtLevel=1", "-Duser.timezone=UTC", "-Dfile.encoding=UTF-8", "-cp", classpath),
            str(Path(__file__).parent / "connect" / "HeaderLines.java"),
        ],
        input="\n".join(map(json.dumps, cases)),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answers = list(map(json.loads, done.stdout.strip().split("\n")))
    wrong = []
    for case, their in zip(cases, answers, strict=True):
        value = base64.b64decode(case["value"])
        converter = HeaderConverter(case["converter"])
        if case["text"]:
            our = json.dumps(header_text(converter)(value)).encode()
        else:
            our = header_cell(converter, numeric=case["numeric"])(value)
        if "json" not in their or not same(said(our), said(their["json"])):
            wrong.append(f"{value!r} {case['converter']} {case['numeric']}: ours {our!r}, theirs {their}")
    assert not wrong, f"{len(wrong)} of {len(cases)} differ:\n" + "\n".join(wrong[:30])


def said(text):
    return json.loads(text, parse_float=Decimal)


def same(ours, theirs):
    """Java before 19 may write a single-precision number with a digit too many."""
    if isinstance(ours, Decimal) and isinstance(theirs, Decimal):
        return float(ours) == float(theirs) or np.float32(ours) == np.float32(theirs)
    if isinstance(ours, str) and isinstance(theirs, str) and LONG_FRACTION.fullmatch(ours):
        return np.float32(ours) == np.float32(theirs)
    return type(ours) is type(theirs) and ours == theirs


@pytest.mark.parametrize(("value", "wanted"), OURS.items())
def test_what_connect_would_cut_or_take_apart_stays_text(value, wanted):
    assert header_cell(HeaderConverter.SIMPLE, numeric=False)(value.encode()) == wanted
