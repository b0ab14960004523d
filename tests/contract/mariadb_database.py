"""MariaDB as the contract's databases have it."""

import contextlib
import itertools
from collections.abc import Mapping

from streamsink.database.mariadb import open_database
from streamsink.database.protocol import Database
from tests.contract.mariadb_tables import EVERY_TYPE, LOOSE, OTHER_TABLES, OTHERS, insert
from tests.servers.mariadb import MariaServer

READER_GRANTS = ("SELECT, SHOW VIEW, TRIGGER, EVENT ON `{name}`.*", "SELECT ON mysql.proc")
_STEP = 10
_numbers = itertools.count()


class MariaBackend:
    """MariaDB."""

    others: Mapping[str, int] = OTHERS
    gone = ""
    old_position: Mapping[str, object] = {}
    isolated = True
    digests = True

    def __init__(self, server: MariaServer) -> None:
        self.server = server

    def open(self, name: str) -> Database:
        return open_database(self.server.url(name), self.server.options)

    def open_as_reader(self, name: str) -> Database:
        return self._open_as(name, "reader", [grant.format(name=name) for grant in READER_GRANTS])

    def open_as_stranger(self, name: str) -> Database:
        return self._open_as(name, "stranger", [])

    def _open_as(self, name: str, user: str, grants: list[str]) -> Database:
        user = f"{user}-{next(_numbers)}"
        account = f"`{user}`@`127.0.0.1`"
        self.server.run(
            f"CREATE USER {account} IDENTIFIED BY 'a password'", *(f"GRANT {grant} TO {account}" for grant in grants)
        )
        return open_database(self.server.url(name), {"username": user, "password": "a password"})

    def open_away(self, name: str) -> Database:
        return open_database(f"mariadb://reader@127.0.0.1:1/{name}", {})

    def fill(self, name: str, rows: int) -> None:
        self.server.make_database(name)
        self._run(name, EVERY_TYPE)
        for start in range(0, rows, 1_000):
            self._run(name, insert([(at, at * _STEP) for at in range(start, min(rows, start + 1_000))]))
        self._run(name, *OTHER_TABLES)

    def write(self, name: str) -> None:
        self._run(
            name,
            insert([(0, -_STEP), (1, 10**9), (2, _STEP + 1)]),
            f"UPDATE orders SET text = 'another' WHERE id = {2 * _STEP}",
            f"DELETE FROM orders WHERE id = {3 * _STEP}",
        )

    def _run(self, name: str, *statements: str) -> None:
        with contextlib.closing(self.server.connect(name)) as connection, connection.cursor() as cursor:
            cursor.execute(LOOSE)
            for statement in statements:
                cursor.execute(statement)

    def count(self, name: str, table: str) -> int:
        return self.server.run(f"SELECT COUNT(*) FROM `{table}`", database=name)[0][0]

    def key(self, number: int) -> bytes:
        return b'{"id":%d}' % (number * _STEP)


def mariadb(request) -> MariaBackend:
    return MariaBackend(request.getfixturevalue("mariadb"))
