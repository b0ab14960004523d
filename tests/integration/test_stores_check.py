"""`streamsink stores check`: what it finds out about real servers, and how it ends."""

import json
import subprocess
import sys

import pytest

from tests.contract.backends import BACKENDS


def check(url, options=(), *arguments):
    told = [word for key, value in dict(options).items() for word in ("--option", f"{key}={value}")]
    command = [sys.executable, "-m", "streamsink", "stores", "check", url, "--size-mb", "1", "--rounds", "1", *told]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=90, check=False)


@pytest.mark.parametrize("kind", ["local", "s3", "azure", "weed_webdav", "godav"])
def test_a_store_that_creates_atomically_is_said_to(kind, request):
    backend = BACKENDS[kind](request)
    done = check(backend.url, backend.options, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["exactly_once"] is found["create_conflicts"] is found["create_atomic"] is True
    assert found["keeps_metadata"] is (kind in {"s3", "azure"})
    assert found["lists_at_once"] is found["reads_ranges"] is found["deletes"] is True
    assert set(found["latency_ms"]) == {"create", "head", "get", "list"}
    assert min(*found["latency_ms"].values(), found["write_bytes_per_s"], found["read_bytes_per_s"]) > 0


@pytest.mark.parametrize("kind", ["local", "s3", "azure", "weed_webdav"])
def test_it_is_said_what_a_store_cannot_tell(kind, request):
    backend = BACKENDS[kind](request)
    found = json.loads(check(backend.url, backend.options, "--json").stdout)
    told = None if kind in {"azure", "weed_webdav"} else False
    assert found["protection"] == {"versioned": told, "locked": told, "lock": ""}
    assert found["sends_checksums"] is (True if kind == "s3" else None)


def test_a_bucket_that_keeps_versions_and_locks_objects_is_said_to(seaweedfs):
    seaweedfs.create_locked_bucket("locked-bucket")
    found = json.loads(check("s3://locked-bucket/x", seaweedfs.options, "--json").stdout)
    assert found["exactly_once"] is found["deletes"] is True
    assert found["protection"]["versioned"] is found["protection"]["locked"] is True
    assert found["protection"]["lock"].startswith("GOVERNANCE until 20")
    words = " ".join(check("s3://locked-bucket/x", seaweedfs.options).stdout.replace("│", " ").split())
    assert "locks objects yes: GOVERNANCE until 20" in words
    assert "deletes yes; older versions stay, which can't be deleted" in words


def test_a_server_that_ignores_the_condition_is_found_out(request):
    backend = BACKENDS["weed_webdav"](request)
    done = check(backend.url, {"create": "put"})
    assert done.returncode == 1
    assert "overwrote the first" in " ".join(done.stdout.replace("│", " ").split())
    assert "exactly.once=required" in done.stdout


@pytest.mark.parametrize("create", ["", "put"])
def test_a_server_that_looks_for_a_name_and_then_moves_is_found_out(create, request):
    backend = BACKENDS["sabredav"](request)
    store = {**backend.options, "create": create}
    told = [word for key, value in store.items() for word in ("--option", f"{key}={value}")]
    command = [sys.executable, "-m", "streamsink", "stores", "check", backend.url, "--size-mb", "1", "--json", *told]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["create_conflicts"] is True
    assert found["create_atomic"] is found["exactly_once"] is False
    assert max(found["winners"]) > 1


def test_what_keeps_it_from_checking_is_one_line_with_a_hint(seaweedfs):
    done = check("s3://no-such-bucket", seaweedfs.options)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the bucket does not exist" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert check("s4://bucket").returncode == 2
