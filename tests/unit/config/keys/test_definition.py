from __future__ import annotations

import pytest

from streamsink.config.keys.definition import REQUIRED, ConfigKey, Definition, KeyType, grouped, parse
from streamsink.config.keys.store import OPTIONS
from streamsink.config.keys.worker import WORKER
from streamsink.config.vendors.profiles import CLASSES
from streamsink.errors import Problem

EVERY_KEY = {
    (key.name, key.default): key
    for keys in (*(kind.definition for kind in CLASSES), *OPTIONS.values(), WORKER)
    for key in keys
}.values()


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (KeyType.BOOLEAN, " True ", True),
        (KeyType.INT, "-12", -12),
        (KeyType.LONG, "9223372036854775807", 2**63 - 1),
        (KeyType.DOUBLE, "0.5", 0.5),
        (KeyType.LIST, " a, b ,,c", ("a", "b", "c")),
        (KeyType.STRING, " kept as it is ", " kept as it is "),
        (KeyType.CLASS, " a.B ", "a.B"),
        (KeyType.INT, " ", None),
    ],
)
def test_a_text_is_read_as_its_keys_type(kind, text, value):
    assert parse(ConfigKey("k", kind, None, ""), text) == (value, "")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (KeyType.BOOLEAN, "yes"),
        (KeyType.INT, "2147483648"),
        (KeyType.INT, "1_000"),
        (KeyType.INT, "1e3"),
        (KeyType.INT, "٣"),
        (KeyType.LONG, "9223372036854775808"),
        (KeyType.DOUBLE, "nan"),
    ],
)
def test_a_text_of_another_type_is_told_with_the_value(kind, text):
    value, wrong = parse(ConfigKey("k", kind, None, ""), text)
    assert value is None
    assert text in wrong or "finite" in wrong


def test_all_problems_of_a_map_are_found_at_once():
    definition = Definition(
        [
            ConfigKey("a", KeyType.INT, "1", ""),
            ConfigKey("b", KeyType.STRING, REQUIRED, ""),
            ConfigKey("c", KeyType.BOOLEAN, "true", ""),
        ]
    )
    values = definition.read({"a": "x", "c": "maybe"})
    assert [problem.key for problem in values.problems] == ["a", "b", "c"]
    assert values.whole("a") == 1
    assert values.flag("c")


def test_a_required_key_that_is_blank_is_missing():
    values = Definition([ConfigKey("b", KeyType.STRING, REQUIRED, "")]).read({"b": " "})
    assert values.problems == [Problem("b", "is required and has no default")]


def test_grouped_keys_have_order_and_display_names():
    (first, second) = grouped("G", [ConfigKey("a.b", KeyType.INT, None, ""), ConfigKey("c", KeyType.INT, None, "")])
    assert (first.group, first.order, first.display_name) == ("G", 1, "A b")
    assert second.order == 2


@pytest.mark.parametrize("key", EVERY_KEY, ids=lambda key: key.name)
def test_every_default_is_a_value_its_own_key_accepts(key):
    if key.default_text is not None:
        assert parse(key, key.default_text)[1] == ""
    for value in key.recommended:
        assert parse(key, value)[1] == ""


@pytest.mark.parametrize("key", EVERY_KEY, ids=lambda key: key.name)
def test_every_key_is_documented_in_a_sentence(key):
    assert key.documentation[0].isupper() or not key.documentation[0].isalpha()
    assert key.documentation.endswith(".")
    assert key.group
    assert key.order
    assert key.display_name
