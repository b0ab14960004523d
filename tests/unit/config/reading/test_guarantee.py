from __future__ import annotations

import dataclasses

import pytest

from streamsink.config.reading.guarantee import guarantee
from streamsink.config.reading.layout import layout_fingerprint
from streamsink.config.sink import (
    ArchiveValue,
    Encoding,
    ErrorHandling,
    ExactlyOnce,
    ExtractorKind,
    FormatKind,
    Naming,
    NullValues,
    PartitionerKind,
    Partitioning,
    Rotation,
    SinkConfig,
)

CONFIG = SinkConfig("logs", "file:///a", {})
HOURLY = Partitioning(kind=PartitionerKind.HOURLY, path_format="yyyy", duration_ms=3_600_000)


def changed(**changes):
    return dataclasses.replace(CONFIG, **changes)


def test_an_atomic_store_gives_exactly_once_and_says_why():
    assert guarantee(CONFIG, atomic_create=True).startswith("Exactly once: names follow from first offsets")


def test_a_store_that_was_not_probed_is_promised_nothing_yet():
    assert "which is probed at the start; else it is at least once" in guarantee(CONFIG, atomic_create=None)
    required = changed(exactly_once=ExactlyOnce.REQUIRED)
    assert "else the task refuses to run" in guarantee(required, atomic_create=None)


def test_a_store_that_does_not_create_atomically_gives_at_least_once_or_nothing():
    assert guarantee(CONFIG, atomic_create=False).startswith("At least once: the store")
    assert guarantee(changed(exactly_once=ExactlyOnce.REQUIRED), atomic_create=False).startswith("None:")


def test_the_wall_clock_gives_at_least_once_on_any_store_only_where_folders_are_made_of_time():
    wallclock = dataclasses.replace(HOURLY, extractor=ExtractorKind.WALLCLOCK)
    assert guarantee(changed(partitioning=wallclock), atomic_create=True).startswith(
        "At least once: timestamp.extractor"
    )
    unused = dataclasses.replace(wallclock, kind=PartitionerKind.DEFAULT)
    assert guarantee(changed(partitioning=unused), atomic_create=True).startswith("Exactly once")


def test_what_is_left_out_on_purpose_is_said():
    config = changed(
        errors=ErrorHandling(tolerate_all=True, dead_letter_topic="dead"),
        null_values=NullValues.IGNORE,
        archive_envelope=False,
    )
    said = guarantee(config, atomic_create=True)
    assert "go to dead" in said
    assert "Tombstones are left out" in said
    assert "can't be restored" in said


def test_a_fingerprint_is_eight_digits_and_always_the_same():
    assert layout_fingerprint(CONFIG) == layout_fingerprint(changed())
    assert len(layout_fingerprint(CONFIG)) == 8
    int(layout_fingerprint(CONFIG), 16)


@pytest.mark.parametrize(
    "changes",
    [
        {"partitioning": HOURLY},
        {"partitioning": Partitioning(kind=PartitionerKind.FIELD, fields=("a",))},
        {"encoding": Encoding(kind=FormatKind.AVRO)},
        {"encoding": Encoding(codec="snappy")},
        {"naming": Naming(topics_dir="other")},
        {"naming": Naming(file_delim="-")},
        {"naming": Naming(zero_pad_width=12)},
        {"archive_value": ArchiveValue.BOTH},
        {"archive_envelope": False},
        {"null_values": NullValues.IGNORE},
    ],
)
def test_what_decides_names_and_membership_changes_the_fingerprint(changes):
    assert layout_fingerprint(changed(**changes)) != layout_fingerprint(CONFIG)


@pytest.mark.parametrize(
    "changes",
    [
        {"rotation": Rotation(flush_size=5, age_ms=None)},
        {"name": "other"},
        {"consumer": {"a": "b"}},
        {"memory_bytes_max": 1},
        {"exactly_once": ExactlyOnce.REQUIRED},
        {"encoding": Encoding(level=9)},
        {"encoding": Encoding(raw_extension=".x")},
        {"partitioning": Partitioning(timezone="Europe/Berlin", timestamp_field="x", fields=("unused",))},
        {"archive_options": {"region": "x"}},
    ],
)
def test_what_does_not_decide_them_leaves_the_fingerprint_alone(changes):
    assert layout_fingerprint(changed(**changes)) == layout_fingerprint(CONFIG)


@pytest.mark.parametrize(
    "changes",
    [
        {"path_format": "yyyyMM"},
        {"duration_ms": 5},
        {"timezone": "Europe/Berlin"},
        {"extractor": ExtractorKind.WALLCLOCK},
    ],
)
def test_each_part_of_a_path_of_time_is_in_the_fingerprint(changes):
    hourly = changed(partitioning=HOURLY)
    other = changed(partitioning=dataclasses.replace(HOURLY, **changes))
    assert layout_fingerprint(hourly) != layout_fingerprint(other)


@pytest.mark.parametrize("atomic_create", [True, None])
def test_webdav_is_told_to_be_as_atomic_as_its_server(atomic_create):
    said = guarantee(changed(archive_url="webdav+https://host/a"), atomic_create=atomic_create)
    assert said.startswith("Exactly once")
    assert "as atomic as its MOVE" in said
    assert "MOVE" not in guarantee(CONFIG, atomic_create=atomic_create)
    assert "MOVE" not in guarantee(changed(archive_url="webdav+https://host/a"), atomic_create=False)
