"""One connection to a MariaDB server, and the settings that make what it sends exact. Knows no tables.

Rows come as bytes, in each column's own character set: nothing is converted on the way.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import pymysql
from pymysql.converters import encoders, escape_string
from pymysql.cursors import Cursor, SSCursor
from pymysql.err import Error, OperationalError

from streamsink.database.mariadb.failures import NO_SUCH_VARIABLE, PRIVILEGE_NEEDED, code_of, told
from streamsink.errors import ConfigError, Problem, TerminalError

Cells = tuple[bytes | None, ...]
Words = tuple[str, ...]

PORT = 3306
CONNECT_S = 30
TIMEOUT_S = 600
"""How long a statement may say nothing: `CHECKSUM TABLE` reads a whole table before it answers."""
LOCK_WAIT_S = 60
IDLE_S = 7 * 86_400
"""A store may be away for long while the snapshot stays open."""

TLS_MODES = ("prefer", "require", "verify", "off")
_OPTIONS = ("username", "password", "tls", "tls_ca", "tls_cert", "tls_key", "socket", "timeout_s", "definer")

_ALWAYS: Mapping[str, str] = {
    "time_zone": "'+00:00'",
    "sql_quote_show_create": "1",
    "wait_timeout": str(IDLE_S),
    "net_write_timeout": str(IDLE_S),
    "net_read_timeout": str(TIMEOUT_S),
    "idle_transaction_timeout": "0",
    "idle_readonly_transaction_timeout": "0",
    "max_statement_time": "0",
    "lock_wait_timeout": str(LOCK_WAIT_S),
}
"""For every session; a server that lacks one of these variables does without."""


@dataclass(frozen=True, slots=True)
class Address:
    """The place of a database, and the login for it."""

    host: str
    port: int
    database: str
    username: str
    password: str = field(repr=False)
    tls: str = "prefer"
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    socket: str = ""
    timeout_s: int = TIMEOUT_S
    definer: str = "keep"


def address_of(url: str, options: Mapping[str, str]) -> Address:
    """Make an address of a URL and options.

    Args:
        url: `mariadb://USER@HOST:PORT/DATABASE`.
        options: As the user gave them; the keys of `_OPTIONS`.

    Returns:
        The address, with TLS verified where `tls_ca` is given and `tls` is not.

    Raises:
        ConfigError: They don't fit; all problems at once.
    """
    parts = urlsplit(url)
    database = unquote(parts.path.strip("/").partition("/")[0])
    problems = [
        Problem(f"option {name}", f"is unknown; known are {', '.join(_OPTIONS)}")
        for name in sorted(set(options) - set(_OPTIONS))
    ]
    if not database:
        problems.append(Problem("database.url", "names no database: mariadb://reader@db.internal:3306/shop"))
    try:
        port = parts.port or PORT
    except ValueError as error:
        problems.append(Problem("database.url", str(error)))
        port = PORT
    for name, known in (("tls", TLS_MODES), ("definer", ("keep", "none"))):
        if options.get(name, known[0]) not in known:
            problems.append(Problem(f"option {name}", f"is one of {', '.join(known)}"))
    timeout = options.get("timeout_s", str(TIMEOUT_S))
    if not timeout.isdigit() or not 1 <= int(timeout) <= 86_400:
        problems.append(Problem("option timeout_s", "is a whole number of seconds between 1 and 86400"))
        timeout = str(TIMEOUT_S)
    if problems:
        raise ConfigError(problems)
    return Address(
        host=parts.hostname or "127.0.0.1",
        port=port,
        database=database,
        username=options.get("username") or unquote(parts.username or ""),
        password=options.get("password") or unquote(parts.password or ""),
        tls=options.get("tls") or ("verify" if options.get("tls_ca") else "prefer"),
        tls_ca=options.get("tls_ca", ""),
        tls_cert=options.get("tls_cert", ""),
        tls_key=options.get("tls_key", ""),
        socket=options.get("socket", ""),
        timeout_s=int(timeout),
        definer=options.get("definer", "keep"),
    )


class Connection:
    """An open session. One thread owns it."""

    def __init__(self, address: Address, raw: pymysql.Connection[Any]) -> None:
        self.address = address
        self._raw = raw

    @classmethod
    def open(cls, address: Address) -> Connection:
        """Connect, with the settings of every session.

        Raises:
            TransientError: The server is away.
            TerminalError: It doesn't let us in, or not with TLS.
        """
        with told(f"connecting to {address.host}:{address.port}"), _certificates_judged():
            raw = pymysql.connect(
                host=address.host,
                port=address.port,
                unix_socket=address.socket or None,
                user=address.username,
                password=address.password,
                charset="utf8mb4",
                use_unicode=False,
                conv=dict(encoders),
                autocommit=True,
                connect_timeout=CONNECT_S,
                read_timeout=address.timeout_s,
                write_timeout=address.timeout_s,
                **_tls(address),
            )
        connection = cls(address, raw)
        try:
            connection.set(_ALWAYS)
        except BaseException:
            connection.close()
            raise
        return connection

    def set(self, variables: Mapping[str, str]) -> None:
        """Set variables of the session to SQL expressions; one that the server lacks stays unset."""
        for name, value in variables.items():
            try:
                self.execute(f"SET SESSION {name} = {value}")
            except Error as error:
                if code_of(error) != NO_SUCH_VARIABLE:
                    raise

    def set_if_allowed(self, name: str, value: str) -> None:
        """Set a variable of the session.

        It stays as it is where the user lacks the privilege, or the server the variable.

        Args:
            name: The variable's name.
            value: SQL, put in as it is.
        """
        try:
            self.execute(f"SET SESSION {name} = {value}")
        except Error as error:
            if code_of(error) not in {NO_SUCH_VARIABLE, PRIVILEGE_NEEDED}:
                raise

    def execute(self, sql: str | bytes) -> int:
        """Run a statement; the number of its warnings."""
        with self._raw.cursor(Cursor) as cursor:
            cursor.execute(cast("str", sql))
            return int(cursor.warning_count)

    def cells(self, sql: str) -> Sequence[Cells]:
        """Read all rows of a result as bytes."""
        with self._raw.cursor(Cursor) as cursor:
            cursor.execute(sql)
            return cast("Sequence[Cells]", cursor.fetchall())

    def words(self, sql: str) -> list[Words]:
        """Read all rows of a result as text; "" for null."""
        return [tuple(_word(cell) for cell in row) for row in self.cells(sql)]

    def word(self, sql: str) -> str:
        """The first cell of a result; "" for null, and where there is no row."""
        rows = self.words(sql)
        return rows[0][0] if rows else ""

    @contextlib.contextmanager
    def stream(self, sql: str) -> Iterator[SSCursor]:
        """A result that is read as it comes. Left before its end, it is cut off by a second connection."""
        cursor = self._raw.cursor(SSCursor)
        try:
            cursor.execute(sql)
            yield cursor
        except GeneratorExit:
            self._cut_off()
            raise
        finally:
            with contextlib.suppress(Error):
                cursor.close()

    def _cut_off(self) -> None:
        """End the running statement, whose rows would all have to be read otherwise; the transaction stays."""
        with contextlib.suppress(Error, TerminalError):
            other = Connection.open(self.address)
            try:
                other.execute(f"KILL QUERY {self._raw.thread_id()}")
            finally:
                other.close()

    def literal(self, text: str) -> str:
        """A text in SQL."""
        return f"'{escape_string(text)}'"

    def close(self) -> None:
        """Let go. A second call does nothing."""
        with contextlib.suppress(Error, OSError):
            self._raw.close()


def _word(cell: bytes | None) -> str:
    return "" if cell is None else cell.decode(errors="replace") if isinstance(cell, bytes) else str(cell)


def _tls(address: Address) -> dict[str, Any]:
    """Make PyMySQL's TLS settings. By default TLS is used where the server has it."""
    if address.tls == "off":
        return {"ssl_disabled": True}
    if address.tls == "prefer" and not address.tls_cert:
        return {}
    try:
        context = ssl.create_default_context(cafile=address.tls_ca or None)
        if address.tls != "verify":
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if address.tls_cert:
            context.load_cert_chain(address.tls_cert, address.tls_key or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError([Problem("option tls_ca, tls_cert, tls_key", str(error))]) from error
    return {"ssl": context}


@contextlib.contextmanager
def _certificates_judged() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        cause = getattr(error, "original_exception", None)
        if isinstance(cause, ssl.SSLError):
            raise TerminalError(
                f"the server's TLS can't be trusted: {cause}", hint="give its authority as --option tls_ca=FILE"
            ) from error
        if isinstance(error.args[-1], str) and "SSL is required" in error.args[-1]:
            raise TerminalError(
                "the server has no TLS, and option tls asks for it", hint="set it up there, or take tls=off"
            ) from error
        raise
