"""What is particular to a folder as a store: what a crash leaves, what a full or read-only disk says."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from streamsink.errors import AlreadyExistsError, TerminalError, TransientError
from streamsink.upload.local import TEMPORARY_PREFIX, LocalStore
from streamsink.upload.open import open_store
from streamsink.upload.probe import probe_create


class Disk:
    """A small separate file system; where none may be mounted, the system's answers are put in its place."""

    def __init__(self, place, patch):
        self.place, self._patch = place, patch
        command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
        self.is_real = subprocess.run(command, capture_output=True, check=False).returncode == 0

    def fill(self):
        if self.is_real:
            with (self.place / "filler").open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))
        else:
            self._patch.setattr(os, "fsync", self._answer(errno.ENOSPC))

    def free(self):
        (self.place / "filler").unlink(missing_ok=True)
        self._patch.undo()

    def make_read_only(self):
        if self.is_real:
            subprocess.run(["mount", "-o", "remount,ro", str(self.place)], check=True)
        else:
            self._patch.setattr(Path, "mkdir", self._answer(errno.EROFS))

    def unmount(self):
        if self.is_real:
            subprocess.run(["umount", "-l", str(self.place)], check=True)

    @staticmethod
    def _answer(number):
        def answer(*_, **__):
            raise OSError(number, os.strerror(number))

        return answer


@pytest.fixture
def disk(tmp_path, monkeypatch):
    place = tmp_path / "mounted"
    place.mkdir()
    disk = Disk(place, monkeypatch)
    yield disk
    disk.unmount()


def test_looking_into_a_folder_that_is_not_there_leaves_no_trace(tmp_path):
    store = LocalStore(tmp_path / "mistyped" / "archive")
    assert list(store.list()) == []
    assert store.head("a") is None
    assert list(tmp_path.iterdir()) == []


def test_a_url_keeps_spaces_and_signs_of_a_path(tmp_path):
    folder = tmp_path / "my archive 100%"
    open_store(folder.as_uri(), {}).create("a", b"x", {})
    assert (folder / "a").read_bytes() == b"x"


def test_a_writer_killed_while_it_writes_leaves_nothing_to_be_seen(tmp_path):
    script = textwrap.dedent(
        f"""
        import os, signal
        from pathlib import Path
        from streamsink.upload.local import LocalStore
        os.link = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        LocalStore(Path({str(tmp_path)!r})).create("t/x", b"half", {{}})
        """
    )
    ended = subprocess.run([sys.executable, "-c", script], check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL
    assert [path.name[: len(TEMPORARY_PREFIX)] for path in (tmp_path / "t").iterdir()] == [TEMPORARY_PREFIX]
    store = LocalStore(tmp_path)
    assert list(store.list()) == []
    store.create("t/x", b"whole", {})
    assert store.get("t/x") == b"whole"


def test_stale_temporary_files_go_with_the_first_create_and_young_ones_stay(tmp_path):
    folder = tmp_path / "t" / "partition=0"
    folder.mkdir(parents=True)
    stale, young = folder / f"{TEMPORARY_PREFIX}stale", folder / f"{TEMPORARY_PREFIX}young"
    stale.write_bytes(b"half")
    young.write_bytes(b"half")
    os.utime(stale, (time.time() - 7200, time.time() - 7200))
    store = LocalStore(tmp_path)
    list(store.list())
    assert stale.exists()
    store.create("other", b"x", {})
    assert not stale.exists()
    assert young.exists()


def test_every_folder_up_to_the_root_is_synced_also_when_the_name_is_taken(tmp_path, monkeypatch):
    synced, real = [], os.fsync

    def fsync(handle):
        about = os.fstat(handle)
        synced.append((about.st_dev, about.st_ino))
        real(handle)

    def places(*folders):
        return {(folder.stat().st_dev, folder.stat().st_ino) for folder in folders}

    monkeypatch.setattr(os, "fsync", fsync)
    root = tmp_path / "made" / "too"
    LocalStore(root).create("a/b/c", b"x", {})
    assert places(root / "a/b/c", root / "a/b", root / "a", root, tmp_path / "made", tmp_path) <= set(synced)
    synced.clear()
    with pytest.raises(AlreadyExistsError):
        LocalStore(root).create("a/b/c", b"y", {})
    assert places(root / "a/b", root / "a", root) <= set(synced)


def test_a_folder_of_the_objects_name_is_told_apart_from_an_object(tmp_path):
    store = LocalStore(tmp_path)
    (tmp_path / "t" / "x").mkdir(parents=True)
    assert store.head("t/x") is None
    with pytest.raises(TerminalError, match="is a folder"):
        store.create("t/x", b"x", {})


def test_a_name_too_long_for_the_file_system_says_so(tmp_path):
    with pytest.raises(TerminalError, match="too long") as failed:
        LocalStore(tmp_path).create("t/" + "x" * 300, b"x", {})
    assert "longer name" in failed.value.hint


def test_a_read_only_file_system_says_so_at_the_probe(disk):
    LocalStore(disk.place).create("stored", b"x", {})
    disk.make_read_only()
    store = LocalStore(disk.place)
    with pytest.raises(TerminalError, match="Read-only") as failed:
        probe_create(store)
    assert "mounted read-only" in failed.value.hint
    assert store.get("stored") == b"x"


def test_a_folder_one_may_not_write_to_says_so(tmp_path):
    script = textwrap.dedent(
        """
        import os, sys
        from pathlib import Path
        from streamsink.errors import TerminalError
        from streamsink.upload.local import LocalStore
        from streamsink.upload.probe import probe_create
        if os.geteuid() == 0:
            os.setuid(65534)
        try:
            probe_create(LocalStore(Path("/")))
        except TerminalError as error:
            print(error)
        """
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert "Permission denied" in ended.stdout
    assert "write access" in ended.stdout


def test_a_full_disk_loses_nothing_and_goes_on_when_there_is_space(disk):
    store = LocalStore(disk.place)
    store.create("t/first", bytes(50_000), {})
    disk.fill()
    with pytest.raises(TransientError, match="No space left") as failed:
        store.create("t/second", bytes(100_000), {})
    assert "free space" in failed.value.hint
    assert [info.name for info in store.list("t/")] == ["t/first"]
    disk.free()
    store.create("t/second", bytes(100_000), {})
    assert [info.size_bytes for info in store.list("t/")] == [50_000, 100_000]


def test_a_limit_on_file_sizes_is_waited_out(tmp_path):
    script = textwrap.dedent(
        f"""
        import resource, signal
        from pathlib import Path
        from streamsink.errors import TransientError
        from streamsink.upload.local import LocalStore
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        store = LocalStore(Path({str(tmp_path)!r}))
        try:
            store.create("t/x", bytes(5000), {{}})
        except TransientError as error:
            print(error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        store.create("t/x", bytes(5000), {{}})
        """
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert "File too large" in ended.stdout
    assert LocalStore(tmp_path).head("t/x").size_bytes == 5000
