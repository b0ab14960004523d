"""Fluree's room; `open.py` asks for `open_database`."""

from streamsink.database.fluree.database import open_database

__all__ = ["open_database"]
