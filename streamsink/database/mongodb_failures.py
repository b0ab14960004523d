"""Explains MongoDB's errors, in one table of codes. Asks no server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    InvalidURI,
    OperationFailure,
    PyMongoError,
)

from streamsink.errors import ConfigError, Problem, SnapshotGoneError, StreamsinkError, TerminalError, TransientError

GONE = frozenset({239, 246})
"""SnapshotTooOld, SnapshotUnavailable."""
_DENIED = frozenset({8000, 13, 18})
_NO_REPLICA_SET = frozenset({123, 20})
_PASSING = frozenset({43, 91, 112, 136, 175, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436})
"""A cursor that was killed, a server that stops or steps down, a write that met another."""

GRANTS = "give the user the role read on the database to take snapshots, and readWrite with dbAdmin to restore"
WINDOW = (
    "MongoDB keeps a view for minSnapshotHistoryWindowInSeconds, 300 s by default: raise it with "
    "db.adminCommand({setParameter: 1, minSnapshotHistoryWindowInSeconds: 3600}), or take fewer tables at a time"
)
REPLICA_SET = "a snapshot needs a replica set; one member is enough: start mongod with --replSet rs0, and rs.initiate()"


@contextmanager
def told(what: str) -> Iterator[None]:
    """Turn errors of pymongo inside the block into ours.

    Args:
        what: What is done, for example "reading shop.orders".

    Yields:
        Nothing.

    Raises:
        SnapshotGoneError: The server no longer keeps the view.
        TransientError: The server is away.
        TerminalError: It refuses.
        ConfigError: URL or options can't be used.
    """
    try:
        yield
    except PyMongoError as error:
        raise explain(error, what) from error


def explain(error: PyMongoError, what: str) -> StreamsinkError:
    """Find our error for one of pymongo's.

    Args:
        error: pymongo's error.
        what: What was done, for example "reading shop.orders".

    Returns:
        The error, of a class that `told` may raise.
    """
    code = error.code if isinstance(error, OperationFailure) else None
    said = f"{what}: {_line(error)}"
    if isinstance(error, ConnectionFailure) or code in _PASSING:
        return TransientError(said, hint="is the server up, and reachable from here?")
    if isinstance(error, (ConfigurationError, InvalidURI)):
        return ConfigError([Problem("database.url", _line(error))])
    if code in GONE:
        return SnapshotGoneError(said, hint=WINDOW)
    if code in _DENIED:
        return TerminalError(said, hint=GRANTS)
    if code in _NO_REPLICA_SET and "replica set" in str(error).lower():
        return TerminalError(said, hint=REPLICA_SET)
    return TerminalError(said)


def _line(error: PyMongoError) -> str:
    """Give the server's words, without the whole answer behind them."""
    text = str(error).partition(", full error:")[0].partition(", Timeout:")[0]
    return " ".join(text.split())
