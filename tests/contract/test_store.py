"""The store contract (`streamsink/upload/protocol.py`), clause by clause, on every kind of store."""

import hashlib
import json
import random
import socket
import string
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from streamsink.errors import AlreadyExistsError, ObjectMissingError, TerminalError, TransientError
from streamsink.sink.uploads import read_description
from streamsink.upload.description import ObjectDescription
from streamsink.upload.open import open_store
from streamsink.upload.probe import probe_create
from streamsink.upload.protocol import has_any
from streamsink.upload.resolve import Conflict, Stored, store_object
from streamsink.upload.sidecar import write_sidecars
from tests.unit.archive.made import unread

WRITERS = 32


def describe(data, **changes):
    values = {
        "name": "topics/logs/partition=0/logs+0+0000000005.bin",
        "topic": "logs",
        "partition": 0,
        "encoded_partition": "partition=0",
        "lane": "partition=0",
        "first_offset": 5,
        "last_offset": 9,
        "record_count": 4,
        "timestamp_min_ms": 1,
        "timestamp_max_ms": 2,
        "layout": "9f2c",
        "writer": "sink-0-abc",
    }
    described = ObjectDescription(**{**values, **changes})
    md5 = hashlib.md5(data).hexdigest()
    return described.sealed(sha256=hashlib.sha256(data).hexdigest(), md5=md5, size_bytes=len(data))


def names(store, prefix=""):
    return [info.name for info in store.list(prefix)]


def test_what_was_created_is_read_back_whole(store):
    data = random.Random(1).randbytes(3_000_000)
    store.create("a/b.bin", data, {})
    assert store.get("a/b.bin") == data
    assert store.head("a/b.bin").size_bytes == len(data)


def test_a_view_of_bytes_is_written_as_bytes_are(store):
    store.create("view", memoryview(bytearray(b"_rows_"))[1:5], {})
    assert store.get("view") == b"rows"


def test_an_empty_object_is_an_object(store):
    store.create("empty", b"", {})
    assert store.get("empty") == b""
    assert store.head("empty").size_bytes == 0


def test_a_second_create_conflicts_and_changes_nothing(store, open_it):
    store.create("once", b"first", {"streamsink-writer": "one"})
    with pytest.raises(AlreadyExistsError):
        store.create("once", b"second", {"streamsink-writer": "two"})
    with pytest.raises(AlreadyExistsError):
        open_it().create("once", b"third, longer", {})
    assert store.get("once") == b"first"


def test_a_conflict_tells_what_the_existing_object_covers(store, open_it):
    theirs, ours = describe(b"theirs", last_offset=77, writer="other"), describe(b"ours, longer", writer="us")
    for described, data in ((theirs, b"theirs"), (ours, b"ours, longer")):
        # As the sink does where neither bytes nor store keep it.
        write_sidecars(store, described, None, describe=not store.keeps_metadata, read_content=unread)
        result = store_object(store, described, memoryview(data), read_description=read_description)
    assert isinstance(result, Conflict)
    assert (result.existing.last_offset, result.existing.writer) == (77, "other")
    assert open_it().get(ours.name) == b"theirs"


def test_a_reply_lost_after_the_write_is_resolved_by_looking(store):
    class LosesReplies:
        def __init__(self):
            self.lost = 0

        def __getattr__(self, name):
            return getattr(store, name)

        def create(self, name, data, metadata):
            store.create(name, data, metadata)
            self.lost += 1
            raise TransientError("told to fail")

    described, losing = describe(b"rows"), LosesReplies()
    write_sidecars(store, described, None, describe=not store.keeps_metadata, read_content=unread)
    with pytest.raises(TransientError):
        store_object(losing, described, memoryview(b"rows"), read_description=read_description)
    again = store_object(losing, described, memoryview(b"rows"), read_description=read_description)
    assert again == Stored(earlier=True)
    assert losing.lost == 1


WRITE_UNTIL_KILLED = """
import json, sys
from streamsink.upload.open import open_store
store = open_store(sys.argv[1], json.loads(sys.argv[2]))
store.create("kill/warm", b"warm", {})
print("ready", flush=True)
for number in range(1000):
    store.create(f"kill/{number}", bytes(%d), {})
"""


