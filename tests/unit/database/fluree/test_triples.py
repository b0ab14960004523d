"""Facts as nodes, and back."""

import orjson
import pytest

from streamsink.database.fluree import triples
from streamsink.errors import TerminalError

DATE = "http://www.w3.org/2001/XMLSchema#date"


def binding(subject, predicate, term):
    return {"s": {"type": "uri", "value": subject}, "p": {"type": "uri", "value": predicate}, "o": term}


def test_a_subjects_facts_are_one_node_whatever_order_they_came_in():
    facts = [
        binding("urn:a/b", "urn:p", {"type": "uri", "value": "urn:c"}),
        binding("urn:a", "urn:q", {"type": "literal", "value": "2026-01-01", "datatype": DATE}),
        binding("urn:a", "urn:p", {"type": "literal", "value": "ä", "xml:lang": "de"}),
        binding("urn:a", "urn:p", {"type": "bnode", "value": "_:x1"}),
    ]
    expected = [
        {
            "@id": "urn:a",
            "urn:p": [{"@id": "urn:streamsink:blank:x1"}, {"@value": "ä", "@language": "de"}],
            "urn:q": [{"@value": "2026-01-01", "@type": DATE}],
        },
        {"@id": "urn:a/b", "urn:p": [{"@id": "urn:c"}]},
    ]
    for order in (facts, facts[::-1]):
        found = list(triples.nodes(sorted(map(triples.line_of, order))))
        assert [orjson.loads(value) for _, _, value in found] == expected
        assert [key for _, key, _ in found] == [b'{"@id":"urn:a"}', b'{"@id":"urn:a/b"}']


def test_a_node_is_written_as_statements_with_every_sign_escaped():
    node = {"@id": "urn:a", "urn:p": [{"@value": 'a "\\\n\t\x01'}, {"@value": "1", "@type": DATE}, {"@id": "urn:b"}]}
    assert list(triples.statements(orjson.dumps(node))) == [
        r'<urn:a> <urn:p> "a \"\\\n\t\u0001" .',
        f'<urn:a> <urn:p> "1"^^<{DATE}> .',
        "<urn:a> <urn:p> <urn:b> .",
    ]


@pytest.mark.parametrize("name", ["urn:a b", "urn:a>", 'urn:"', "urn:\\", "urn:\n"])
def test_a_name_that_would_end_its_brackets_is_refused(name):
    with pytest.raises(TerminalError) as raised:
        triples.iri(name)
    assert raised.value.hint
