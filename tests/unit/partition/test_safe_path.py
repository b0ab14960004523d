from __future__ import annotations

from urllib.parse import unquote

from hypothesis import assume, given
from hypothesis import strategies as st

from streamsink.partition import safe_path

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


@given(TEXTS)
def test_an_encoded_value_decodes_to_itself(value: str):
    assert unquote(safe_path.encode(value)) == value


@given(TEXTS, st.sampled_from(["/", "_", "--", "=", "2", "F"]))
def test_an_encoded_value_holds_nothing_that_breaks_a_path(value: str, delimiter: str):
    encoded = safe_path.encode(value, delimiter=delimiter)
    assert not any(letter in encoded for letter in "/\\\0\n")
    assert encoded.isprintable() or not value.isprintable()


@given(TEXTS, TEXTS, st.sampled_from(["/", "_", "=="]))
def test_different_values_have_different_codes(one: str, other: str, delimiter: str):
    assume(one != other)
    assert safe_path.encode(one, delimiter=delimiter) != safe_path.encode(other, delimiter=delimiter)


@given(st.text(st.sampled_from("ab/%ü😀"), min_size=50, max_size=400))
def test_a_long_component_is_cut_between_characters_and_escapes(value: str):
    part = safe_path.component(safe_path.encode(value))
    assert len(part.encode()) <= safe_path.BYTES_MAX
    head, _, digest = part.partition("~")
    assert not digest or (len(digest) == 16 and value.startswith(unquote(head, errors="strict").rstrip("\ufffd")))


def test_components_cut_at_the_same_place_stay_apart():
    assert safe_path.component("x" * 300) != safe_path.component("x" * 301)
    assert safe_path.component("x" * 200) == "x" * 200


def test_a_component_never_climbs():
    assert safe_path.component("..") == "%2E%2E"
    assert safe_path.component(".") == "%2E"
    assert safe_path.component("...") == "..."
    assert safe_path.component("f=..") == "f=.."
