"""InfluxDB 1.x's room; `open.py` asks for `open_database`."""

from streamsink.database.influxdb.database import open_database

__all__ = ["open_database"]