def test_cancellation_leaves_nothing_behind(kind, place, store):
    if kind == "memory":
        return  # it ends with its process
    size_bytes = 8_000_000
    argv = [sys.executable, "-c", WRITE_UNTIL_KILLED % size_bytes, place[0], json.dumps(dict(place[1]))]
    child = subprocess.Popen(argv, stdout=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"ready\n"
        time.sleep(random.Random(kind).uniform(0.05, 0.3))
    finally:
        child.kill()
        child.wait(30)
        child.stdout.close()
    for info in store.list("kill/"):
        assert info.size_bytes == (4 if info.name == "kill/warm" else size_bytes)
        assert len(store.get(info.name)) == info.size_bytes


def test_timeouts_bound_every_call(backend):
    if backend.at is None:
        return  # no network to wait for
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        url, options = backend.at(silent.getsockname()[1])
        store = open_store(url, {**options, "timeout_s": "0.3"})

        def ended(call):
            began = time.monotonic()
            with pytest.raises(TransientError) as late:
                call()
            assert late.value.hint
            return time.monotonic() - began

        calls = [
            lambda: store.create("a/b", b"x", {}),
            lambda: store.get("a/b"),
            lambda: store.get_range("a/b", 1, 2),
            lambda: store.head("a/b"),
            lambda: list(store.list("a/")),
            lambda: store.delete("a/b"),
        ]
        with ThreadPoolExecutor(len(calls)) as pool:
            assert max(pool.map(ended, calls)) < 10
        store.close()


def test_create_is_atomic_under_a_race_of_32_writers(backend, open_it):
    stores = [open_it() for _ in range(WRITERS)]
    gate = threading.Barrier(WRITERS)

    def write(number):
        gate.wait(timeout=30)
        try:
            stores[number].create("deep/er/contended", f"writer {number}".encode() * 1000, {})
        except AlreadyExistsError:
            return None
        return number

    for _ in range(backend.race_rounds):
        with ThreadPoolExecutor(WRITERS) as pool:
            won = [number for number in pool.map(write, range(WRITERS)) if number is not None]
        assert len(won) == 1
        assert stores[0].get("deep/er/contended") == f"writer {won[0]}".encode() * 1000
        stores[0].delete("deep/er/contended")


def test_a_name_is_absent_or_whole_while_it_is_written(open_it):
    store, reader, size_bytes = open_it(), open_it(), 4_000_000
    seen, done = set(), threading.Event()

    def watch():
        while not done.is_set():
            for number in range(5):
                info = reader.head(f"whole/{number}")
                seen.add(info and info.size_bytes)
            seen.update(info.size_bytes for info in reader.list("whole/"))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for number in range(5):
            store.create(f"whole/{number}", bytes(size_bytes), {})
    finally:
        done.set()
        watcher.join(timeout=60)
    assert seen <= {None, size_bytes}


def test_a_store_opened_anew_finds_what_was_stored(store, open_it):
    store.create("kept", b"rows", {})
    store.close()
    assert open_it().get("kept") == b"rows"


def test_listing_is_complete_past_a_thousand_names_and_in_order(store):
    expected = {f"t/partition={number % 7}/t+{number % 7}+{number:010d}.avro" for number in range(1100)}
    expected |= {f"t/partition=0-{number}/x" for number in range(10)}
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda name: store.create(name, b"x", {}), expected))
    assert names(store) == sorted(expected)
    assert names(store, "t/partition=3/") == sorted(name for name in expected if name.startswith("t/partition=3/"))


def test_listing_orders_whole_names_not_folders(store):
    created = ["a/b", "a-b", "a.b", "a0", "a/b-c", "a/b0/c", "a!"]
    for name in created:
        store.create(name, name.encode(), {})
    assert names(store) == sorted(created)


def test_listing_takes_a_prefix_that_ends_within_a_part(store):
    for name in ("logs/a", "logs/ab/c", "logs/b", "log", "logs2/a"):
        store.create(name, b"12", {})
    assert names(store, "logs/a") == ["logs/a", "logs/ab/c"]
    assert names(store, "log") == ["log", "logs/a", "logs/ab/c", "logs/b", "logs2/a"]
    assert names(store, "logs/ab/") == ["logs/ab/c"]
    assert names(store, "none/") == []
    assert [info.size_bytes for info in store.list("logs/b")] == [2]


def test_an_empty_store_lists_nothing(store):
    assert names(store) == []


