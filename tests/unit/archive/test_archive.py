"""Archives are found, listed, summed, indexed and read without opening what need not be opened."""

import hashlib
import json

import pytest

from streamsink.archive.archive import open_archive, parse_options
from streamsink.archive.inspect import find_object, inspect_object
from streamsink.archive.listing import list_objects, sum_up
from streamsink.archive.reindex import reindex
from streamsink.archive.rows import json_lines
from streamsink.archive.sums import checksums
from streamsink.archive.verify import verify_archive
from streamsink.config.sink import Naming
from streamsink.errors import ConfigError, TerminalError
from streamsink.upload.local import LocalStore
from streamsink.upload.manifest import FOLDER, read_manifest
from tests.unit.archive.made import encoding, put


@pytest.fixture
def root(tmp_path):
    return tmp_path / "archive"


@pytest.fixture
def store(root):
    return LocalStore(root)


def topics_of(root):
    return open_archive((root / "topics").as_uri(), {})


def test_nothing_at_a_place_is_said_and_nothing_is_made_there(tmp_path):
    with pytest.raises(TerminalError, match="no archive"):
        open_archive((tmp_path / "nowhere").as_uri(), {})
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("below", ["", "topics", "topics/logs", "topics/logs/partition=0"])
def test_an_archive_is_found_from_any_folder_of_it(root, store, below):
    put(store, range(10))
    archive = open_archive(str(root / below), {})
    (entry,) = archive.objects()
    assert entry.recorded is not None
    assert (root / below / entry.path).is_file()


def test_a_single_object_is_an_archive_of_one(root, store):
    described = put(store, range(10))
    put(store, range(10, 20))
    archive = open_archive((root / described.name).as_uri(), {})
    assert [entry.path for entry in archive.objects()] == ["logs+0+0000000000.zstd.parquet"]
    assert len(b"".join(json_lines(archive)).splitlines()) == 10


def test_a_single_file_that_is_no_object_is_said(tmp_path):
    (tmp_path / "notes.txt").write_text("no object")
    with pytest.raises(TerminalError, match="is no archived object"):
        open_archive(str(tmp_path / "notes.txt"), {})


@pytest.mark.parametrize("location", ["", " ", "s3://[bucket", "file://srv/archive"])
def test_what_can_be_no_place_is_wrong_usage(location):
    with pytest.raises(ConfigError, match="ARCHIVE"):
        open_archive(location, {})


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


def test_reindexing_forgets_objects_that_are_gone(root, store):
    gone = put(store, range(10))
    put(store, range(10, 20))
    (root / gone.name).unlink()
    assert not verify_archive(topics_of(root)).sound
    assert reindex(topics_of(root)).files_removed == 1
    assert verify_archive(topics_of(root)).sound


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
    assert done.left_out[0][0] == "logs/partition=0/logs+0+0000000000.zstd.parquet"


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


def test_options_are_key_and_value():
    assert parse_options(["region=eu", "archive.option.endpoint=http://x?a=b"]) == {
        "region": "eu",
        "endpoint": "http://x?a=b",
    }
    with pytest.raises(ConfigError, match="KEY=VALUE"):
        parse_options(["region"])
