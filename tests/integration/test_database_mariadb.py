"""MariaDB under what databases meet: writers, changes of tables, users with few rights, servers that end."""

import contextlib
import datetime as dt
import threading
from ipaddress import IPv4Address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pymysql.err import OperationalError

from streamsink.database.mariadb import open_database
from streamsink.database.mariadb.rows import PAGE_BYTES
from streamsink.errors import ConfigError, SnapshotGoneError, TerminalError, TransientError
from tests.contract.mariadb_database import MariaBackend
from tests.servers.mariadb import MariaServer

ROWS = 3_000


@pytest.fixture
def name(unique):
    return unique.replace("-", "_")


@pytest.fixture
def shop(mariadb, name):
    """A database with one small table."""
    mariadb.make_database(name)
    mariadb.run(
        "CREATE TABLE t (id int PRIMARY KEY, n int)", "INSERT INTO t SELECT seq, seq FROM seq_1_to_1000", database=name
    )
    return name


@pytest.fixture
def opened():
    """Closes what a test opens."""
    with contextlib.ExitStack() as stack:
        yield lambda thing: stack.enter_context(contextlib.closing(thing))


def as_user(server, name, *grants):
    """A database opened by a new user with just these rights."""
    user = f"u_{name}"[:32]
    server.run(
        f"CREATE USER {user}@'127.0.0.1' IDENTIFIED BY 'pw'",
        *(f"GRANT {grant} TO {user}@'127.0.0.1'" for grant in grants),
    )
    return open_database(server.url(name), {"username": user, "password": "pw"})


def all_rows(snapshot, table, batch_rows=100):
    return [
        value for batch in snapshot.rows(table, after=None, batch_rows=batch_rows) for value in batch.values.to_pylist()
    ]


class Writer(threading.Thread):
    """Changes rows of every type until it is told to end."""

    def __init__(self, server, name):
        super().__init__(daemon=True)
        self.server, self.name_of_database = server, name
        self.ending = threading.Event()
        self.begun = threading.Event()
        self.writes = 0

    def run(self):
        with contextlib.closing(self.server.connect(self.name_of_database)) as connection:
            cursor = connection.cursor()
            cursor.execute("SET SESSION sql_mode = ''")
            while not self.ending.is_set():
                at = self.writes * 7 % ROWS * 10
                cursor.execute(f"UPDATE orders SET text = CONCAT('changed ', {self.writes}), d = d + 1 WHERE id = {at}")
                cursor.execute(f"DELETE FROM orders WHERE id = {at + 10}")
                cursor.execute(
                    f"INSERT INTO orders (id, middle) VALUES ({at + 5}, 'new') ON DUPLICATE KEY UPDATE n = n"
                )
                self.writes += 1
                self.begun.set()


def test_every_type_comes_back_as_it_was_when_the_snapshot_began_though_it_is_written_to(mariadb, name, opened):
    backend = MariaBackend(mariadb)
    backend.fill(name, ROWS)
    mariadb.run("ALTER TABLE orders ADD COLUMN n int", database=name)
    before = mariadb.run("CHECKSUM TABLE orders", database=name)[0][1]
    snapshot = opened(open_database(mariadb.url(name), mariadb.options).snapshot(["orders"]))
    table = snapshot.tables[0]
    writer = Writer(mariadb, name)
    writer.start()
    assert writer.begun.wait(30)
    restore = opened(open_database(mariadb.url(f"{name}_copy"), mariadb.options).restore())
    restore.create(table)
    for batch in snapshot.rows(table, after=None, batch_rows=500):
        restore.load(table, batch)
    told = snapshot.digest(table)
    writer.ending.set()
    writer.join(30)
    restore.finish(snapshot.structure, snapshot.tables)
    assert writer.writes > 10
    assert mariadb.run("CHECKSUM TABLE orders", database=name)[0][1] != before
    assert told == restore.digest(table) == str(before)
    assert mariadb.run("SELECT COUNT(*) FROM orders", database=f"{name}_copy") == ((ROWS,),)


