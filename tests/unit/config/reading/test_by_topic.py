from __future__ import annotations

import pytest

from streamsink.config.reading.connector import parse_sink, validate_sink
from streamsink.config.reading.layout import layout_fingerprint
from streamsink.config.sink import ArchiveValue, Converter
from streamsink.sink.transforming import with_transforms
from tests.unit.transform.conftest import BASE, WORKER, raw_slice

RULES = {
    "topics": "logs,plain-1,raw-1",
    "converters": "plain,raw",
    "converters.plain.topics.regex": "plain-.*",
    "converters.plain.value.converter": "string",
    "converters.plain.archive.value": "raw",
    "converters.raw.topics.regex": ".*-1",
    "converters.raw.value.converter": "bytes",
}


def problems(changes):
    return {one.key: one.message for one in validate_sink(BASE | RULES | changes, WORKER).problems}


def test_the_first_rule_that_matches_the_whole_name_counts():
    config, warnings = parse_sink(BASE | RULES, WORKER)
    assert [pattern for pattern, _ in config.by_topic] == ["plain-.*", ".*-1"]
    assert [rule.value_converter for _, rule in config.by_topic] == [Converter.STRING, Converter.BYTES]
    assert config.by_topic[1][1].archive_value is ArchiveValue.RAW
    assert config.archive_value is ArchiveValue.BOTH
    assert not [one for one in warnings if "converters" in one]
    decoder = with_transforms(config)
    assert decoder.decode(raw_slice([b'{"a":1}'])).rows.schema.names == ["_kafka", "a"]
    assert decoder.decode(raw_slice([b"{a"], topic="raw-1")).rows.column("value").to_pylist() == [b"{a"]
    assert decoder.decode(raw_slice([b"x"], topic="plain-1")).rows.column("value").to_pylist() == [b"x"]


def test_rules_are_part_of_the_layout():
    one, other = (parse_sink(BASE | RULES | extra, WORKER)[0] for extra in ({}, {"converters": "raw,plain"}))
    assert layout_fingerprint(one) != layout_fingerprint(other)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"converters.raw.topics.regex": ""}, "converters.raw.topics.regex"),
        ({"converters.raw.topics.regex": "("}, "converters.raw.topics.regex"),
        ({"converters.raw.flush.size": "1"}, "converters.raw.flush.size"),
        ({"converters.raw.value.converter": "nothing"}, "converters.raw.value.converter"),
        ({"converters": "plain,raw,more", "converters.more.topics.regex": "x"}, "converters.more.value.converter"),
    ],
)
def test_what_is_wrong_with_a_rule_is_told_under_its_key(changes, key):
    assert key in problems(changes)


def test_a_rule_that_is_not_listed_is_warned_of():
    told = validate_sink(BASE | RULES | {"converters": "plain"}, WORKER).warnings
    assert "converters.raw: has no effect, converters does not list raw" in told
