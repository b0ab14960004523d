"""`streamsink database`, from a real MongoDB into an archive and back: killed at any time, it lies about nothing."""

import datetime as dt
import json
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from streamsink.archive.open import open_archive
from streamsink.archive.verify import verify_archive
from streamsink.database.mongodb_batches import RawBatches
from tests.contract.databases import every_type
from tests.servers.mongodb import PASSWORD, MongoServer

ROWS = 3_000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A MongoDB that asks for no login."""
    started = MongoServer(tmp_path_factory.mktemp("mongodb"))
    started.start()
    yield started
    started.stop()


@pytest.fixture
def shop(server, unique):
    """The URL of a database with orders of every type and a few people."""
    name = unique.replace("-", "_")
    server.client[name]["orders"].insert_many([every_type(number) for number in range(ROWS)])
    server.client[name]["people"].insert_many([{"_id": f"p{number}", "age": number} for number in range(10)])
    return server.url(name)


def command(*arguments):
    return [sys.executable, "-m", "streamsink", "database", *map(str, arguments)]


def run(*arguments, status=0):
    done = subprocess.run(command(*arguments, "--json"), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == status, done.stderr[-2000:]
    return json.loads(done.stdout) if done.stdout else done.stderr


def objects(archive, topic="*"):
    return sorted(Path(archive).glob(f"{topic}/*/*.parquet"))


def sound(archive):
    opened = open_archive(str(archive), {})
    try:
        return verify_archive(opened)
    finally:
        opened.store.close()


def test_a_snapshot_is_archived_queried_and_restored_equal_and_a_second_one_shares_no_object(server, shop, tmp_path):
    archive = tmp_path / "archive" / "topics"
    name = shop.rpartition("/")[2]
    first = run("snapshot", shop, archive)
    assert (first["finished"], first["rows"], first["number"]) == (True, ROWS + 10, 1)
    stored = objects(archive)
    server.client[name]["orders"].delete_many({"number": {"$lt": 100}})
    second = run("snapshot", shop, archive)
    assert (second["number"], second["rows"]) == (2, ROWS - 90)
    assert set(stored) < set(objects(archive))
    files = f"{archive}/db.{name}.orders/partition=1/*.parquet"
    query = f"SELECT count(*), sum(number), count(DISTINCT other_id), max(time) - min(time) FROM '{files}'"
    assert duckdb.sql(query).fetchall() == [(ROWS, ROWS * (ROWS - 1) // 2, ROWS, dt.timedelta(milliseconds=ROWS - 1))]
    told = run("ls", archive)["snapshots"]
    assert [(each["number"], each["finished"]) for each in told] == [(1, True), (2, True)]
    for snapshot, into in ((first, f"{name}_one"), (second, f"{name}_two")):
        done = run("restore", archive, server.url(into), "--snapshot", snapshot["snapshot"])
        assert done["equal"]
        assert {each["compared_by"] for each in done["tables"]} == {"the database's digest"}
        assert server.client[into]["orders"].count_documents({}) == snapshot["rows"] - 10


def test_killed_under_writes_it_goes_on_in_the_same_view_and_nothing_is_stored_twice(server, shop, tmp_path):
    archive = tmp_path / "archive" / "topics"
    name = shop.rpartition("/")[2]
    orders = server.client[name]["orders"]
    before = [orders.count_documents({}), server.client[name].command("dbHash", collections=["orders"])["collections"]]
    arguments = ("snapshot", shop, archive, "--set", "flush.size=200", "--set", "poll.records.max=100")
    for kill in range(2):
        process = subprocess.Popen(
            [*command(*arguments), "--rate", "400"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        stored, until = len(objects(archive, "*orders")), time.monotonic() + 60
        while len(objects(archive, "*orders")) < stored + 2:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < until
            time.sleep(0.02)
        process.kill()
        process.communicate()
        orders.update_many({"number": {"$mod": [7, kill]}}, {"$set": {"text": "changed"}})
        orders.insert_one({"number": -kill})
        assert [each["finished"] for each in run("ls", archive)["snapshots"]] == [False]
        run("restore", archive, server.url(f"{name}_half"), status=1)
    done = run(*arguments)
    assert (done["number"], done["resumed"], done["rows"]) == (1, True, before[0] + 10)
    assert sound(archive).sound
    restored = run("restore", archive, server.url(f"{name}_copy"))
    assert restored["equal"]
    assert server.client[f"{name}_copy"].command("dbHash", collections=["orders"])["collections"] == before[1]


def test_another_choice_of_tables_begins_another_snapshot_and_the_half_one_stays_unfinished(server, shop, tmp_path):
    archive = tmp_path / "archive" / "topics"
    process = subprocess.Popen(command("snapshot", shop, archive, "--rate", "100", "--set", "flush.size=50"))
    until = time.monotonic() + 60
    while not objects(archive, "*orders"):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    process.kill()
    process.wait()
    done = run("snapshot", shop, archive, "--table", "people")
    assert (done["number"], done["rows"], done["resumed"]) == (2, 10, False)
    assert [each["finished"] for each in run("ls", archive)["snapshots"]] == [False, True]


def test_bad_input_is_one_line_and_no_password_is_in_archive_or_log(tmp_path, mongodb):
    archive = tmp_path / "archive" / "topics"
    mongodb.client["bad_input"]["t"].insert_one({"a": 1})
    url = mongodb.url("bad_input", user="admin")
    said = run("snapshot", url, archive, "--option", "password=wrong", status=1)
    assert len(said.strip().splitlines()) == 1
    assert "Authentication failed" in said
    assert "names no database" in run("snapshot", mongodb.url("").rstrip("/"), archive, status=2)
    assert "lists of processes" in run("snapshot", url.replace("admin@", "admin:x@"), archive, status=2)
    assert "nowhere" in run(
        "snapshot", url, archive, "--table", "nowhere", "--option", f"password={PASSWORD}", status=1
    )
    run("snapshot", url, archive, "--option", f"database.option.password={PASSWORD}")
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"admin@127.0.0.1" in everything
    assert PASSWORD.encode() not in everything


def test_a_snapshot_whose_window_has_closed_stays_unfinished_and_the_next_run_begins_anew(server, shop, tmp_path):
    archive = tmp_path / "archive" / "topics"
    claim = archive.parent / "_streamsink" / "snapshot" / "topics" / f"db.{shop.rpartition('/')[2]}" / "1.json"
    process = subprocess.Popen(command("snapshot", shop, archive, "--table", "orders", "--rate", "100"))
    until = time.monotonic() + 60
    while not objects(archive):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    process.kill()
    process.wait()
    # As it is after 300 seconds.
    told = json.loads(claim.read_text())
    told["point"]["position"]["clusterTime"][0] -= 100_000
    claim.write_text(json.dumps(told))
    done = run("snapshot", shop, archive, "--table", "orders")
    assert (done["number"], done["resumed"], done["rows"]) == (2, False, ROWS)
    assert [each["finished"] for each in run("ls", archive)["snapshots"]] == [False, True]


def test_a_server_that_goes_and_comes_back_leaves_nothing_half_that_looks_whole(tmp_path):
    folder = tmp_path / "mongodb"
    folder.mkdir()
    server = MongoServer(folder)
    server.start()
    server.client["shop"]["orders"].insert_many([every_type(number) for number in range(ROWS)])
    archive = tmp_path / "archive" / "topics"
    process = subprocess.Popen(
        [*command("snapshot", server.url("shop"), archive, "--rate", "1000", "--set", "flush.size=200"), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while not objects(archive, "*orders"):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    server.stop()
    server.start()
    said, error = process.communicate(timeout=120)
    # A server that was killed may have lost the view: then the snapshot says so, and the next one begins anew.
    if process.returncode:
        assert "streamsink:" in error.strip().splitlines()[-1]
        assert [each["finished"] for each in run("ls", archive)["snapshots"]] == [False]
        done = run("snapshot", server.url("shop"), archive)
    else:
        done = json.loads(said)
    assert (done["finished"], done["rows"]) == (True, ROWS)
    assert sound(archive).sound
    server.stop()


def test_a_database_without_collections_and_one_of_capped_ones_alone_are_snapshots_too(server, unique, tmp_path):
    archive = tmp_path / "archive" / "topics"
    name = unique.replace("-", "_")
    assert run("snapshot", server.url(name), archive)["rows"] == 0
    server.client[name].create_collection("log", capped=True, size=10_000)
    server.client[name]["log"].insert_many([{"_id": 2}, {"_id": 1}])
    assert run("snapshot", server.url(name), archive)["rows"] == 2
    done = run("restore", archive, server.url(f"{name}_copy"))
    assert (done["equal"], done["tables"][0]["compared_by"]) == (True, "all rows, read back")
    assert list(server.client[f"{name}_copy"]["log"].find()) == [{"_id": 2}, {"_id": 1}]


def test_batches_come_as_arrays_and_hold_what_the_raw_ones_of_pymongo_hold(server, shop):
    orders = server.client[shop.rpartition("/")[2]]["orders"]
    batches = list(RawBatches(orders, batch_size=1_100))
    assert [type(batch) for batch in batches] == [pa.BinaryArray] * 3
    whole = b"".join(orders.find_raw_batches())
    assert b"".join(value for batch in batches for value in batch.to_pylist()) == whole
    assert list(RawBatches(orders, {"number": -1})) == []
