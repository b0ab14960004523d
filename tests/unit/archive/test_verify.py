"""Verification finds every kind of damage, and no damage where there is none."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Lock

import numpy as np
import pyarrow as pa
import pytest

from streamsink.archive.archive import Archive
from streamsink.archive.content import HOUR_MS
from streamsink.archive.open import open_archive
from streamsink.archive.verify import CHECKERS, CHUNK_OBJECTS, READ_OBJECTS, READERS, check_all, verify_archive
from streamsink.encode.parquet_read import BATCH_ROWS
from streamsink.record import ENVELOPE, TIMESTAMP_TYPE
from streamsink.upload.ahead import read_ahead
from streamsink.upload.local import LocalStore
from streamsink.upload.memory import MemoryStore
from tests.unit.archive.made import encoding, put, raw_rows

KINDS = [("parquet", "zstd"), ("avro", "snappy"), ("jsonl", "gzip"), ("raw", "none"), ("raw", "zstd")]


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "archive")


def verdict_of(tmp_path, **which):
    return verify_archive(open_archive((tmp_path / "archive" / "topics").as_uri(), {}), **which)


def path_of(tmp_path, described) -> Path:
    return tmp_path / "archive" / described.name


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


@pytest.mark.parametrize("manifest", [True, False])
@pytest.mark.parametrize(("kind", "codec"), KINDS)
def test_a_whole_archive_is_sound_with_and_without_its_manifest(tmp_path, store, kind, codec, manifest):
    for start in range(0, 300, 100):
        put(store, range(start, start + 100), encoding=encoding(kind, codec), manifest=manifest)
    verdict = verdict_of(tmp_path)
    assert verdict.corrupt == []
    assert verdict.sound
    assert (verdict.objects, verdict.records) == (3, 300)
    tiling = verdict.partitions[0].tiling
    assert (tiling.first_offset, tiling.last_offset, tiling.hole_count) == (0, 299, 0)


@pytest.mark.parametrize(("kind", "codec"), KINDS)
def test_a_flipped_byte_is_found_wherever_it_is(tmp_path, store, kind, codec):
    put(store, range(100), encoding=encoding(kind, codec))
    hurt = put(store, range(100, 200), encoding=encoding(kind, codec))
    path = path_of(tmp_path, hurt)
    whole = path.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 7)):
        path.write_bytes(whole)
        flip(path, at)
        verdict = verdict_of(tmp_path)
        assert [corrupt.name for corrupt in verdict.corrupt] == [hurt.name], at
        assert not verdict.sound


@pytest.mark.parametrize(("kind", "codec"), KINDS)
def test_a_flipped_byte_among_the_rows_is_found_without_the_manifest(tmp_path, store, kind, codec):
    hurt = path_of(tmp_path, put(store, range(100), encoding=encoding(kind, codec), manifest=False))
    # A Parquet file begins with pages, an Avro file ends with blocks; the other kinds are rows alone.
    flip(hurt, -60 if kind == "avro" else 12)
    assert [corrupt.path for corrupt in verdict_of(tmp_path).corrupt] == [f"logs/partition=0/{hurt.name}"]


@pytest.mark.parametrize(("kind", "codec"), KINDS)
def test_a_cut_object_is_found(tmp_path, store, kind, codec):
    hurt = put(store, range(100), encoding=encoding(kind, codec))
    path = path_of(tmp_path, hurt)
    path.write_bytes(path.read_bytes()[:-20])
    assert [corrupt.name for corrupt in verdict_of(tmp_path).corrupt] == [hurt.name]


def test_an_emptied_object_is_found(tmp_path, store):
    hurt = put(store, range(100))
    path_of(tmp_path, hurt).write_bytes(b"")
    assert [corrupt.path for corrupt in verdict_of(tmp_path).corrupt] == [hurt.name.removeprefix("topics/")]


def test_a_missing_object_is_a_hole_and_named_where_the_manifest_knows_it(tmp_path, store):
    put(store, range(100))
    gone = put(store, range(100, 150))
    put(store, range(150, 200))
    path_of(tmp_path, gone).unlink()
    verdict = verdict_of(tmp_path)
    assert verdict.partitions[0].tiling.holes == [(100, 149)]
    assert verdict.missing == [gone.name.removeprefix("topics/")]
    assert not verdict.sound


def test_a_hole_that_no_manifest_knows_is_listed_and_no_failure(tmp_path, store):
    put(store, [0, 1, 2, 7, 8])
    put(store, [20, 21])
    verdict = verdict_of(tmp_path)
    assert verdict.partitions[0].tiling.holes == [(3, 6), (9, 19)]
    assert verdict.sound


def test_an_offset_in_two_objects_is_a_failure(tmp_path, store):
    put(store, range(100))
    put(store, range(90, 120))
    verdict = verdict_of(tmp_path)
    overlap = verdict.partitions[0].tiling.overlaps[0]
    assert (overlap.first_offset, overlap.last_offset) == (90, 99)
    assert verdict.corrupt == []
    assert not verdict.sound


def test_encoded_partitions_that_interleave_are_sound(tmp_path, store):
    put(store, range(0, 100, 2), encoded="kind=even")
    put(store, range(1, 100, 2), encoded="kind=odd")
    verdict = verdict_of(tmp_path)
    assert verdict.sound
    assert verdict.partitions[0].tiling.hole_count == 0


def test_partitions_are_told_apart(tmp_path, store):
    put(store, range(10), partition=0)
    put(store, range(10), partition=1)
    put(store, range(5), topic="other")
    verdict = verdict_of(tmp_path)
    assert [(one.topic, one.partition, one.records) for one in verdict.partitions] == [
        ("logs", 0, 10),
        ("logs", 1, 10),
        ("other", 0, 5),
    ]
    assert verdict_of(tmp_path, topic="logs", partition=1).records == 10


@pytest.mark.parametrize("claim", [(0, 120), (3, 99)])
@pytest.mark.parametrize(("kind", "codec"), KINDS)
def test_an_object_that_says_another_range_than_it_has_is_corrupt(tmp_path, store, kind, codec, claim):
    put(store, range(100), encoding=encoding(kind, codec), claim=claim)
    problems = verdict_of(tmp_path).corrupt[0].problems
    assert any("0..99" in problem for problem in problems)


def test_a_name_that_says_another_start_is_corrupt(tmp_path, store):
    moved = path_of(tmp_path, put(store, range(100), manifest=False))
    moved.rename(moved.with_name(moved.name.replace("0000000000", "0000000007")))
    assert "its name 7" in str(verdict_of(tmp_path).corrupt[0].problems)


def test_offsets_that_do_not_ascend_are_corrupt(tmp_path, store):
    put(store, [0, 2, 1, 3])
    assert "its offsets don't ascend" in verdict_of(tmp_path).corrupt[0].problems


def test_equal_values_in_raw_objects_keep_their_own_offsets(tmp_path, store):
    for start in (0, 10, 20):
        put(store, range(start, start + 10), encoding=encoding("raw", "none"))
    assert verdict_of(tmp_path).sound


def test_a_store_with_metadata_needs_neither_manifest_nor_sidecar_to_describe_its_objects():
    store = MemoryStore("verify-metadata")
    put(store, range(50), encoding=encoding("raw", "gzip"), manifest=False)
    verdict = verify_archive(open_archive("memory://verify-metadata/topics", {}))
    assert verdict.sound
    assert verdict.records == 50


def test_rows_of_another_partition_are_found_wherever_they_are(tmp_path, store):
    count = 3 * BATCH_ROWS
    for hurt in (0, BATCH_ROWS + 5, count - 1):
        rows = raw_rows(range(count))
        partitions = np.zeros(count, np.int32)
        partitions[hurt] = 1
        envelope = rows.column(ENVELOPE)
        fields = [pa.array(partitions), *envelope.flatten()[1:]]
        rows = rows.set_column(0, rows.schema.field(0), pa.StructArray.from_arrays(fields, fields=list(envelope.type)))
        described = put(store, range(count), rows=rows)
        assert "rows of another partition" in str(verdict_of(tmp_path).corrupt[0].problems)
        path_of(tmp_path, described).unlink()


def test_records_without_an_offset_are_no_hole_but_a_fault(tmp_path, store):
    rows = raw_rows(range(4))
    envelope = rows.column(ENVELOPE)
    fields = [*envelope.flatten()[:1], pa.array([0, None, 2, 3], pa.int64()), *envelope.flatten()[2:]]
    of = [field.with_nullable(nullable=True) for field in envelope.type]
    told = pa.StructArray.from_arrays(fields, fields=of)
    schema = rows.schema.set(0, rows.schema.field(0).with_type(told.type))
    put(store, range(4), rows=pa.RecordBatch.from_arrays([told, rows.column(1)], schema=schema))
    assert verdict_of(tmp_path).corrupt[0].problems == ("1 of its records have no offset",)


def test_of_objects_that_are_checked_together_only_the_damaged_ones_are_named(tmp_path, store):
    stored = [put(store, range(start, start + 10)) for start in range(0, 1000, 10)]
    for at in range(0, 100, 10):
        path = path_of(tmp_path, stored[at])
        match at % 30:
            case 0:
                flip(path, 60)
            case 10:
                path.write_bytes(path.read_bytes()[:-20])
            case _:
                path.write_bytes(b"")
    verdict = verdict_of(tmp_path)
    assert [one.name for one in verdict.corrupt] == [stored[at].name for at in range(0, 100, 10)]
    tiling = verdict.partitions[0].tiling
    assert (verdict.records, tiling.hole_count, tiling.overlap_count) == (900, 9, 0)


def test_records_are_counted_by_hour_where_some_have_no_time(tmp_path, store):
    rows = raw_rows(range(4))
    envelope = rows.column(ENVELOPE)
    times = pa.array([None, 0, HOUR_MS - 1, HOUR_MS], pa.int64()).cast(TIMESTAMP_TYPE)
    fields = [*envelope.flatten()[:2], times, *envelope.flatten()[3:]]
    rows = rows.set_column(0, rows.schema.field(0), pa.StructArray.from_arrays(fields, fields=list(envelope.type)))
    put(store, range(4), rows=rows)
    checked = []
    verdict_of(tmp_path, checked=checked.append)
    assert [dict(one.hours) for one in checked] == [{0: 2, 1: 1}]


def test_more_small_objects_than_one_call_takes_are_checked_in_order(tmp_path, store):
    for start in range(0, 5000, 10):
        put(store, range(start, start + 10))
    checked = []
    verdict = verdict_of(tmp_path, checked=checked.append)
    assert [one.runs.first_offset for one in checked] == list(range(0, 5000, 10))
    assert (verdict.sound, verdict.partitions[0].tiling.hole_count) == (True, 0)


def test_a_check_that_is_given_up_reads_no_more_objects_than_those_in_work(monkeypatch):
    store = GatedStore("verify-given-up")
    # So many are read before the first chunk's result is taken, and the last chunk ends where another begins.
    first_read = (2 * CHECKERS + 1) * CHUNK_OBJECTS + READ_OBJECTS
    for start in range(0, 10 * (first_read + 10 * READERS), 10):
        put(store, range(start, start + 10), manifest=False)
    archive = Archive(store, "memory://verify-given-up", "topics/")
    entries = list(archive.objects())
    given = []
    monkeypatch.setattr(
        "streamsink.archive.verify.read_ahead",
        lambda *args, **named: given.append(named.get("ended")) or read_ahead(*args, **named),
    )
    store.free = {entry.name for entry in entries[:first_read]}
    checked = [check_all(archive, entries)]
    next(checked[0])
    with ThreadPoolExecutor(1) as pool:
        over = pool.submit(checked.clear)
        assert given[-1].wait(timeout=10)
        store.gate.set()
        over.result(timeout=10)
    assert store.reads <= len(store.free) + READERS


class GatedStore(MemoryStore):
    """Its reads wait at a gate, all but those of `free` names."""

    def __init__(self, name):
        super().__init__(name)
        self.gate, self.lock = Event(), Lock()
        self.free, self.reads = set(), 0

    def read(self, name):
        with self.lock:
            self.reads += 1
        if name not in self.free:
            assert self.gate.wait(timeout=10)
        return super().read(name)
