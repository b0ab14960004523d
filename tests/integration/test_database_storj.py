"""`streamsink database` into Storj and back: a MongoDB's snapshot on a real network of storage nodes."""

import json
import subprocess
import sys

import pytest

from tests.contract.databases import every_type
from tests.servers.mongodb import PASSWORD

ROWS = 1_000


def run(*arguments):
    argv = [sys.executable, "-m", "streamsink", *map(str, arguments), "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.fixture
def shop(mongodb, unique):
    """The name of a database with orders of every type."""
    name = unique.replace("-", "_")
    mongodb.client[name]["orders"].insert_many([every_type(number) for number in range(ROWS)])
    return name


def test_a_snapshot_in_storj_verifies_and_is_restored_equal(storj, mongodb, shop, unique):
    archive = f"sj://bucket-{unique}/backup"
    grant = ("--option", f"archive.option.access_grant={storj.options['access_grant']}")
    login = (*grant, "--option", f"database.option.password={PASSWORD}")
    taken = run("database", "snapshot", mongodb.url(shop, user="admin"), archive, *login)
    assert (taken["finished"], taken["rows"]) == (True, ROWS)
    verified = run("archive", "verify", archive, "--option", f"access_grant={storj.options['access_grant']}")
    assert verified["sound"], verified
    restored = run("database", "restore", archive, mongodb.url(f"{shop}_copy", user="admin"), *login)
    assert restored["equal"]
    assert {each["compared_by"] for each in restored["tables"]} == {"the database's digest"}
    before, after = (mongodb.client[name].command("dbHash")["collections"] for name in (shop, f"{shop}_copy"))
    assert before == after