def test_whether_there_is_any_object_is_what_the_listing_says(store):
    assert not has_any(store, "")
    store.create("logs/ab/c", b"12", {})
    prefixes = ["", "log", "logs/a", "logs/ab/", "logs/b", "logs/ab/c", "logs/ab/cd", "none/"]
    assert {prefix: has_any(store, prefix) for prefix in prefixes} == {
        prefix: bool(names(store, prefix)) for prefix in prefixes
    }


def test_ranges_are_read_from_the_start_and_from_the_end(store):
    store.create("range", b"0123456789", {})
    assert store.get_range("range", 0, 3) == b"012"
    assert store.get_range("range", 7, 3) == b"789"
    assert store.get_range("range", -4, 4) == b"6789"
    assert store.get_range("range", -4, 2) == b"67"


def test_ranges_past_an_end_give_what_there_is(store):
    store.create("range416", b"0123456789", {})
    assert store.get_range("range416", 8, 100) == b"89"
    assert store.get_range("range416", -100, 3) == b"012"
    assert store.get_range("range416", 10, 1) == b""
    assert store.get_range("range416", 0, 0) == b""


def test_metadata_come_back_where_the_store_keeps_them(store):
    described = ObjectDescription(
        name="t/größe= a%2Fb /t+0+7",
        topic="t",
        partition=0,
        encoded_partition="größe= a%2Fb ",
        lane="größe= a%2Fb #日本",
        first_offset=7,
        last_offset=900,
        record_count=12,
        timestamp_min_ms=-5,
        timestamp_max_ms=None,
        layout="9f2c",
        writer="süd  sink\n-0",
        reason="age",
        sha256="ab" * 32,
        md5="cd" * 16,
        size_bytes=4,
    )
    store.create(described.name, b"rows", described.to_metadata())
    info = store.head(described.name)
    if not store.keeps_metadata:
        assert info.metadata == {}
        return
    assert info.metadata == described.to_metadata()
    assert ObjectDescription.from_metadata(info.name, info.metadata, size_bytes=info.size_bytes) == described


def test_names_hold_spaces_signs_and_letters_of_any_alphabet(backend, store):
    signs = sorted(set(string.punctuation) - {"/", *backend.unfit})
    awkward = [
        "sp ace/a+b=c%20d/%2F%",
        "größe/日本語/🙂.avro",
        "sp%20ace/x",
        "t/" + "".join(signs) + ".bin",
        " leading/ and trailing ",
        "".join(letter for letter in "a~b/(c)/[d]/{e}/*?" if letter not in backend.unfit),
    ]
    for name in awkward:
        store.create(name, name.encode(), {})
    assert names(store) == sorted(awkward)
    for name in awkward:
        assert store.get(name) == name.encode()
        assert store.get_range(name, -1, 1) == name.encode()[-1:]
        assert store.head(name).name == name
        store.delete(name)
    assert names(store) == []


@pytest.mark.parametrize("name", ["../out", "a/../../out", "/etc/out", "a//b", "a/./b", "", "a/", "a\0b", "a\nb", ".."])
def test_a_name_never_leaves_the_root(store, name):
    for call in (
        lambda: store.create(name, b"x", {}),
        lambda: store.get(name),
        lambda: store.get_range(name, 0, 1),
        lambda: store.head(name),
        lambda: store.delete(name),
    ):
        with pytest.raises(TerminalError) as caught:
            call()
        assert caught.value.hint
    assert names(store) == []


def test_a_missing_object_is_said_to_be_missing(store):
    store.create("a/there", b"x", {})
    assert store.head("a/missing") is None
    assert store.head("a") is None
    for call in (lambda: store.get("a/missing"), lambda: store.get_range("a/missing", 0, 1), lambda: store.get("b/c")):
        with pytest.raises(ObjectMissingError):
            call()
    with pytest.raises(ObjectMissingError):
        store.get_range("a/missing", -8, 8)


def test_deleting_is_idempotent_and_frees_the_name(store):
    store.create("d/gone", b"first", {})
    store.delete("d/gone")
    store.delete("d/gone")
    assert store.head("d/gone") is None
    assert names(store) == []
    store.create("d/gone", b"second", {})
    assert store.get("d/gone") == b"second"


def test_the_probe_finds_that_creates_are_atomic_and_leaves_nothing(store):
    assert probe_create(store) is True
    assert names(store) == []
