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


@pytest.mark.parametrize("kind", ["local", "s3", "azure", "weed_webdav"])
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


def test_a_server_that_ignores_the_condition_is_found_out(request):
    backend = BACKENDS["weed_webdav"](request)
    done = check(backend.url, {"create": "put"})
    assert done.returncode == 1
    assert "overwrote the first" in " ".join(done.stdout.replace("│", " ").split())
    assert "exactly.once=required" in done.stdout


def test_what_keeps_it_from_checking_is_one_line_with_a_hint(seaweedfs):
    done = check("s3://no-such-bucket", seaweedfs.options)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the bucket does not exist" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert check("s4://bucket").returncode == 2
