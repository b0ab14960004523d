"""The archive commands as a person and a script run them: own processes, on local disk and on a real S3 server."""

import json
import subprocess
import sys

import pytest

from streamsink.upload.local import LocalStore
from streamsink.upload.open import open_store
from streamsink.upload.owner import Owner, Owners
from tests.unit.archive.made import encoding, put


def run(*arguments, timeout_s=60):
    command = [sys.executable, "-m", "streamsink", "archive", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)


@pytest.fixture
def archive(tmp_path):
    store = LocalStore(tmp_path)
    put(store, range(100))
    put(store, range(100, 150), encoding=encoding("avro", "deflate"))
    put(store, range(20), topic="other", encoding=encoding("raw", "none"))
    return tmp_path / "topics"


def test_ls_has_a_table_for_people_and_one_document_for_programs(archive):
    table = run("ls", archive.as_uri())
    assert (table.returncode, table.stderr) == (0, "")
    assert "0..149" in table.stdout
    assert "3 objects, 170 records" in table.stdout
    partitions = json.loads(run("ls", str(archive), "--json").stdout)["partitions"]
    assert [(one["topic"], one["objects"], one["records"]) for one in partitions] == [
        ("logs", 2, 150),
        ("other", 1, 20),
    ]
    objects = json.loads(run("ls", str(archive), "--json", "--objects", "--topic", "logs").stdout)["objects"]
    assert [(one["first_offset"], one["last_offset"], one["reason"]) for one in objects] == [
        (0, 99, "size"),
        (100, 149, "size"),
    ]


def test_ls_all_counts_what_lies_beside_the_data(archive):
    store = LocalStore(archive.parent)
    Owners(store, "topics").append("logs", 1, Owner("connect-a", "1", "2026-11-28T00:00:00Z"))
    store.create("_streamsink/later/x", b"four", {})
    own = {one["folder"]: one for one in json.loads(run("ls", str(archive), "--json", "--all").stdout)["own"]}
    files = [path for path in (archive.parent / "_streamsink").rglob("*") if path.is_file()]
    assert sum(one["objects"] for one in own.values()) == len(files)
    assert sum(one["size_bytes"] for one in own.values()) == sum(path.stat().st_size for path in files)
    assert (own["manifest"]["objects"], own["owner"]["objects"], own["later"]["size_bytes"]) == (3, 1, 4)
    assert own["later"]["holds"] == "not known to this version"
    shown = run("ls", str(archive), "--all").stdout
    assert "3 objects, 170 records" in shown
    assert "which consumer group writes each topic" in shown
    assert "_streamsink" not in run("ls", str(archive)).stdout


def test_verify_ends_with_0_where_all_is_sound(archive):
    done = run("verify", archive.as_uri(), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    verdict = json.loads(done.stdout)
    assert (verdict["sound"], verdict["objects"], verdict["records"]) == (True, 3, 170)


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_verify_ends_with_1_and_the_name_of_a_corrupt_object(archive, arguments):
    path = archive / "logs/partition=0/logs+0+0000000000.zstd.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    done = run("verify", archive.as_uri(), *arguments)
    assert done.returncode == 1
    assert "logs/partition=0/logs+0+0000000000.zstd.parquet" in done.stdout
    assert "0000000100" not in done.stdout


@pytest.mark.parametrize("which", [["--topic", "lgos"], ["--partition", "7"]])
def test_verify_of_nothing_fails(archive, which):
    done = run("verify", archive.as_uri(), *which)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "nothing to verify" in done.stderr


@pytest.mark.parametrize("option", [["--limit", "-1"], ["--partition", "-1"]])
def test_a_count_below_zero_is_wrong_usage(archive, option):
    done = run("cat", archive.as_uri(), *option)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


def test_cat_prints_rows_as_json_lines(archive):
    done = run("cat", archive.as_uri(), "--topic", "logs", "--partition", "0", "--limit", "120", "--text")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["_kafka"]["offset"] for row in rows] == list(range(120))
    assert rows[0]["value"] == "same"
    assert len(json.loads(run("cat", archive.as_uri(), "--limit", "3", "--json").stdout)["rows"]) == 3


