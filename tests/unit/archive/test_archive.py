"""Archives are found, listed, summed, indexed and read without opening what need not be opened."""

import hashlib
import json

import pytest

from streamsink.archive.inspect import find_object, inspect_object
from streamsink.archive.listing import list_objects, sum_up
from streamsink.archive.open import open_archive
from streamsink.archive.reindex import reindex
from streamsink.archive.rows import json_lines
from streamsink.archive.sums import checksums
from streamsink.archive.verify import verify_archive
from streamsink.config.sink import Naming
from streamsink.errors import TerminalError
from streamsink.upload.manifest import FOLDER, read_manifest
from tests.unit.archive.made import encoding, put, topics_of


def test_objects_named_with_other_delimiters_are_found_by_the_manifest(root, store):
    naming = Naming(directory_delim="--", file_delim="_")
    described = put(store, range(10), naming=naming)
    assert described.name == "topics--logs--partition=0--logs_0_0000000000.zstd.parquet"
    for place in (str(root), str(root / described.name)):
        (entry,) = open_archive(place, {}).objects()
        assert (entry.name, entry.parsed.topic, entry.parsed.encoded_partition) == (
            described.name,
            "logs",
            "partition=0",
        )
    (root / described.name).write_bytes(b"short")
    (corrupt,) = verify_archive(open_archive(str(root), {})).corrupt
    assert corrupt.name == described.name


def test_an_archive_without_its_own_folder_is_read_all_the_same(root, store):
    put(store, range(10), manifest=False)
    (one,) = list_objects(topics_of(root))
    assert one.description is not None
    assert one.description.last_offset == 9


def test_what_is_no_object_is_passed_over(root, store):
    put(store, range(10))
    (root / "topics" / "logs" / "README.txt").write_text("hello")
    store.create("topics/notes/2026.parquet", b"x", {})
    assert len(list(topics_of(root).objects())) == 1


def test_objects_are_summed_by_encoded_partition(root, store):
    put(store, range(10), encoded="day=1")
    put(store, range(10, 30), encoded="day=1", manifest=False)
    put(store, range(30, 35), encoded="day=2", encoding=encoding("jsonl", "none"))
    first, second = sum_up(list_objects(topics_of(root)))
    assert (first.encoded_partition, first.objects, first.records) == ("day=1", 2, 30)
    assert (first.first_offset, first.last_offset) == (0, 29)
    assert (second.records, second.timestamp_max_ms - second.timestamp_min_ms) == (5, 4)


def test_an_object_that_says_nothing_is_listed_with_the_reason(root, store):
    (root / put(store, range(10), manifest=False).name).write_bytes(b"nonsense")
    (one,) = list_objects(topics_of(root))
    assert one.description is None
    assert "can't be read" in one.problem
    assert sum_up([one])[0].unknown == 1


def test_a_manifest_entry_of_another_size_is_not_believed(root, store):
    described = put(store, range(10))
    (root / described.name).unlink()
    put(store, range(7), manifest=False)
    (one,) = list_objects(topics_of(root))
    assert one.description.record_count == 7


@pytest.mark.parametrize("algorithm", ["sha256", "md5"])
@pytest.mark.parametrize("manifest", [True, False])
def test_sums_are_of_the_objects_below_the_archive(root, store, algorithm, manifest):
    put(store, range(10), manifest=manifest)
    put(store, range(10), partition=1, encoding=encoding("raw", "none"), manifest=manifest)
    found = list(checksums(topics_of(root), algorithm))
    assert len(found) == 2
    for digest, path in found:
        assert hashlib.new(algorithm, (root / "topics" / path).read_bytes()).hexdigest() == digest


def test_sums_tell_what_an_object_was_when_it_was_written(root, store):
    described = put(store, range(10))
    path = root / described.name
    path.write_bytes(b"\0" * path.stat().st_size)
    assert list(checksums(topics_of(root))) == [(described.sha256, described.name.removeprefix("topics/"))]


@pytest.mark.parametrize("kind", [("parquet", "zstd"), ("avro", "null"), ("jsonl", "none"), ("raw", "gzip")])
def test_a_rebuilt_manifest_is_what_the_sink_wrote(root, store, kind):
    described = [put(store, range(start, start + 10), encoding=encoding(*kind)) for start in (0, 10)]
    before = {entry.name: entry for entry in read_manifest(store)}
    for info in list(store.list(FOLDER)):
        store.delete(info.name)
    done = reindex(topics_of(root))
    assert (done.objects, done.left_out) == (2, [])
    assert {entry.name: entry for entry in read_manifest(store)} == before
    assert {entry.sha256 for entry in read_manifest(store)} == {one.sha256 for one in described}


def test_reindexing_never_forgets_an_object_that_is_gone(root, store):
    gone = put(store, range(10))
    put(store, range(10, 20))
    (root / gone.name).unlink()
    path = gone.name.removeprefix("topics/")
    for _ in range(2):
        done = reindex(topics_of(root))
        assert (done.gone, done.clean) == ([path], False)
        assert verify_archive(topics_of(root)).missing == [path]


