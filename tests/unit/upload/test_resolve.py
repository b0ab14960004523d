"""What a create came to, on real local files."""

import errno
import hashlib
import os

import pytest

from streamsink.errors import AlreadyExistsError, ConfigError, TerminalError, TransientError
from streamsink.sink.uploads import read_description
from streamsink.upload.local import LocalStore
from streamsink.upload.manifest import FOLDER, manifest_name, read_manifest, read_manifest_files, write_manifest
from streamsink.upload.memory import MemoryStore
from streamsink.upload.open import open_store
from streamsink.upload.resolve import Conflict, Stored, store_object
from streamsink.upload.sidecar import write_sidecars
from tests.unit.archive.made import unread
from tests.unit.upload.test_naming import describe


def sealed(data, **changes):
    digest = hashlib.sha256(data).hexdigest()
    return describe(**changes).sealed(sha256=digest, md5="00" * 16, size_bytes=len(data))


def store_it(store, description, data):
    return store_object(store, description, memoryview(data), read_description=read_description)


@pytest.mark.parametrize("kind", ["memory", "local"])
def test_a_lost_reply_is_found_to_be_our_own(kind, tmp_path, unique):
    store = MemoryStore(unique) if kind == "memory" else LocalStore(tmp_path)
    description = sealed(b"ours")
    write_sidecars(store, description, None, describe=True, read_content=unread)
    assert store_it(store, description, b"ours") == Stored()
    assert store_it(store, description, b"ours") == Stored(earlier=True)


def test_another_writers_object_is_a_conflict_by_its_metadata(unique):
    store = MemoryStore(unique)
    theirs = sealed(b"theirs", last_offset=40, writer="other")
    store_it(store, theirs, b"theirs")
    assert store_it(store, sealed(b"ours"), b"ours") == Conflict(theirs)


def test_another_writers_object_is_a_conflict_by_its_sidecar_where_there_is_no_metadata(tmp_path):
    store = LocalStore(tmp_path)
    theirs = sealed(b"theirs", last_offset=40, writer="other")
    write_sidecars(store, theirs, None, describe=True, read_content=unread)
    store_it(store, theirs, b"theirs")
    assert store_it(store, sealed(b"ours"), b"ours") == Conflict(theirs)


@pytest.mark.parametrize("kind", ["memory", "local"])
def test_equal_bytes_that_cover_fewer_records_are_a_conflict(kind, tmp_path, unique):
    store = MemoryStore(unique) if kind == "memory" else LocalStore(tmp_path)
    theirs = sealed(b"same", last_offset=7, writer="other")
    write_sidecars(store, theirs, None, describe=True, read_content=unread)
    store_it(store, theirs, b"same")
    assert store_it(store, sealed(b"same"), b"same") == Conflict(theirs)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"lane": "city=Zürich%2F1#7"}, "another lane"),
        ({"topic": "others"}, "another topic"),
        ({"partition": 2}, "another partition"),
        ({"first_offset": 4}, "another first offset"),
    ],
)
def test_an_object_that_covers_something_else_is_never_adopted(change, told, unique):
    store = MemoryStore(unique)
    store_it(store, sealed(b"theirs", **change), b"theirs")
    with pytest.raises(TerminalError, match=told) as refused:
        store_it(store, sealed(b"ours"), b"ours")
    assert "topics.dir" in refused.value.hint


def test_an_object_nobody_can_explain_stops_the_task_in_words(tmp_path):
    store = LocalStore(tmp_path)
    store.create(describe().name, b"somebody's", {})
    with pytest.raises(TerminalError, match="nothing says what it holds"):
        store_it(store, sealed(b"ours"), b"ours")


def test_a_conflict_with_nothing_there_is_tried_again(unique):
    class Busy(MemoryStore):
        def create(self, name, data, metadata):
            raise AlreadyExistsError("409")

    with pytest.raises(TransientError, match="no such object exists"):
        store_it(Busy(unique), sealed(b"ours"), b"ours")


def test_a_folder_that_is_a_file_says_so(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(TerminalError, match="where a folder is needed"):
        LocalStore(tmp_path / "taken").create("x", b"", {})


def test_a_half_written_file_is_never_listed(tmp_path, monkeypatch):
    store = LocalStore(tmp_path)

    def no_link(*_):
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(os, "link", no_link)
    with pytest.raises(TransientError):
        store.create("a/b", b"data", {})
    assert list(store.list()) == []
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_manifests_are_read_back_and_writing_one_twice_changes_nothing(unique):
    store = MemoryStore(unique)
    entries = [sealed(b"b", first_offset=9, last_offset=12), sealed(b"a")]
    write_manifest(store, entries)
    write_manifest(store, entries)
    assert list(read_manifest(store)) == [entries[1], entries[0]]
    assert list(read_manifest(store, "logs")) == [entries[1], entries[0]]
    assert list(read_manifest(store, "others")) == []


@pytest.mark.parametrize(
    ("url", "options", "told"),
    [
        ("ftp://x", {}, "unknown kind of store"),
        ("file:///tmp", {"region": "x"}, "unknown for this kind of store"),
        ("s3://bucket", {"acces_key_id": "x"}, "is access_key_id meant"),
        ("file://host/path", {}, "three slashes"),
    ],
)
def test_urls_and_options_that_make_no_sense_are_refused_in_words(url, options, told):
    with pytest.raises(ConfigError, match=told):
        open_store(url, options)


def test_a_damaged_file_of_the_manifest_is_named_and_costs_only_its_own_entries(unique):
    store = MemoryStore(unique)
    entry = sealed(b"a")
    name = write_manifest(store, [entry])
    store.create(f"{FOLDER}/logs/0/more.jsonl", b"", {})
    store.create(name.replace(".jsonl", "0.jsonl"), store.get(name), {})
    content = b'{"name": "x"}\n'
    no_entry = manifest_name("logs", 0, 7, content)
    store.create(no_entry, content, {})
    assert list(read_manifest(store)) == [entry]
    problems = {file.name: file.problem for file in read_manifest_files(store) if file.problem}
    assert len(problems) == 3
    assert "no entry" in problems[no_entry]