@pytest.mark.parametrize("key", ["PRIMARY KEY (id)", "KEY (id)"])
def test_large_rows_behind_small_ones_come_in_parts_no_larger_than_a_page_and_a_row(mariadb, name, opened, key):
    large, row = 12, 2 << 20
    mariadb.make_database(name)
    mariadb.run(
        f"CREATE TABLE t (id int NOT NULL, what longblob, {key})",
        "INSERT INTO t SELECT seq, 'small' FROM seq_1_to_2000",
        f"INSERT INTO t SELECT 2000 + seq, REPEAT('x', {row}) FROM seq_1_to_{large}",
        database=name,
    )
    snapshot = opened(open_database(mariadb.url(name), mariadb.options).snapshot([]))
    batches = list(snapshot.rows(snapshot.tables[0], after=None, batch_rows=1_500))
    assert sum(len(batch.values) for batch in batches) == 2_000 + large
    assert max(len(batch.values) for batch in batches) <= 1_500
    in_base64 = 4 / 3
    assert max(batch.values.nbytes for batch in batches) < (PAGE_BYTES + row) * in_base64 + 100_000


@pytest.mark.parametrize("column", ["n int", "n longblob"])
def test_a_table_may_be_changed_between_two_pages_and_that_ends_the_snapshot(mariadb, shop, opened, column):
    mariadb.run(f"ALTER TABLE t MODIFY {column}", database=shop)
    snapshot = opened(open_database(mariadb.url(shop), mariadb.options).snapshot([]))
    reading = snapshot.rows(snapshot.tables[0], after=None, batch_rows=100)
    next(reading)
    mariadb.run("SET SESSION lock_wait_timeout = 5", "ALTER TABLE t FORCE, ALGORITHM = COPY", database=shop)
    with pytest.raises(SnapshotGoneError, match="was changed") as raised:
        next(reading)
    assert "again" in raised.value.hint


def test_a_column_that_is_added_at_once_is_found_out_by_the_digest(mariadb, shop, opened):
    snapshot = opened(open_database(mariadb.url(shop), mariadb.options).snapshot([]))
    mariadb.run("INSERT INTO t VALUES (5000, 1)", database=shop)
    assert len(all_rows(snapshot, snapshot.tables[0])) == 1000
    change = "ALTER TABLE t ADD COLUMN m int DEFAULT 5, ALGORITHM = INSTANT"
    mariadb.run("SET SESSION lock_wait_timeout = 5", change, database=shop)
    assert all_rows(snapshot, snapshot.tables[0])[-1] == b'{"id":1000,"n":1000}'
    with pytest.raises(SnapshotGoneError, match="was changed"):
        snapshot.digest(snapshot.tables[0])


def test_who_may_not_stop_the_binary_log_holds_changes_of_a_table_up_until_the_end(mariadb, shop, opened):
    snapshot = opened(as_user(mariadb, shop, f"SELECT ON {shop}.*").snapshot([]))
    reading = snapshot.rows(snapshot.tables[0], after=None, batch_rows=100)
    next(reading)
    change = ("SET SESSION lock_wait_timeout = 1", "ALTER TABLE t ADD COLUMN m int")
    with pytest.raises(OperationalError, match="Lock wait timeout"):
        mariadb.run(*change, database=shop)
    assert sum(len(batch.keys) for batch in reading) == 900
    snapshot.close()
    mariadb.run(*change, database=shop)


@pytest.mark.parametrize("change", ["DROP TABLE t", "TRUNCATE TABLE t", "RENAME TABLE t TO other"])
def test_a_table_that_goes_ends_the_snapshot(mariadb, shop, opened, change):
    snapshot = opened(open_database(mariadb.url(shop), mariadb.options).snapshot([]))
    mariadb.run("SET SESSION lock_wait_timeout = 5", change, database=shop)
    with pytest.raises(SnapshotGoneError):
        list(snapshot.rows(snapshot.tables[0], after=None, batch_rows=100))
    with pytest.raises(SnapshotGoneError):
        snapshot.digest(snapshot.tables[0])


def test_a_stream_that_is_left_in_the_middle_leaves_the_view_usable(mariadb, shop, opened):
    mariadb.run(
        "CREATE TABLE keyless (a int, b longtext)",
        "INSERT INTO keyless SELECT seq, REPEAT('x', 10000) FROM seq_1_to_2000",
        database=shop,
    )
    snapshot = opened(open_database(mariadb.url(shop), mariadb.options).snapshot([]))
    keyless, keyed = snapshot.tables
    reading = snapshot.rows(keyless, after=None, batch_rows=10)
    next(reading)
    mariadb.run("DELETE FROM t", "DELETE FROM keyless", database=shop)
    reading.close()
    assert len(all_rows(snapshot, keyed)) == 1000
    assert len(all_rows(snapshot, keyless)) == 2000


