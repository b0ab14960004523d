"""Two sides of a partition are compared record by record, however they are cut into batches."""

import random

import pyarrow as pa
import pytest

from streamsink.audit.compare import LISTED_MAX, Excused, PartitionAudit, compare
from streamsink.audit.digest import RecordsDigest, digest_parts
from streamsink.audit.records import RECORDS

HOUR_MS = 3_600_000


def record(offset, *, value=b"v", at_ms=None, at_type=0, headers=(), key=b"k", kept=True):
    return {
        "offset": offset,
        "timestamp": offset * 1000 if at_ms is None else at_ms,
        "timestamp_type": at_type,
        "key": key,
        "value": value,
        "headers": [{"key": name, "value": text} for name, text in headers],
        "bytes_kept": kept,
    }


def batches(records, size=7):
    for start in range(0, len(records), size):
        yield pa.RecordBatch.from_pylist(records[start : start + size], schema=RECORDS)


def audited(topic, archive, *, sizes=(7, 5), **excused):
    one = PartitionAudit("t", 0)
    known = Excused(**{"topic_from": 0, **excused})
    for _ in compare(one, batches(topic, sizes[0]), batches(archive, sizes[1]), known):
        pass
    return one


def test_equal_sides_are_the_same_in_every_cut():
    records = [record(offset, headers=[("h", b"x"), ("h", None)] if offset % 3 else []) for offset in range(100)]
    found = [audited(records, records, sizes=sizes) for sizes in [(7, 5), (1, 100), (100, 100), (13, 2)]]
    assert all(one.same for one in found)
    assert {(one.topic_records, one.archive_records, one.equal) for one in found} == {(100, 100, 100)}
    assert len({one.digest.hexdigest() for one in found}) == 1


def test_a_record_that_one_side_lacks_is_named():
    records = [record(offset) for offset in range(50)]
    one = audited(records, records[:20] + records[21:])
    assert (one.only_topic.listed, one.only_archive.count, one.same) == ([(20, 20)], 0, False)
    other = audited(records[:20] + records[22:], records)
    assert (other.only_archive.listed, other.only_topic.count, other.same) == ([(20, 21)], 0, False)


@pytest.mark.parametrize(
    "change",
    [
        {"value": b"w"},
        {"at_type": 1},
        {"value": None},
        {"value": b""},
        {"key": None},
        {"at_ms": 1},
        {"headers": [("h", None)]},
    ],
)
def test_a_record_that_differs_in_anything_is_named(change):
    records = [record(offset) for offset in range(30)]
    one = audited(records, [*records[:11], record(11, **change), *records[12:]])
    assert (one.differing.listed, one.equal, one.same) == ([(11, 11)], 29, False)


def test_a_type_of_time_that_an_object_does_not_tell_is_not_compared():
    records = [record(offset, at_type=1) for offset in range(10)]
    assert audited(records, [record(offset, at_type=None) for offset in range(10)]).equal == 10


def test_an_offset_that_the_archive_has_twice_is_named():
    records = [record(offset) for offset in range(30)]
    for sizes in [(7, 5), (7, 1), (30, 40)]:
        one = audited(records, sorted([*records, *records[9:12]], key=lambda each: each["offset"]), sizes=sizes)
        assert (one.twice.listed, one.equal, one.same) == ([(9, 11)], 30, False)


def test_what_the_topic_has_removed_is_said_and_no_difference():
    records = [record(offset) for offset in range(30)]
    one = audited(records[10:], records, topic_from=10)
    assert (one.removed.listed, one.same) == ([(0, 9)], True)
    compacted = audited(records[::2], records, is_compacted=True)
    assert (compacted.removed.count, compacted.same) == (15, True)
    assert not audited(records, records[::2], is_compacted=True).same


def test_a_recorded_loss_is_said_and_no_difference():
    records = [record(offset) for offset in range(30)]
    one = audited(records, records[:10] + records[15:], lost=[(10, 14)])
    assert (one.lost.listed, one.same) == ([(10, 14)], True)
    assert not audited(records, records[:10] + records[16:], lost=[(10, 14)]).same


def test_values_of_which_only_columns_are_kept_are_not_compared_and_the_rest_is():
    records = [record(offset) for offset in range(10)]
    columns = [record(offset, value=None, kept=False) for offset in range(10)]
    one = audited(records, columns)
    assert (one.same, one.values_not_compared, one.equal) == (True, 10, 10)
    other_key = record(3, value=None, kept=False, key=b"other")
    assert audited(records, [*columns[:3], other_key, *columns[4:]]).differing.listed == [(3, 3)]


def test_hours_count_both_sides_and_have_digests_of_what_is_equal():
    records = [record(offset, at_ms=HOUR_MS * (offset // 10) + offset) for offset in range(30)]
    whole = audited(records, records)
    lacking = audited(records, records[:15] + records[16:])
    assert [(h.topic, h.archive, h.equal) for h in lacking.hours.values()] == [(10, 10, 10), (10, 9, 9), (10, 10, 10)]
    same = [whole.hours[hour].digest.hexdigest() == lacking.hours[hour].digest.hexdigest() for hour in range(3)]
    assert same == [True, False, True]


def test_differences_without_end_are_counted_and_not_all_listed():
    records = [record(offset) for offset in range(4 * LISTED_MAX)]
    one = audited(records, records[::2], sizes=(500, 500))
    assert (one.only_topic.count, len(one.only_topic.listed)) == (2 * LISTED_MAX, LISTED_MAX)


def test_random_differences_are_exactly_those_found():
    dice = random.Random(7)
    for _ in range(50):
        offsets = sorted(dice.sample(range(200), 120))
        topic = [record(offset) for offset in offsets if dice.random() > 0.1]
        archive = [record(offset, value=dice.choice([b"v"] * 9 + [b"w"])) for offset in offsets if dice.random() > 0.1]
        one = audited(topic, archive, sizes=(dice.randrange(1, 40), dice.randrange(1, 40)))
        left, right = {r["offset"]: r for r in topic}, {r["offset"]: r for r in archive}
        told = [
            {at for first, last in ranges.listed for at in range(first, last + 1)}
            for ranges in (one.only_topic, one.only_archive, one.differing)
        ]
        assert told == [
            left.keys() - right.keys(),
            right.keys() - left.keys(),
            {at for at in left.keys() & right.keys() if left[at] != right[at]},
        ]


def test_a_digest_tells_what_borders_on_what():
    digests = set()
    for key, value in [(b"ab", b"c"), (b"a", b"bc"), (b"", b"abc"), (None, b"abc"), (b"abc", None), (b"abc", b"")]:
        digest = RecordsDigest()
        digest.add(digest_parts(pa.RecordBatch.from_pylist([record(0, key=key, value=value)], schema=RECORDS)))
        digests.add(digest.hexdigest())
    assert len(digests) == 6
