"""Opens a database by its URL. Loads the client library of that one database only, and connects to nothing."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from urllib.parse import urlsplit

from streamsink.database.protocol import Database
from streamsink.errors import ConfigError, Problem

_ROOMS = {
    "mongodb": "mongodb",
    "mongodb+srv": "mongodb",
    "mariadb": "mariadb",
    "mysql": "mariadb",
    "influxdb": "influxdb",
    "influxdb+https": "influxdb",
    "influxdb2": "influxdb2",
    "influxdb2+https": "influxdb2",
    "couchbase": "couchbase",
    "couchbases": "couchbase",
    "fluree+http": "fluree",
    "fluree+https": "fluree",
}
"""Scheme to the module in this folder; each has a function `open_database(url, options)`, and an extra of its name."""


def open_database(url: str, options: Mapping[str, str]) -> Database:
    """The database that a URL names.

    Args:
        url: For example `mariadb://reader@db.internal:3306/shop`. The path's first part is the database.
        options: Settings of that kind of database, as `--option` gives them; a password belongs here.

    Returns:
        The database, without a connection.

    Raises:
        ConfigError: The scheme is unknown, the client library is missing, or URL and options don't fit.
    """
    try:
        parts = urlsplit(url)
        scheme, password = parts.scheme, parts.password
    except ValueError:
        raise ConfigError([Problem("database.url", "is not a URL")]) from None
    room = _ROOMS.get(scheme)
    if room is None:
        said = f"no database is known by {scheme}://" if scheme else "it has no scheme"
        raise ConfigError([Problem("database.url", said)], hint=f"use one of {', '.join(sorted(_ROOMS))}")
    if password is not None:
        raise ConfigError(
            [Problem("database.url", "has a password in it, which lists of processes and logs would show")],
            hint="give it as the option password, for example password=${env:DATABASE_PASSWORD}",
        )
    try:
        module = import_module(f"streamsink.database.{room}")
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("streamsink"):
            raise
        raise ConfigError(
            [Problem("database.url", f"{scheme}:// needs the package {error.name}")],
            hint=f"install it with: pip install 'streamsink[{room}]'",
        ) from error
    opened: Database = module.open_database(url, options)
    return opened
