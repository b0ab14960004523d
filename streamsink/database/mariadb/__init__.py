"""MariaDB's room; `open.py` asks for `open_database`."""

from streamsink.database.mariadb.database import open_database

__all__ = ["open_database"]
