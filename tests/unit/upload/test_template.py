"""Names by a template, there and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamsink.config.sink import Naming
from streamsink.upload.name import names_begin, object_name, parse_name
from streamsink.upload.template import Filled, fill, render

TEMPLATES = [
    "{topic}-{partition}-{start_offset}",
    "{topic}/{partition:10}/{start_offset:20}.gz",
    "{path:0}/{topic}-{partition}-{start_offset}",
    "{topic}/{path:1}-{path:0}/{partition}+{start_offset}",
    "{topic}/{path}/{topic}({partition}_{start_offset:12}).json",
    "{topic}/{start_offset:3}/{partition}-{start_offset}",
]


@pytest.mark.parametrize("template", TEMPLATES)
@given(
    topic=st.from_regex(r"[a-z][a-z0-9._-]{0,10}[a-z]", fullmatch=True),
    partition=st.integers(0, 999),
    start_offset=st.integers(0, 10**12),
    parts=st.tuples(*[st.text("abcé%= ", min_size=1, max_size=5)] * 2),
)
def test_a_name_is_read_back(template, topic, partition, start_offset, parts):
    count = template.count("{path:") or 2 if "{path" in template else 0
    filled = Filled(topic, "/".join(parts[:count]), partition, start_offset)
    assert fill(template, render(template, filled)) == filled


@pytest.mark.parametrize(
    "name",
    ["t-0", "t-x-5", "t/0/5", "t-0-5.gz", "", "t-00-5"],
    ids=["short", "letters", "slashes", "more", "", "zeros"],
)
def test_another_name_is_none_of_the_templates(name):
    assert fill("{topic}-{partition}-{start_offset}", name) is None


def test_a_template_lies_below_topics_dir_and_takes_a_writers_suffix():
    naming = Naming(topics_dir="raw/x", template="{topic}/{path:0}/{partition}-{start_offset}")
    name = object_name(naming, "t", "2026", 3, 7, ".ignored", suffix=f"w{'0' * 12}")
    assert name == "raw/x/t/2026/3-7.w000000000000"
    parsed = parse_name(name, naming)
    assert (parsed.topic, parsed.encoded_partition, parsed.partition, parsed.start_offset) == ("t", "2026", 3, 7)
    assert parse_name("other/t/2026/3-7", naming) is None
    assert names_begin(naming, "t") == "raw/x/t/"