@pytest.mark.parametrize("command", ["cat", "ls --objects", "sums", "inspect"])
def test_a_command_ends_quietly_when_its_reader_has_seen_enough(command, tmp_path):
    put(LocalStore(tmp_path), range(5000))
    line = f"{sys.executable} -m streamsink archive {command} {tmp_path.as_uri()}/topics | true"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize(("option", "program"), [((), "sha256sum"), (("--md5",), "md5sum")])
def test_sums_are_what_the_systems_own_programs_check(archive, option, program):
    lines = run("sums", archive.as_uri(), *option).stdout
    checked = subprocess.run([program, "-c"], cwd=archive, input=lines, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.count(": OK") == 3


def test_reindex_gives_back_a_lost_manifest(archive, tmp_path):
    before = run("sums", archive.as_uri()).stdout
    for path in (tmp_path / "_streamsink" / "manifest").rglob("*.jsonl"):
        path.unlink()
    done = run("reindex", archive.as_uri(), "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["objects"], told["added"], told["left_out"]) == (0, 3, 3, [])
    assert run("sums", archive.as_uri()).stdout == before
    assert list((tmp_path / "_streamsink" / "manifest").rglob("*.jsonl"))


def test_inspect_shows_one_object(archive):
    name = "logs/partition=0/logs+0+0000000100.avro"
    for arguments in ([archive.as_uri(), name], [f"{archive.as_uri()}/{name}"]):
        found = json.loads(run("inspect", *arguments, "--json").stdout)
        assert found["footer"]["streamsink.last_offset"] == "149"
        assert found["first_rows"][0]["_kafka"]["offset"] == 100
    assert "struct<partition: int32 not null" in run("inspect", archive.as_uri(), name).stdout


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["ls", "file:///no/such/place"], 1, "there is no archive"),
        (["ls", "ftp://host/x"], 2, "unknown kind of store"),
        (["ls", "file:///tmp", "--option", "region"], 2, "KEY=VALUE"),
        (["ls", "file:///tmp", "--option", "colour=blue"], 2, "colour"),
        (["inspect", "{archive}", "nope"], 1, "no object nope"),
        (["verify"], 2, "ARCHIVE"),
        (["frob", "{archive}"], 2, "frob"),
    ],
)
def test_what_can_not_be_done_is_one_line_on_stderr(archive, arguments, status, words):
    done = run(*(argument.replace("{archive}", archive.as_uri()) for argument in arguments))
    assert done.returncode == status
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


def test_an_archive_on_s3_is_read_like_a_local_one(seaweedfs, unique):
    url = seaweedfs.url(unique)
    options = [text for key, value in seaweedfs.options.items() for text in ("--option", f"{key}={value}")]
    store = open_store(url, seaweedfs.options)
    put(store, range(100))
    gone = put(store, range(100, 150))
    put(store, range(150, 200), encoding=encoding("raw", "gzip"), manifest=False)
    topics = f"{url}/topics"
    assert "200 records" in run("ls", topics, *options).stdout
    assert json.loads(run("verify", topics, "--json", *options).stdout)["sound"]
    assert len(run("sums", topics, "--md5", *options).stdout.splitlines()) == 3
    store.delete(gone.name)
    done = run("verify", topics, "--json", *options)
    assert done.returncode == 1
    verdict = json.loads(done.stdout)
    assert verdict["missing"] == ["logs/partition=0/logs+0+0000000100.zstd.parquet"]
    assert verdict["partitions"][0]["holes"] == [{"first_offset": 100, "last_offset": 149}]
    again = run("reindex", topics, "--json", *options)
    assert (again.returncode, json.loads(again.stdout)["objects"]) == (1, 2)
    assert run("verify", topics, *options).returncode == 1
    assert run("reindex", topics, "--accept", *options).returncode == 0
    assert run("verify", topics, *options).returncode == 0
    wrong = [text.replace("streamsink-test-secret", "wrong") for text in options]
    refused = run("ls", topics, *wrong)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
