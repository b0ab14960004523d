"""Queries and writes of InfluxDB 1.x over HTTP: answers in msgpack, which keeps every number; errors in our words.

JSON is not asked for: it turns -0.0 into an integer. Knows no tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import urlencode

import msgpack
from urllib3 import make_headers

from streamsink.database.http_client import Address, Answer, HttpClient
from streamsink.errors import StreamsinkError, TerminalError, TransientError

CHUNK_ROWS = 10_000
ANSWER_BYTES_MAX = 1 << 31

GRANTS = (
    "a snapshot needs GRANT READ ON the database TO the user, and of an administrator it reads shards exactly; "
    "a restore needs an administrator, who alone may create databases, policies and continuous queries"
)
_PASSING = re.compile(
    r"timeout|engine is closed|shard is disabled|max-concurrent|hinted handoff|query interrupted|cache-max"
)
_HINTS = {
    "authoriz": GRANTS,
    "field type conflict": "restore into an empty database: one of its shards has this field with another type",
    "beyond retention policy": "the policy was in use and is left as it is: restore into an empty database",
    "database not found": "a snapshot needs the database; a restore makes it",
}

Series = dict[str, Any]


class InfluxClient:
    """One server and one of its databases. One thread owns it."""

    def __init__(self, address: Address) -> None:
        self.database = address.path
        password = address.options.get("password", "")
        headers = make_headers(basic_auth=f"{address.username}:{password}") if address.username else {}
        self._http = HttpClient(address, headers)

    def series(self, statement: str, what: str) -> list[Series]:
        """Read all series of a small result.

        Args:
            statement: InfluxQL.
            what: What is done, for example "reading shop.orders".

        Returns:
            Series as InfluxDB has them: `name`, `tags`, `columns`, `values`.

        Raises:
            TransientError: The server is away, or stops in the middle.
            TerminalError: It refuses.
        """
        return list(self.stream(statement, what))

    def rows(self, statement: str, what: str) -> list[list[Any]]:
        """Read all rows of a small result, from all its series.

        Args:
            statement: InfluxQL.
            what: What is done, for example "reading shop.orders".

        Returns:
            One list of cells for each row; times are nanoseconds.

        Raises:
            TransientError: The server is away, or stops in the middle.
            TerminalError: It refuses.
        """
        return [row for one in self.stream(statement, what) for row in one.get("values", ())]

    def stream(self, statement: str, what: str) -> Iterator[Series]:
        """Give a result's series as they come, each of at most `CHUNK_ROWS` rows.

        Args:
            statement: InfluxQL.
            what: What is done, for example "reading shop.orders".

        Yields:
            Series as InfluxDB has them. A long one comes in several pieces.

        Raises:
            TransientError: The server is away, or stops in the middle.
            TerminalError: It refuses.
        """
        form = {"db": self.database, "epoch": "ns", "chunked": "true", "chunk_size": str(CHUNK_ROWS)}
        headers = {"Accept": "application/x-msgpack", "Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode({"q": statement}).encode()
        with self._http.stream("POST", "/query", query=form, body=body, headers=headers) as (status, chunks):
            if status != 200:
                raise explained(what, Answer(status, b"".join(chunks)))
            unpacker = msgpack.Unpacker(strict_map_key=False, max_buffer_size=ANSWER_BYTES_MAX)
            for chunk in chunks:
                unpacker.feed(chunk)
                yield from _series(unpacker, what)

    def write(self, bodies: Iterable[bytes], policy: str, what: str) -> None:
        """Write points of line protocol into a retention policy.

        Args:
            bodies: One request each, lines with times in nanoseconds.
            policy: The retention policy's name.
            what: What is done, for example "loading orders".

        Raises:
            TransientError: The server is away; some points may be written.
            TerminalError: It refuses some.
        """
        for body in bodies:
            query = {"db": self.database, "rp": policy, "precision": "ns"}
            answer = self._http.ask("POST", "/write", query=query, body=body)
            if answer.status != 204:
                raise explained(what, answer)

    def close(self) -> None:
        """Let go. A second call does nothing."""
        self._http.close()


def _series(unpacker: Any, what: str) -> Iterator[Series]:
    try:
        for told in unpacker:
            results = told.get("results", ())
            for error in (told.get("error"), *(result.get("error") for result in results)):
                if error:
                    raise refusal(what, 200, error)
            for result in results:
                yield from result.get("series") or ()
    except UnicodeDecodeError as error:
        raise TerminalError(
            f"{what}: a text that isn't UTF-8", hint="JSON has no form for it; rewrite the point"
        ) from error
    except (ValueError, msgpack.UnpackException, AttributeError) as error:
        raise TransientError(f"{what}: no answer of InfluxDB's", hint="is this the server's address?") from error


def explained(what: str, answer: Answer) -> StreamsinkError:
    """Find our error for an answer that isn't a success.

    Args:
        what: What was done; the message begins with it.
        answer: Status and body, in JSON or msgpack.

    Returns:
        See `refusal`.
    """
    told = answer.json()
    if told is None and answer.body[:1] >= b"\x80":
        told = msgpack.unpackb(answer.body)
    said = told.get("error") if isinstance(told, dict) else None
    return refusal(what, answer.status, said or answer.body[:300].decode(errors="replace").strip())


def refusal(what: str, status: int, said: str) -> StreamsinkError:
    """Find our error for the server's words.

    Args:
        what: What was done; the message begins with it.
        status: The HTTP status; 200 for an error inside a result.
        said: The server's words; "" for none.

    Returns:
        A `TransientError` where another try may do, else a `TerminalError` with a hint.
    """
    told = f"{what}: {said or status}"
    if status >= 500 or _PASSING.search(said):
        return TransientError(told, hint="the server is busy, or stops")
    if status == 401:
        return TerminalError(told, hint="give the right user in the URL, and --option password=...")
    if status == 403:
        return TerminalError(told, hint=GRANTS)
    by_status = {
        404: "is this the address of InfluxDB 1.x? For 2.x take influxdb2://",
        413: "raise max-body-size there",
    }
    known = next((hint for words, hint in _HINTS.items() if words in said), by_status.get(status, ""))
    return TerminalError(told, hint=known)


def quoted(name: str) -> str:
    """An identifier in InfluxQL."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def literal(text: str) -> str:
    """A text in InfluxQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"
