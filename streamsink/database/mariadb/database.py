"""MariaDB as a database that `open.py` opens. Connects to nothing until it is asked for something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streamsink.database.mariadb.connection import Address, Connection, address_of
from streamsink.database.mariadb.restore import MariaRestore
from streamsink.database.mariadb.snapshot import MariaSnapshot
from streamsink.database.protocol import Point


def open_database(url: str, options: Mapping[str, str]) -> MariaDatabase:
    """The database of a URL.

    Args:
        url: `mariadb://USER@HOST:PORT/DATABASE`.
        options: `username`, `password`, `tls` (`prefer`, `require`, `verify`, `off`), `tls_ca`, `tls_cert`, `tls_key`,
            `socket`, `timeout_s`, `definer` (`keep`, `none`).

    Returns:
        The database, without a connection.

    Raises:
        ConfigError: They don't fit.
    """
    return MariaDatabase(address_of(url, options))


class MariaDatabase:
    """See `Database`."""

    def __init__(self, address: Address) -> None:
        self._address = address

    @property
    def name(self) -> str:
        """See `Database.name`."""
        return self._address.database

    def snapshot(self, tables: Sequence[str], point: Point | None = None) -> MariaSnapshot:
        """See `Database.snapshot`."""
        assert point is None, "no point of MariaDB's returns"
        connection = Connection.open(self._address)
        try:
            return MariaSnapshot(connection, tables)
        except BaseException:
            connection.close()
            raise

    def restore(self) -> MariaRestore:
        """See `Database.restore`."""
        connection = Connection.open(self._address)
        try:
            return MariaRestore(connection)
        except BaseException:
            connection.close()
            raise
