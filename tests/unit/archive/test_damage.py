"""Every kind of damage is named by verify, before reindex and after it, and never ends the check of the rest."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from streamsink.archive import check
from streamsink.archive.open import open_archive
from streamsink.archive.reindex import reindex
from streamsink.archive.verify import Part, verify_archive
from streamsink.backoff import Backoff
from streamsink.errors import TransientError
from streamsink.upload.local import LocalStore
from streamsink.upload.manifest import FOLDER, write_manifest
from streamsink.upload.memory import MemoryStore
from tests.unit.archive.made import FIRST_MS, encoding, put

KINDS = [("parquet", "zstd"), ("avro", "snappy"), ("jsonl", "gzip"), ("raw", "none")]
OBJECTS = 30


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind[0])
def template(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("template") / "archive"
    store, kind = LocalStore(root), encoding(*request.param)
    objects = [put(store, range(10 * at, 10 * at + 10), encoding=kind, value=b"value %d" % at) for at in range(OBJECTS)]
    return root, objects


@pytest.fixture
def made(template, tmp_path):
    """A copy of the archive, and its objects, ten records each."""
    root, objects = template
    return Path(shutil.copytree(root, tmp_path / "archive")), objects


def opened(root):
    return open_archive((root / "topics").as_uri(), {})


def paths(described):
    return sorted(one.name.removeprefix("topics/") for one in described)


def damaged_is_named(root, hurt, *, missing=()):
    """Verify names exactly these, before reindex and after it."""
    for _ in range(2):
        verdict = verify_archive(opened(root))
        assert sorted(one.path for one in verdict.corrupt) == paths(hurt)
        assert verdict.missing == paths(missing)
        assert not verdict.sound
        assert verdict.objects == OBJECTS - len(missing)
        assert not reindex(opened(root)).clean


def test_a_flipped_byte_in_every_tenth_object(made):
    root, objects = made
    for at, one in enumerate(objects[::10]):
        path = root / one.name
        data = bytearray(path.read_bytes())
        data[(at + 1) * len(data) // 4] ^= 0x40
        path.write_bytes(data)
    damaged_is_named(root, objects[::10])


def test_four_flipped_bytes(made):
    root, objects = made
    path = root / objects[3].name
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 3, len(data) // 3 + 4):
        data[at] ^= 0xFF
    path.write_bytes(data)
    damaged_is_named(root, [objects[3]])


def test_a_deleted_object(made):
    root, objects = made
    (root / objects[7].name).unlink()
    damaged_is_named(root, [], missing=[objects[7]])


def test_a_swapped_pair(made):
    root, objects = made
    one, other = root / objects[4].name, root / objects[5].name
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    damaged_is_named(root, objects[4:6])


@pytest.mark.parametrize("kept", [0, 1, -1, -40])
def test_a_truncated_object(made, kept):
    root, objects = made
    path = root / objects[9].name
    path.write_bytes(path.read_bytes()[:kept])
    damaged_is_named(root, [objects[9]])


def test_an_emptied_manifest(made):
    root, _ = made
    files = sorted((root / FOLDER).rglob("*.jsonl"))
    for path in files:
        path.write_bytes(b"")
    for _ in range(2):
        verdict = verify_archive(opened(root))
        assert [name for name, _ in verdict.manifest_damaged] == [path.relative_to(root).as_posix() for path in files]
        assert not verdict.sound
        assert (verdict.corrupt, verdict.missing) == ([], [])
        done = reindex(opened(root))
        assert (done.objects, done.clean) == (OBJECTS, False)
    assert reindex(opened(root), accept=True).clean
    verdict = verify_archive(opened(root))
    assert (verdict.sound, verdict.unrecorded_count) == (True, 0)


def test_a_manifest_that_is_gone_is_said_and_comes_back(made):
    root, objects = made
    shutil.rmtree(root / FOLDER)
    verdict = verify_archive(opened(root))
    assert verdict.unrecorded == paths(objects)
    done = reindex(opened(root))
    assert (done.added, done.clean) == (OBJECTS, True)
    (root / objects[-1].name).unlink()
    assert verify_archive(opened(root)).missing == paths([objects[-1]])


def test_a_manifest_older_than_the_objects(made):
    root, objects = made
    for path in sorted((root / FOLDER).rglob("*.jsonl"))[20:]:
        path.unlink()
    verdict = verify_archive(opened(root))
    assert verdict.unrecorded == paths(objects[20:])
    assert reindex(opened(root)).added == 10
    assert verify_archive(opened(root)).unrecorded == []


def test_a_manifest_that_tells_of_other_bytes(made):
    root, objects = made
    store = LocalStore(root)
    (name,) = (path for path in (root / FOLDER).rglob("*.jsonl") if "/00000000000000000000-" in path.as_posix())
    name.unlink()
    write_manifest(store, [dataclasses.replace(objects[0], sha256="0" * 64)])
    damaged_is_named(root, [objects[0]])


def test_what_a_library_raises_on_damaged_bytes_is_that_objects_problem_only(made, monkeypatch):
    root, objects = made

    def broken(name, data, sidecar=None):
        if name == objects[2].name:
            raise RecursionError("too deep")
        return real(name, data, sidecar)

    real = check.open_object
    monkeypatch.setattr(check, "open_object", broken)
    (corrupt,) = verify_archive(opened(root)).corrupt
    assert (corrupt.name, "too deep" in corrupt.problems[0]) == (objects[2].name, True)


def test_a_store_that_stumbles_once_does_not_end_the_check(unique, monkeypatch):
    store = MemoryStore(unique)
    put(store, range(10))
    monkeypatch.setattr("streamsink.archive.check.BACKOFF", Backoff(0.0, 0.0))
    archive = open_archive(f"memory://{unique}/topics", {})
    read, failures = archive.store.read, iter([True, True, False])

    def stumbling(name):
        if next(failures):
            raise TransientError("503")
        return read(name)

    monkeypatch.setattr(archive.store, "read", stumbling)
    assert verify_archive(archive).sound


def test_a_part_is_looked_at_and_said_to_be_one(made):
    root, objects = made
    late = verify_archive(opened(root), part=Part(since_ms=FIRST_MS + 250))
    assert (late.objects, late.objects_there, late.part.is_whole) == (5, OBJECTS, False)
    (root / objects[0].name).write_bytes(b"")
    seen = [verify_archive(opened(root), part=Part(sample=0.1, seed=seed)) for seed in range(20)]
    assert {one.objects for one in seen} == {3}
    assert any(one.corrupt for one in seen)
    assert not all(one.corrupt for one in seen)
    assert all(partition.tiling.hole_count == 0 for one in seen for partition in one.partitions)
