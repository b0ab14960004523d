"""`streamsink database`, from a real MariaDB into an archive and back."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from streamsink.archive.open import open_archive
from streamsink.archive.verify import verify_archive
from tests.contract.mariadb_database import MariaBackend
from tests.contract.mariadb_tables import OTHERS
from tests.servers.mariadb import PASSWORD

ROWS = 1_000
RIGHTS = ("--option", "username=root", "--option", "password=${env:MARIADB_PASSWORD}")


@pytest.fixture
def shop(mariadb, unique):
    name = unique.replace("-", "_")
    MariaBackend(mariadb).fill(name, ROWS)
    return name


def command(*arguments):
    return [sys.executable, "-m", "streamsink", "database", *map(str, arguments), *RIGHTS, "--json"]


def run(*arguments, status=0, password=PASSWORD):
    done = subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "MARIADB_PASSWORD": password},
    )
    assert done.returncode == status, done.stderr[-2000:]
    return json.loads(done.stdout) if done.stdout else done.stderr


def sound(archive):
    opened = open_archive(str(archive), {})
    try:
        return verify_archive(opened).sound
    finally:
        opened.store.close()


def test_every_table_is_archived_verified_queried_with_its_types_and_restored_equal(mariadb, shop, tmp_path):
    archive = tmp_path / "archive" / "topics"
    taken = run("snapshot", mariadb.url(shop), archive)
    assert (taken["finished"], taken["rows"]) == (True, ROWS + sum(OTHERS.values()))
    MariaBackend(mariadb).write(shop)
    assert sound(archive)
    files = f"{archive}/db.{shop}.orders/partition=1/*.parquet"
    query = (
        "SELECT count(*), max(big_unsigned), max(money), min(day), max(moment6), max(stamp6)::VARCHAR, "
        f"count(day__string), octet_length(max(fixed)), max(whole), count(id) FROM '{files}'"
    )
    types = {row[0]: row[1] for row in duckdb.sql(f"DESCRIBE SELECT * FROM '{files}'").fetchall()}
    assert types["big_unsigned"] == "DECIMAL(20,0)"
    assert types["money"] == "DECIMAL(38,10)"
    assert types["day"] == "DATE"
    assert types["moment6"] == "TIMESTAMP"
    assert types["stamp6"] == "TIMESTAMP WITH TIME ZONE"
    assert types["fixed"] == "BLOB"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = [str(cell) for cell in connection.execute(query).fetchone()]
    assert found == [
        str(ROWS),
        "18446744073709551615",
        "9999999999999999999999999999.9999999999",
        "2020-01-01",
        "9999-12-31 23:59:59.999999",
        "2038-01-19 03:14:07.999999+00",
        str(ROWS // 10),
        "8",
        "99999999999999999999",
        str(ROWS),
    ]
    back = f"{shop}_back"
    restored = run("restore", archive, mariadb.url(back))
    assert restored["equal"]
    by = {table["name"]: table["compared_by"] for table in restored["tables"]}
    assert by["orders"] == by["keyless"] == by["parts"] == "the database's digest"
    assert mariadb.run("SELECT doubled FROM a_view ORDER BY 1", database=back) == ((2,), (4,), (6,))
    mariadb.run("INSERT INTO customers VALUES (9, 'new')", database=back)
    assert mariadb.run("SELECT name FROM customers WHERE id = 9", database=back) == (("NEW!",),)
    next_of = "SELECT number FROM counting"
    assert mariadb.run(next_of, database=back) == mariadb.run("SELECT NEXTVAL(numbers)", database=shop)
    mariadb.run(f"DROP DATABASE {shop}")
    assert mariadb.run(next_of, database=back)
    assert "exists and has rows" in run("restore", archive, mariadb.url(back), status=1)


def test_killed_it_begins_another_snapshot_and_the_half_one_is_never_restored(mariadb, shop, tmp_path):
    archive = tmp_path / "archive" / "topics"
    process = subprocess.Popen(
        command("snapshot", mariadb.url(shop), archive, "--table", "orders", "--rate", "200", "--set", "flush.size=50"),
        env={**os.environ, "MARIADB_PASSWORD": PASSWORD},
        stdout=subprocess.DEVNULL,
    )
    until = time.monotonic() + 60
    while not list(Path(archive).glob("*orders/*/*")):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert "finished" in run("restore", archive, mariadb.url(f"{shop}_half"), status=1)
    MariaBackend(mariadb).write(shop)
    digest = mariadb.run("CHECKSUM TABLE orders", database=shop)
    done = run("snapshot", mariadb.url(shop), archive, "--table", "orders")
    assert (done["number"], done["rows"], done["resumed"]) == (2, ROWS + 2, False)
    assert [each["finished"] for each in run("ls", archive)["snapshots"]] == [False, True]
    assert sound(archive)
    assert run("restore", archive, mariadb.url(f"{shop}_back"))["equal"]
    assert mariadb.run("CHECKSUM TABLE orders", database=f"{shop}_back")[0][1] == digest[0][1]


def test_bad_input_is_one_line_and_no_password_is_in_the_archive(mariadb, shop, tmp_path):
    archive = tmp_path / "archive" / "topics"
    wrong = run("snapshot", mariadb.url(shop), archive, password="wrong", status=1)
    assert len(wrong.strip().splitlines()) == 1
    assert "Access denied" in wrong
    assert "nowhere" in run("snapshot", mariadb.url(shop), archive, "--table", "nowhere", status=1)
    assert "unknown" in run("snapshot", mariadb.url(shop), archive, "--option", "database.option.colour=red", status=2)
    run("snapshot", mariadb.url(shop), archive, "--table", "customers")
    everything = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"customers" in everything
    assert PASSWORD.encode() not in everything