def test_a_wrong_password_is_told_with_where_to_give_the_right_one(mariadb, shop):
    with pytest.raises(TerminalError, match="Access denied") as raised:
        open_database(mariadb.url(shop), {"username": "root", "password": "wrong"}).snapshot([])
    assert "password" in raised.value.hint


def test_a_database_that_is_not_there_is_named(mariadb, name):
    with pytest.raises(TerminalError, match=name):
        open_database(mariadb.url(name), mariadb.options).snapshot([])


def test_a_view_is_no_table_and_a_missing_table_is_named_beside_those_there_are(mariadb, shop):
    mariadb.run("CREATE VIEW v AS SELECT * FROM t", database=shop)
    for wanted in ("v", "nowhere"):
        with pytest.raises(TerminalError, match=f"no table {wanted}") as raised:
            open_database(mariadb.url(shop), mariadb.options).snapshot([wanted])
        assert "it has t;" in raised.value.hint


def test_a_table_of_which_some_columns_may_be_read_is_refused_and_never_kept_in_part(mariadb, shop):
    database = as_user(mariadb, shop, f"SELECT (id) ON {shop}.t")
    with pytest.raises(TerminalError, match="denied") as raised:
        list(database.snapshot(["t"]).rows)
    assert "GRANT SELECT" in raised.value.hint


def test_what_a_user_may_not_see_is_said_in_the_points_words(mariadb, shop, opened):
    mariadb.run(
        "CREATE TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.n = 0",
        "CREATE PROCEDURE p() SELECT 1",
        database=shop,
    )
    few = opened(as_user(mariadb, shop, f"SELECT ON {shop}.*").snapshot([]))
    for word in ("triggers", "views", "events", "routines"):
        assert f"{word}" in few.point.words
    assert few.tables[0].structure["triggers"] == []
    all_of_it = opened(open_database(mariadb.url(shop), mariadb.options).snapshot([]))
    assert "not kept" not in all_of_it.point.words
    assert [one["name"] for one in all_of_it.structure["routines"]] == ["p"]


def test_the_position_is_where_changes_go_on_from(mariadb, shop, opened):
    snapshot = opened(open_database(mariadb.url(shop), mariadb.options).snapshot([]))
    gtid = mariadb.run("SELECT @@gtid_binlog_pos")[0][0]
    assert snapshot.point.position["gtid"] == gtid
    mariadb.run("DELETE FROM t WHERE id = 1", database=shop)
    assert mariadb.run("SELECT @@gtid_binlog_pos")[0][0] != gtid
    later = opened(open_database(mariadb.url(shop), mariadb.options).snapshot([]))
    assert later.point.position["gtid"] != gtid


def test_definers_that_the_target_lacks_can_be_left_out(mariadb, shop, opened):
    mariadb.run(
        "CREATE USER IF NOT EXISTS author@localhost",
        "CREATE DEFINER = author@localhost VIEW v AS SELECT 1 AS one",
        "CREATE DEFINER = author@localhost PROCEDURE p() SELECT 1",
        database=shop,
    )
    snapshot = opened(open_database(mariadb.url(shop), mariadb.options).snapshot([]))
    for choice, wanted in (("keep", "author@localhost"), ("none", "root@localhost")):
        target = f"{shop}_{choice}"
        restore = opened(open_database(mariadb.url(target), {**mariadb.options, "definer": choice}).restore())
        for table in snapshot.tables:
            restore.create(table)
        restore.finish(snapshot.structure, snapshot.tables)
        kept = f"SELECT DEFINER FROM information_schema.VIEWS WHERE TABLE_SCHEMA = '{target}'"
        assert mariadb.run(kept) == ((wanted,),)


def test_a_value_that_the_target_would_change_is_refused(mariadb, shop, opened):
    mariadb.run("CREATE TABLE wide (id int PRIMARY KEY, n int)", "INSERT INTO wide VALUES (1, 70000)", database=shop)
    snapshot = opened(open_database(mariadb.url(shop), mariadb.options).snapshot(["wide"]))
    table = snapshot.tables[0]
    narrow = f"{shop}_narrow"
    mariadb.make_database(narrow)
    restore = opened(open_database(mariadb.url(narrow), mariadb.options).restore())
    restore.create(table)
    mariadb.run("ALTER TABLE wide MODIFY n smallint", database=narrow)
    with pytest.raises(TerminalError, match="Out of range value for column 'n'"):
        restore.load(table, next(snapshot.rows(table, after=None, batch_rows=5)))
    assert mariadb.run("SELECT COUNT(*) FROM wide", database=narrow) == ((0,),)


