from __future__ import annotations

from dataclasses import replace

from streamsink.archive.days import UNDATED, by_day
from streamsink.archive.listing import ListedObject
from streamsink.upload.description import ObjectDescription

DAY_MS = 86_400_000


def listed(first, last, *, records=None, at_ms=0, topic="logs", partition=0):
    about = ObjectDescription(
        name=f"{topic}/{first}",
        topic=topic,
        partition=partition,
        encoded_partition="",
        lane="",
        first_offset=first,
        last_offset=last,
        record_count=last - first + 1 if records is None else records,
        timestamp_min_ms=at_ms,
        timestamp_max_ms=at_ms,
        layout="",
        writer="",
    )
    return ListedObject(about.name, 10, topic, partition, "", first, about)


def test_objects_are_summed_up_by_topic_and_day_of_their_oldest_record():
    topics = by_day([listed(0, 4), listed(5, 9, at_ms=DAY_MS), listed(0, 0, topic="audit"), listed(10, 19)])
    assert list(topics) == ["audit", "logs"]
    logs = topics["logs"]
    assert (logs.objects, logs.records, logs.size_bytes, logs.offsets_missing) == (3, 20, 30, 0)
    assert {day: (each.objects, each.records) for day, each in logs.days.items()} == {
        "1970-01-01": (2, 15),
        "1970-01-02": (1, 5),
    }


def test_offsets_in_no_object_are_counted_by_partition():
    topics = by_day([listed(0, 9, records=8), listed(20, 29), listed(100, 109, partition=1)])
    assert topics["logs"].offsets_missing == 12


def test_gaps_lie_between_objects_of_one_partition():
    found = by_day([listed(30, 39), listed(0, 9), listed(5, 19), listed(200, 209, partition=1), listed(12, 14)])
    assert list(found["logs"].gaps()) == [(0, 20, 29)]


def test_an_object_that_says_nothing_of_itself_counts_by_its_size_only():
    unknown = replace(listed(0, 9), description=None, problem="corrupt")
    undated = listed(10, 19, at_ms=None)
    topics = by_day([unknown, undated, listed(20, 29, at_ms=10**18)])
    assert {day: each.objects for day, each in topics["logs"].days.items()} == {UNDATED: 3}
    assert topics["logs"].records == 20
