"""Couchbase's documents as rows: their text stays what it is."""

import orjson
import pytest

from streamsink.database.couchbase import documents
from streamsink.database.couchbase.documents import Document

JSON_FLAGS = 0x2000006
CONTENTS = [
    b'{"a": 1.00,  "big": 123456789012345678901234567890, "b":[1,2]\n}',
    b'{"quoted":",\\"document\\":","document":{"document":1}}',
    b"7",
    b'"text"',
    b"null",
    "\U0001f34f".encode(),
    b"\x00\xff no JSON",
    b"",
]


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("identity", ["a", 'x,"document":{', "line\nbreak\x00\x01", "ä\\"])
def test_a_document_comes_back_byte_by_byte(content, identity):
    document = Document(identity, content, JSON_FLAGS, cas=2**63 + 1, expiry_s=1_800_000_000)
    value = documents.value_of(document)
    assert documents.document_of(value) == document
    assert documents.document_of_line(documents.line_of(document)) == document
    assert b"\n" not in documents.line_of(document)
    assert orjson.loads(documents.key_of(identity)) == {"id": identity}
    assert documents.id_of(documents.key_of(identity)) == identity


def test_a_json_document_is_json_within_its_row():
    value = documents.value_of(Document("a", b'{"b": [1]}', JSON_FLAGS, 5))
    assert orjson.loads(value) == {
        "id": "a",
        "cas": "5",
        "expiry": None,
        "flags": JSON_FLAGS,
        "document": {"b": [1]},
    }


def test_a_row_that_was_written_anew_still_gives_its_document():
    value = documents.value_of(Document("a", b'{"b": [1]}', JSON_FLAGS, 5))
    again = orjson.dumps(orjson.loads(value), option=orjson.OPT_INDENT_2)
    assert orjson.loads(documents.document_of(again).content) == {"b": [1]}


def test_a_digest_leaves_out_versions_and_nothing_else():
    one = Document("a", b"1", JSON_FLAGS, cas=1)
    assert documents.digested(one) == documents.digested(Document("a", b"1", JSON_FLAGS, cas=2))
    for other in (Document("a", b"2", JSON_FLAGS), Document("a", b"1", 0), Document("a", b"1", JSON_FLAGS, expiry_s=7)):
        assert documents.digested(one) != documents.digested(other)


def test_lines_sort_as_ids_do():
    ids = ["", "\x00", "\x01", "\n", " ", "a", "a\x00", "a b", "ab", "b", "ä", "🍏"]
    lines = sorted(documents.line_of(Document(one, b"1", 0)) for one in reversed(ids))
    assert [documents.document_of_line(line).id for line in lines] == ids
