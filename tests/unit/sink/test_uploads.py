"""Uploads and manifests end as events, whatever becomes of them."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace

import pyarrow as pa
import pytest

from streamsink.clock import SYSTEM_CLOCK
from streamsink.config.sink import Encoding, FormatKind, Naming, Rotation
from streamsink.encode.formats import make_format
from streamsink.encode.protocol import EncodedFile
from streamsink.encode.read import open_object
from streamsink.errors import TerminalError, TransientError
from streamsink.record import TopicPartition
from streamsink.sink.core import events as on
from streamsink.sink.core.effects import Commit
from streamsink.sink.core.effects import Look as LookOrder
from streamsink.sink.look import Look
from streamsink.sink.uploads import ManifestWritten, StoredObject, Uploads, upload_threads
from streamsink.testing.clock import SimClock
from streamsink.testing.pool import SimPool
from streamsink.testing.store import SimStore, StoreFault
from streamsink.upload.description import ObjectDescription
from streamsink.upload.manifest import read_manifest, write_manifest
from streamsink.upload.sidecar import describe_by_sidecar, read_sidecar, sidecar_name
from tests.unit.archive.made import raw_rows

RAW_NAME = "topics/t/a/t+0+0000000001.bin"
COMMIT = Commit(TopicPartition("t", 0), 4, "")


def describe(data, *, last_offset=3, writer="me"):
    return ObjectDescription(
        "topics/t/a/t+0+0000000001.sim", "t", 0, "a", "a", 1, last_offset, 3, None, None, "A", writer,
        sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data),
    )  # fmt: skip


class Storing:
    """Uploads whose jobs a test runs."""

    def __init__(self):
        self.store, self.pool, self.clock = SimStore(), SimPool(), SimClock()
        look = Look(self.store, Naming(), "A")
        self.uploads = Uploads(self.store, self.pool, keeps_footer=True, clock=self.clock, look=look)

    def upload(self, fault=StoreFault.NONE, data=b"1|a|v1|0|5\n", **fields):
        self.begin(data, **fields)
        self.pool.run(0, self.store, fault)
        return self.uploads.outcomes()

    def begin(self, data=b"1|a|v1|0|5\n", **fields):
        encoded = EncodedFile(memoryview(data), hashlib.sha256(data).hexdigest(), "")
        self.uploads.upload(7, describe(data, **fields), encoded)


def test_a_stored_object_is_told_with_how_long_it_took():
    [outcome] = Storing().upload()
    assert isinstance(outcome, StoredObject)
    assert outcome.event == on.Uploaded(7)
    assert outcome.description.last_offset == 3


def test_an_object_whose_reply_was_lost_is_found_to_be_ours():
    storing = Storing()
    [failed] = storing.upload(StoreFault.AFTER)
    assert isinstance(failed, on.UploadFailed)
    [outcome] = storing.upload()
    assert outcome.event == on.Uploaded(7)


def test_another_writers_object_is_a_conflict_that_says_what_it_covers():
    storing = Storing()
    storing.upload(data=b"1|a|v1|0|5\n2|a|v1|0|5\n", last_offset=2, writer="other")
    [outcome] = storing.upload()
    assert outcome.event == on.Conflict(7, 2)
    assert outcome.description.writer == "other"


def lines_of(offsets, tombstones, writer):
    """A raw file of equal values, and what describes it."""
    rows = raw_rows(offsets)
    values = pa.array([None if offset in tombstones else b"same" for offset in offsets], pa.binary())
    rows = rows.set_column(1, "value", values)
    draft = replace(describe(b"", last_offset=offsets[-1], writer=writer), record_count=len(offsets), name=RAW_NAME)
    file = make_format(Encoding(kind=FormatKind.RAW, codec="none"), Rotation()).open(rows.schema, identity=RAW_NAME)
    file.append(rows)
    encoded = file.finish(draft.to_footer())
    return draft.sealed(sha256=encoded.sha256, md5=encoded.md5, size_bytes=len(encoded.data)), encoded


@pytest.mark.parametrize("object_stored", [False, True])
@pytest.mark.parametrize(
    ("theirs", "ours", "tombstones"),
    [([1, 2, 3], [1, 2], [3]), ([1, 2], [1, 2, 3], [3]), ([1, 2, 3], [1, 3], [2]), ([1, 3], [1, 2, 3], [2])],
)
def test_where_equal_bytes_hold_other_tombstones_the_first_sidecar_decides(theirs, ours, tombstones, object_stored):
    first, second = lines_of(theirs, tombstones, "other"), lines_of(ours, tombstones, "me")
    assert bytes(first[1].data) == bytes(second[1].data)
    storing = Storing()
    if object_stored:
        storing.uploads.upload(6, *first)
        storing.pool.run(0, storing.store, StoreFault.NONE)
        storing.uploads.outcomes()
    else:
        storing.store.create(sidecar_name(RAW_NAME, first[0].sha256), first[1].sidecar, {})
    storing.uploads.upload(7, *second)
    storing.pool.run(0, storing.store, StoreFault.NONE)
    [outcome] = storing.uploads.outcomes()
    assert outcome.event == on.Conflict(7, theirs[-1])
    info = storing.store.head(RAW_NAME)
    told = ObjectDescription.from_metadata(RAW_NAME, info.metadata, size_bytes=info.size_bytes)
    sidecar = read_sidecar(storing.store, RAW_NAME, first[0].sha256)
    rows = list(open_object(RAW_NAME, storing.store.get(RAW_NAME), sidecar).batches())
    offsets = [offset for batch in rows for offset in batch.column("_kafka").field("offset").to_pylist()]
    assert offsets == theirs
    for description in (told, outcome.description, describe_by_sidecar(storing.store, info)):
        assert (description.last_offset, description.record_count) == (theirs[-1], len(theirs))


@pytest.mark.parametrize(
    ("fault", "kind", "terminal"),
    [
        (StoreFault.BEFORE, TransientError, False),
        (StoreFault.BUSY, TransientError, False),
        (StoreFault.DENIED, TerminalError, True),
    ],
)
def test_a_failure_says_whether_trying_again_may_help(fault, kind, terminal):
    [outcome] = Storing().upload(fault)
    assert isinstance(outcome.error, kind)
    assert outcome.terminal is terminal


def test_an_exception_of_any_kind_reaches_the_task():
    storing = Storing()
    storing.store.create = None
    [outcome] = storing.upload()
    assert outcome.terminal
    assert isinstance(outcome.error, TypeError)


@pytest.mark.parametrize("fault", [StoreFault.NONE, StoreFault.BEFORE])
def test_a_manifest_that_can_not_be_written_is_told_and_holds_nothing_up(fault):
    storing = Storing()
    entries = [describe(b"x")]
    storing.uploads.write_manifest(COMMIT, entries)
    storing.pool.run(0, storing.store, fault)
    [written] = storing.uploads.outcomes()
    assert isinstance(written, ManifestWritten)
    assert (written.commit, written.entries) == (COMMIT, tuple(entries))
    assert (written.error is None) == (fault is StoreFault.NONE)


def test_an_object_that_was_deleted_and_comes_again_is_told_of_before_it_comes():
    storing, before, after = Storing(), b"1|a|v1|0|5\n", b"1|a|v1|0|6\n"
    write_manifest(storing.store, [describe(before)])
    storing.uploads.look(LookOrder(TopicPartition("t", 0), 1, 0))
    storing.pool.run(0, storing.store, StoreFault.NONE)
    created = []
    create = storing.store.create

    def noting(name, *rest):
        created.append(name)
        create(name, *rest)

    storing.store.create = noting
    storing.upload(data=after)
    assert [name.split("/")[0] for name in created] == ["_streamsink", "topics"]
    assert {entry.sha256 for entry in read_manifest(storing.store)} == {describe(d).sha256 for d in (before, after)}


def test_waiting_for_outcomes_takes_the_time_it_is_given_and_no_more():
    storing = Storing()
    began_s = storing.clock.monotonic_s()
    assert storing.uploads.outcomes(wait_s=0.5) == []
    assert storing.clock.monotonic_s() - began_s == 0.5


def test_an_upload_that_ends_wakes_the_task_that_waits_for_it():
    store = SimStore()
    release = threading.Event()
    create = store.create

    def create_later(*args):
        release.wait(10)
        create(*args)

    store.create = create_later
    uploads = Uploads(store, upload_threads(2), keeps_footer=True)
    data = b"1|a|v1|0|5\n"
    uploads.upload(1, describe(data), EncodedFile(memoryview(data), hashlib.sha256(data).hexdigest(), ""))
    threading.Timer(0.05, release.set).start()
    began_s = SYSTEM_CLOCK.monotonic_s()
    [outcome] = uploads.outcomes(wait_s=30.0)
    assert outcome.event == on.Uploaded(1)
    assert SYSTEM_CLOCK.monotonic_s() - began_s < 10.0
    uploads.close()


@pytest.mark.parametrize("fault", [StoreFault.NONE, StoreFault.BEFORE, StoreFault.DENIED])
def test_a_look_waits_for_an_upload_of_the_partition_that_still_runs(fault):
    storing = Storing()
    storing.begin()
    storing.uploads.look(LookOrder(COMMIT.topic_partition, 1, 0))
    storing.uploads.look(LookOrder(TopicPartition("t", 1), 2, 0))
    storing.pool.run(1, storing.store, StoreFault.NONE)
    assert [outcome.look_id for outcome in storing.uploads.outcomes()] == [2]
    storing.pool.run(0, storing.store, fault)
    assert len(storing.uploads.outcomes()) == 1
    storing.pool.run(0, storing.store, StoreFault.NONE)
    [looked] = storing.uploads.outcomes()
    assert looked.stored.last == (3 if fault is StoreFault.NONE else -1)


class Completing(Storing):
    """Uploads that make siblings."""

    def __init__(self, error=None):
        super().__init__()
        self.completed = []
        self.error = error
        look = Look(self.store, Naming(), "A", complete=self.complete)
        self.uploads = Uploads(
            self.store, self.pool, keeps_footer=True, clock=self.clock, look=look, complete=self.complete
        )

    def complete(self, store, about, sidecar=None):
        if self.error is not None:
            raise self.error
        self.completed.append((about.writer, about.last_offset, store.head(about.name) is not None))


def test_siblings_are_made_once_the_object_is_there():
    storing = Completing()
    [outcome] = storing.upload()
    assert (outcome.event, storing.completed) == (on.Uploaded(7), [("me", 3, True)])


def test_siblings_of_another_writers_object_are_made_before_its_records_are_taken_for_stored():
    storing = Completing()
    storing.upload(data=b"1|a|v1|0|5\n2|a|v1|0|5\n", last_offset=2, writer="other")
    [outcome] = storing.upload()
    assert (outcome.event, storing.completed[1:]) == (on.Conflict(7, 2), [("other", 2, True)])


def test_an_object_without_its_siblings_is_not_stored_yet():
    storing = Completing(TransientError("the store is away"))
    [outcome] = storing.upload()
    assert isinstance(outcome, on.UploadFailed)
    storing.error = None
    [outcome] = storing.upload()
    assert (outcome.event, storing.completed) == (on.Uploaded(7), [("me", 3, True)])


def test_siblings_of_objects_that_are_looked_for_are_made():
    storing = Completing()
    storing.upload()
    storing.completed.clear()
    storing.uploads.look(LookOrder(TopicPartition("t", 0), 1, 0))
    storing.pool.run(0, storing.store, StoreFault.NONE)
    storing.uploads.outcomes()
    assert storing.completed == [("me", 3, True)]
