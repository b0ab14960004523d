import pytest

from streamsink.archive.open import open_archive, parse_options, place_for
from streamsink.archive.rows import json_lines
from streamsink.errors import ConfigError, TerminalError
from tests.unit.archive.made import put


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


def test_options_are_key_and_value():
    assert parse_options(["region=eu", "archive.option.endpoint=http://x?a=b"]) == {
        "region": "eu",
        "endpoint": "http://x?a=b",
    }
    with pytest.raises(ConfigError, match="KEY=VALUE"):
        parse_options(["region"])


def test_a_new_place_is_no_part_of_an_archive_above_it_and_one_that_is_there_keeps_its_root(tmp_path):
    (tmp_path / "_streamsink").mkdir()
    (tmp_path / "mine").mkdir()
    assert place_for(str(tmp_path / "mine" / "topics"), {}) == ((tmp_path / "mine").as_uri(), "topics")
    (tmp_path / "mine" / "topics").mkdir()
    assert place_for(str(tmp_path / "mine" / "topics"), {}) == (tmp_path.as_uri(), "mine/topics")
    assert place_for(str(tmp_path), {}) == (tmp_path.as_uri(), "topics")
    assert place_for("memory://new-place-for/a/b", {}) == ("memory://new-place-for/a", "b")
