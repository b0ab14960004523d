from __future__ import annotations

import pytest

from streamsink.config.reading.flat import FlatMapError, parse_json, parse_properties, parse_yaml


def test_yaml_values_stay_as_they_are_written():
    text = (
        "a: yes\nb: on\nc: 1_000\nd: 0123\ne: null\nf: ~\ng:\nh: 1.50\n"
        "i: 2026-11-22\nj: 0x1F\nk: 'x: y'\nl: \"a\\tb\"\n"
    )
    assert parse_yaml(text) == {
        "a": "yes",
        "b": "on",
        "c": "1_000",
        "d": "0123",
        "e": "null",
        "f": "~",
        "g": "",
        "h": "1.50",
        "i": "2026-11-22",
        "j": "0x1F",
        "k": "x: y",
        "l": "a\tb",
    }


def test_yaml_lists_are_joined_and_comments_left_out():
    assert parse_yaml("# c\ntopics: [a, 'b']\nx:\n  - 1\n  - no # c\n") == {"topics": "a,b", "x": "1,no"}


def test_yaml_folded_text_and_an_empty_file_are_read():
    assert parse_yaml("a: >-\n  one\n  two\n") == {"a": "one two"}
    assert parse_yaml("# nothing\n") == {}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "a is given twice"),
        ("a: 1\nb:\n  c: 2\n", 3, "b has a nested map"),
        ("a:\n  - {b: 1}\n", 2, "a has a list"),
        ("- a\n", 1, "is not a map"),
        ("a: 1\n\tb: 2\n", 2, ""),
        ("a: 'open\n", 2, ""),
        ("a: *nobody\n", 1, "undefined alias"),
        ("a: 1\n---\nb: 2\n", 2, ""),
        ("? [x]\n: 1\n", 1, "not a word"),
        ("<<: {a: 1}\n", 1, "nested map"),
    ],
)
def test_a_yaml_text_that_is_not_flat_is_told_with_its_line(text, line, said):
    with pytest.raises(FlatMapError) as raised:
        parse_yaml(text)
    assert raised.value.line == line
    assert said in raised.value.message


def test_json_is_read_flat_with_numbers_as_written():
    assert parse_json('{"a": "x", "b": 1.50, "c": true, "d": 12345678901234567890, "e": ["p", "q"], "f": null}') == {
        "a": "x",
        "b": "1.50",
        "c": "true",
        "d": "12345678901234567890",
        "e": "p,q",
    }


def test_json_as_connects_rest_takes_it_is_read():
    assert parse_json('{"name": "n", "config": {"a": "b"}, "initial_state": "PAUSED"}') == {"a": "b", "name": "n"}


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ('{"a": 1,\n"a": 2}', 1, "given twice"),
        ('{"a": 1,\n"b": {"c": 1}}', 2, "b has a nested object"),
        ('{"a": [[1]]}', 1, "a has a list"),
        ('{"a": 1,\n"b"}', 2, "not JSON"),
        ("[1]", 1, "not an object"),
        ('{"name": "x",\n"config": {"name": "y"}}', 1, "two names"),
        ("[" * 100_000, None, "nested too deeply"),
    ],
)
def test_a_json_text_that_is_not_flat_is_told_with_its_line(text, line, said):
    with pytest.raises(FlatMapError) as raised:
        parse_json(text)
    assert said in raised.value.message
    assert raised.value.line == line


def test_java_properties_are_read_as_java_does():
    text = (
        "# comment\n! comment\n\n a = 1 \nb:2\nc 3\nd=x=y:z\nlong=one,\\\n    two\nu=\\u00e9\\t!\npath=C:\\\\x\n"
        "spaced\\ key=v\nempty=\nalone\n"
    )
    assert parse_properties(text) == {
        "a": "1 ",
        "b": "2",
        "c": "3",
        "d": "x=y:z",
        "long": "one,two",
        "u": "é\t!",
        "path": "C:\\x",
        "spaced key": "v",
        "empty": "",
        "alone": "",
    }


def test_what_ends_a_property_is_kept_unless_it_ends_the_line():
    assert parse_properties("separator=\\n\r\nblank=\\ \rsplit=a\u2028b\x0cc\n") == {
        "separator": "\n",
        "blank": " ",
        "split": "a\u2028b\x0cc",
    }


def test_only_line_ends_end_a_property():
    assert parse_properties("a=1\x0b2\u20283\r\nb=4\rc=5") == {"a": "1\x0b2\u20283", "b": "4", "c": "5"}


@pytest.mark.parametrize(("text", "line"), [("a=1\n\nb=2\na=3\n", 4), ("x=\\\n1\na=\\u12\n", 3)])
def test_wrong_properties_are_told_with_their_line(text, line):
    with pytest.raises(FlatMapError) as raised:
        parse_properties(text)
    assert raised.value.line == line
