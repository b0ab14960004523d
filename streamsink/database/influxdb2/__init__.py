"""InfluxDB 2.x's room; `open.py` asks for `open_database`."""

from streamsink.database.influxdb2.database import open_database

__all__ = ["open_database"]