def test_a_member_that_the_target_lacks_is_refused_beside_values_that_are_no_member_in_both(mariadb, shop, opened):
    mariadb.run(
        "CREATE TABLE colors (id int PRIMARY KEY, color enum('red', 'green'))",
        "SET SESSION sql_mode = ''",
        "INSERT INTO colors VALUES (1, 'red'), (2, 'none of these'), (3, 'green')",
        database=shop,
    )
    snapshot = opened(open_database(mariadb.url(shop), mariadb.options).snapshot(["colors"]))
    table = snapshot.tables[0]
    rows = next(snapshot.rows(table, after=None, batch_rows=5))
    target = f"{shop}_target"
    restore = opened(open_database(mariadb.url(target), mariadb.options).restore())
    restore.create(table)
    restore.load(table, rows)
    assert restore.digest(table) == snapshot.digest(table)
    mariadb.run("DELETE FROM colors", "ALTER TABLE colors MODIFY color enum('red')", database=target)
    with pytest.raises(TerminalError, match="'color' at row"):
        restore.load(table, rows)
    assert mariadb.run("SELECT COUNT(*) FROM colors", database=target) == ((0,),)


@pytest.fixture
def made_server(tmp_path):
    """Makes servers of a test's own."""
    with contextlib.ExitStack() as stack:

        def make(*extra):
            server = MariaServer(tmp_path, *extra)
            stack.callback(server.stop)
            server.start()
            server.make_database("shop")
            server.run(
                "CREATE TABLE t (id int PRIMARY KEY, b longblob)",
                "INSERT INTO t SELECT seq, REPEAT('x', 1000) FROM seq_1_to_5000",
                database="shop",
            )
            return server

        yield make


def test_a_server_that_ends_in_the_middle_is_away_and_a_new_snapshot_can_be_taken_when_it_is_back(made_server, opened):
    server = made_server()
    database = open_database(server.url("shop"), server.options)
    snapshot = opened(database.snapshot([]))
    reading = snapshot.rows(snapshot.tables[0], after=None, batch_rows=100)
    next(reading)
    server.stop()
    with pytest.raises(TransientError) as raised:
        next(reading)
    assert "reading shop.t" in raised.value.message
    with pytest.raises(TransientError):
        snapshot.digest(snapshot.tables[0])
    server.start()
    assert len(all_rows(opened(database.snapshot([])), snapshot.tables[0], 1000)) == 5000


def test_a_row_longer_than_the_target_takes_is_told_with_the_setting(made_server, mariadb, shop, opened):
    server = made_server("--max-allowed-packet=1M")
    mariadb.run("CREATE TABLE big (id int PRIMARY KEY, b longblob)", database=shop)
    mariadb.run("INSERT INTO big VALUES (1, REPEAT('x', 600000)), (2, 'small')", database=shop)
    snapshot = opened(open_database(mariadb.url(shop), mariadb.options).snapshot(["big"]))
    restore = opened(open_database(server.url("shop"), server.options).restore())
    restore.create(snapshot.tables[0])
    with pytest.raises(TerminalError, match="1,048,576") as raised:
        restore.load(snapshot.tables[0], next(snapshot.rows(snapshot.tables[0], after=None, batch_rows=5)))
    assert "max_allowed_packet" in raised.value.hint


def test_tls_is_asked_for_and_the_servers_certificate_is_held_to_its_authority(made_server, tmp_path, mariadb, shop):
    key, certificate = write_certificate(tmp_path)
    server = made_server(f"--ssl-cert={certificate}", f"--ssl-key={key}")

    def opened_with(**tls):
        database = open_database(server.url("shop"), {**server.options, **tls})
        with contextlib.closing(database.snapshot([])) as snapshot:
            return dict(snapshot._connection.words("SHOW STATUS LIKE 'Ssl_cipher'"))["Ssl_cipher"]

    assert opened_with()
    assert opened_with(tls="require")
    assert opened_with(tls_ca=str(certificate))
    assert not opened_with(tls="off")
    with pytest.raises(TerminalError, match="trusted") as raised:
        opened_with(tls="verify")
    assert "tls_ca" in raised.value.hint
    with pytest.raises(ConfigError):
        opened_with(tls_ca=str(tmp_path / "nowhere.pem"))
    with pytest.raises(TerminalError, match="no TLS"):
        open_database(mariadb.url(shop), {**mariadb.options, "tls": "require"}).snapshot([])


def write_certificate(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "key.pem", folder / "cert.pem"
    paths[0].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    paths[1].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return paths
