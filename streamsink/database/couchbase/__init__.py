"""Couchbase's room; `open.py` asks for `open_database`."""

from streamsink.database.couchbase.database import open_database

__all__ = ["open_database"]