def test_an_accepted_loss_is_listed_as_a_loss_and_what_it_was_stays_recorded(root, store):
    gone, hurt, kept = put(store, range(10)), put(store, range(10, 20)), put(store, range(20, 30))
    (root / gone.name).unlink()
    (root / hurt.name).write_bytes(b"nonsense")
    paths = [one.name.removeprefix("topics/") for one in (gone, hurt)]
    done = reindex(topics_of(root), accept=True)
    assert (done.accepted, done.clean, done.objects) == (paths, True, 1)
    verdict = verify_archive(topics_of(root))
    assert (verdict.sound, verdict.lost, verdict.records) == (True, paths, 10)
    assert reindex(topics_of(root)).clean
    assert [entry.name for entry in read_manifest(store)] == [kept.name]
    record = json.loads(store.get("_streamsink/loss/topics/logs/1.json"))
    assert [(one["name"], one["was"][0]["last_offset"]) for one in record["objects"]] == [
        (gone.name, 9),
        (hurt.name, 19),
    ]


def test_a_loss_that_was_accepted_does_not_cover_what_happens_next(root, store):
    hurt = put(store, range(10))
    (root / hurt.name).write_bytes(b"nonsense")
    reindex(topics_of(root), accept=True)
    (root / hurt.name).write_bytes(b"other nonsense")
    assert not verify_archive(topics_of(root)).sound


def test_another_whole_object_in_the_place_of_the_stored_one_is_only_known_once_that_is_accepted(root, store):
    was = put(store, range(10), value=b"was")
    (root / was.name).unlink()
    put(store, range(10), value=b"is", manifest=False)
    assert reindex(topics_of(root)).differs[0][0] == was.name.removeprefix("topics/")
    assert not verify_archive(topics_of(root)).sound
    assert reindex(topics_of(root), accept=True).added == 1
    assert verify_archive(topics_of(root)).sound
    assert json.loads(store.get("_streamsink/loss/topics/logs/1.json"))["objects"][0]["was"][0]["sha256"] == was.sha256


def test_an_object_that_came_back_is_no_loss_any_more(root, store):
    gone = put(store, range(10))
    put(store, range(10, 20))
    data = (root / gone.name).read_bytes()
    (root / gone.name).unlink()
    reindex(topics_of(root), accept=True)
    (root / gone.name).write_bytes(data)
    assert reindex(topics_of(root)).added == 1
    verdict = verify_archive(topics_of(root))
    assert (verdict.sound, verdict.lost, verdict.unrecorded) == (True, [], [])


def test_reindexing_twice_changes_nothing(root, store):
    put(store, range(10))
    put(store, range(10, 20))
    reindex(topics_of(root))
    after = [info.name for info in store.list(FOLDER)]
    assert reindex(topics_of(root)).files_removed == 0
    assert [info.name for info in store.list(FOLDER)] == after


def test_reindexing_one_topic_leaves_the_others_alone(root, store):
    put(store, range(10))
    put(store, range(10), topic="other")
    reindex(open_archive(str(root / "topics" / "logs"), {}))
    assert {entry.topic for entry in read_manifest(store)} == {"logs", "other"}


def test_reindexing_names_what_it_can_not_describe(root, store):
    (root / put(store, range(10)).name).write_bytes(b"nonsense")
    done = reindex(topics_of(root))
    assert done.objects == 0
    assert done.differs[0][0] == "logs/partition=0/logs+0+0000000000.zstd.parquet"


@pytest.mark.parametrize("kind", [("parquet", "zstd"), ("avro", "null"), ("jsonl", "none"), ("raw", "gzip")])
def test_rows_come_in_offset_order_up_to_a_limit(root, store, kind):
    put(store, range(10, 20), encoding=encoding(*kind))
    put(store, range(10), encoding=encoding(*kind))
    rows = [json.loads(line) for line in b"".join(json_lines(topics_of(root), limit=15)).splitlines()]
    assert [row["_kafka"]["offset"] for row in rows] == list(range(15))
    assert rows[0]["value"] == "c2FtZQ=="


def test_rows_show_text_where_bytes_are_text(root, store):
    put(store, range(2))
    row = json.loads(next(iter(json_lines(topics_of(root), text=True))).splitlines()[0])
    assert (row["value"], row["_kafka"]["key"]) == ("same", "key-0")


def test_an_object_is_looked_into_by_either_of_its_names(root, store):
    described = put(store, range(10))
    put(store, range(10, 20))
    archive = topics_of(root)
    for name in (described.name, described.name.removeprefix("topics/")):
        found = inspect_object(archive, find_object(archive, name))
        assert found.sha256 == described.sha256
        assert [column[0] for column in found.columns] == ["_kafka", "value"]
        assert [group.records for group in found.row_groups] == [10]
        assert json.loads(found.first_rows[0])["_kafka"]["offset"] == 0
    with pytest.raises(TerminalError, match="2 objects"):
        find_object(archive, "")
    with pytest.raises(TerminalError, match="no object x"):
        find_object(archive, "x")
