"""Explains MariaDB's errors, in one table of codes. Asks no server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pymysql.err import Error, InterfaceError
from pymysql.err import InternalError as PacketError

from streamsink.errors import SnapshotGoneError, StreamsinkError, TerminalError, TransientError

DEFINITION_CHANGED, NO_SUCH_TABLE, UNKNOWN_COLUMN, TRUNCATED = 1412, 1146, 1054, 1265
NO_SUCH_VARIABLE, PRIVILEGE_NEEDED, DUPLICATE_FOREIGN_KEY = 1193, 1227, 1826
_AWAY = frozenset(
    {1040, 1053, 1077, 1079, 1080, 1129, 1152, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1226, 1317, 1927}
)
"""Connections, time-outs, locks, a server that stops: what passes."""
_LOST = frozenset({0, 2002, 2003, 2006, 2013, 2014, 2027, 2055})
_LOGIN = frozenset({1045, 1251, 1698, 2059})
_DENIED = frozenset({1044, 1142, 1143, 1227, 1370, 1419, 1449})
_CHANGED = frozenset({DEFINITION_CHANGED, 159})
"""159 is InnoDB's own number for it, in the warnings of CHECKSUM TABLE."""
_HINTS = {
    1049: "the database has to be there for a snapshot; a restore makes it, where the user may",
    1153: "raise max_allowed_packet on the server, to more than twice the longest row",
    1290: "the server takes no writes: it runs with --read-only, or as a replica",
    1366: "the server refuses bytes that are no text in the column's character set",
    NO_SUCH_TABLE: "is the name right, and may the user read it?",
}

CHANGED = "the table was changed while the snapshot was read"
AGAIN = "take the snapshot again, when no ALTER, TRUNCATE, RENAME or DROP runs"
GRANTS = (
    "a snapshot needs GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON the database, SELECT ON mysql.proc for routines; "
    "a restore needs ALL ON the database, and SET USER ON *.* for definers"
)


@contextmanager
def told(what: str, *, in_view: bool = False) -> Iterator[None]:
    """Turn errors of PyMySQL inside the block into ours.

    Args:
        what: What is done, for example "reading shop.orders".
        in_view: Whether a snapshot is open, so that a table that is gone or changed is gone from its view.

    Yields:
        Nothing.

    Raises:
        SnapshotGoneError: A table has been changed since the snapshot began.
        TransientError: The server is away.
        TerminalError: It refuses.
    """
    try:
        yield
    except Error as error:
        raise explain(error, what, in_view=in_view) from error
    except OSError as error:
        raise TransientError(f"{what}: {error}", hint="is the server up, and reachable from here?") from error


def code_of(error: Error) -> int:
    """The server's or the client's number of an error; 0 where it has none."""
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


def is_servers(error: Error) -> bool:
    """Whether the server refuses something, and the connection lives on."""
    code = code_of(error)
    return code not in _AWAY | _LOST and 1000 <= code < 2000


def explain(error: Error, what: str, *, in_view: bool = False) -> StreamsinkError:
    """Find our error for one of PyMySQL's.

    Args:
        error: PyMySQL's error.
        what: What was done, for example "reading shop.orders".
        in_view: Whether a snapshot is open. A missing table is then gone from its view.

    Returns:
        A `TransientError` where the server is away, a `SnapshotGoneError` where the view is lost, else a
        `TerminalError`.
    """
    code = code_of(error)
    said = f"{what}: {_line(error)}"
    if code in _AWAY or code in _LOST or (isinstance(error, InterfaceError | PacketError) and code < 1000):
        return TransientError(said, hint="is the server up, and reachable from here?")
    if code in _CHANGED or (in_view and code in {NO_SUCH_TABLE, UNKNOWN_COLUMN}):
        return SnapshotGoneError(
            f"{said}: {CHANGED}",
            hint=AGAIN,
        )
    if code in _LOGIN:
        return TerminalError(said, hint="give the right user in the URL, and --option password=...")
    if code in _DENIED:
        return TerminalError(said, hint=GRANTS)
    return TerminalError(said, hint=_HINTS.get(code, ""))


def _line(error: Error) -> str:
    words = [str(part) for part in error.args[1:]] or [str(error) or type(error).__name__]
    code = code_of(error)
    return " ".join(" ".join(words).split()) + (f" (error {code})" if code else "")
