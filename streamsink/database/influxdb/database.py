"""InfluxDB 1.x as a database that `open.py` opens. Connects to nothing until it is asked for something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from streamsink.database.http_client import Address, address_of
from streamsink.database.influxdb.client import InfluxClient
from streamsink.database.influxdb.restore import InfluxRestore
from streamsink.database.influxdb.snapshot import InfluxSnapshot
from streamsink.database.protocol import Point

PORT = 8086


def open_database(url: str, options: Mapping[str, str]) -> InfluxDatabase:
    """The database of a URL.

    Args:
        url: `influxdb://USER@HOST:PORT/DATABASE`, with TLS `influxdb+https://`.
        options: `username`, `password`, `tls_ca`, `tls_cert`, `tls_key`, `timeout_s`.

    Returns:
        The database, without a connection.

    Raises:
        ConfigError: They don't fit.
    """
    return InfluxDatabase(
        address_of(url, options, port=PORT, known=(), example="influxdb://reader@influx.internal:8086/metrics")
    )


class InfluxDatabase:
    """See `Database`."""

    def __init__(self, address: Address) -> None:
        self._address = address

    @property
    def name(self) -> str:
        """See `Database.name`."""
        return self._address.path

    def snapshot(self, tables: Sequence[str], point: Point | None = None) -> InfluxSnapshot:
        """See `Database.snapshot`."""
        assert point is None, "no point of InfluxDB's returns"
        client = InfluxClient(self._address)
        try:
            return InfluxSnapshot(client, tables)
        except BaseException:
            client.close()
            raise

    def restore(self) -> InfluxRestore:
        """See `Database.restore`."""
        client = InfluxClient(self._address)
        try:
            return InfluxRestore(client)
        except BaseException:
            client.close()
            raise
