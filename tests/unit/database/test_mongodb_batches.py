"""Replies of MongoDB's cursors, taken apart without a server."""

import bson
import pytest
from bson import Int64, ObjectId, Timestamp
from hypothesis import given
from hypothesis import strategies as st

from streamsink.database import mongodb_batches
from streamsink.database.mongodb_batches import documents_of

LETTERS = st.dictionaries(st.text(max_size=3).filter(lambda name: "\0" not in name), st.integers(0, 9), max_size=3)


def reply(documents, batch="firstBatch", **more):
    cursor = {batch: documents, "id": Int64(7), "ns": "shop.orders", "atClusterTime": Timestamp(5, 1)}
    return {"cursor": cursor, "ok": 1.0, "$clusterTime": {"clusterTime": Timestamp(6, 1), "signature": b"s"}, **more}


@given(st.lists(LETTERS, max_size=130), st.sampled_from(["firstBatch", "nextBatch"]))
def test_documents_are_cut_out_byte_for_byte_and_the_rest_of_the_reply_stays(documents, batch):
    found = mongodb_batches._taken_apart(bson.encode(reply(documents, batch)))
    expected = reply(documents, batch)
    parts = found["cursor"].pop(batch)
    expected["cursor"].pop(batch)
    assert found == expected
    assert [value for part in parts for value in part.to_pylist()] == [bson.encode(one) for one in documents]
    assert bool(parts) == bool(documents)


def test_numbers_of_many_digits_are_names_of_documents_too():
    documents = [{"_id": ObjectId(), "n": number} for number in range(12_345)]
    (part,) = mongodb_batches._taken_apart(bson.encode(reply(documents)))["cursor"]["firstBatch"]
    part.validate(full=True)
    assert part.to_pylist() == [bson.encode(one) for one in documents]
    assert documents_of(b"".join(part.to_pylist())).equals(part)
    assert documents_of(part) is part


@pytest.mark.parametrize(
    "unknown",
    [
        {"ok": 0.0, "errmsg": "no"},
        {"cursor": {"firstBatch": [1, 2]}, "ok": 1.0},
        {"cursor": {"firstBatch": [{}, 2]}, "ok": 1.0},
        {"cursor": {"firstBatch": {"0": {}}}, "ok": 1.0},
        {"cursor": {"other": bson.MinKey(), "firstBatch": [{}]}, "ok": 1.0},
        {"cursor": 1, "ok": 1.0},
    ],
)
def test_a_reply_that_is_not_as_known_is_left_to_pymongo(unknown):
    assert mongodb_batches._taken_apart(bson.encode(unknown)) is None


@given(st.data())
def test_a_damaged_reply_is_left_to_pymongo_or_gives_whole_documents(data):
    whole = bytearray(bson.encode(reply([{"a": 1}, {"b": "text"}, {}])))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = mongodb_batches._taken_apart(bytes(whole))
    except bson.errors.InvalidBSON:
        return
    for part in () if found is None else found["cursor"].get("firstBatch", ()):
        part.validate(full=True)
