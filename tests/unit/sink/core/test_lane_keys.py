from hypothesis import given
from hypothesis import strategies as st

from streamsink.sink.core.open_file import Lane

paths = st.text("ab:#=1/", min_size=1, max_size=6)
topics = st.one_of(st.just(""), st.text("ab1.", min_size=1, max_size=3))
tags = st.one_of(st.just(""), st.text("s=1.#:", min_size=1, max_size=4).filter(lambda tag: not tag.startswith("#")))
lanes = st.builds(Lane, paths, tags, topics)


@given(lanes, lanes)
def test_two_lanes_never_share_a_key(one, other):
    assert (one.key == other.key) == (one == other)


def test_a_field_that_holds_a_hash_is_no_schema():
    assert Lane("f=x#schema=5").key != Lane("f=x", "schema=5").key
    assert Lane("2026:08").key != Lane("08", topic="2026").key


def test_keys_that_archives_and_commits_have_had_stay_as_they_were():
    assert Lane("partition=0").key == "partition=0"
    assert Lane("f=a:b", "schema=7.1.0").key == "f=a:b#schema=7.1.0"
    assert Lane("partition=0", "schema=5", "routed").key == "routed:partition=0#schema=5"
