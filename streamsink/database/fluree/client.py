"""Calls of Fluree's HTTP interface, with its errors in our words. Knows no rows.

Facts are asked for by `/stream/query` and not by `/export`: where commits aren't indexed yet, an export of a named
graph still has what they took away (4.2.4). A stream also says by its last record that it is whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import orjson

from streamsink.database.http_client import Address, Answer, HttpClient
from streamsink.errors import StreamsinkError, TerminalError, TransientError

GRANTS = (
    "give the option token: a snapshot needs one that may read all facts of the ledger; a restore needs one that may "
    "write to it, and an administrator's to make it"
)


class FlureeClient:
    """One server and one of its ledgers. One thread owns it."""

    def __init__(self, address: Address) -> None:
        self.ledger = address.path
        self._base = "/" + address.options.get("api_base", "/v1/fluree").strip("/")
        token = address.options.get("token", "")
        self._http = HttpClient(address, {"Authorization": f"Bearer {token}"} if token else {})

    def latest(self) -> int:
        """The ledger's last transaction.

        Raises:
            TransientError: The server is away.
            TerminalError: No such ledger, or the user may not read it.
        """
        what = f"opening {self.ledger}"
        answer = self._http.ask("GET", self._path("log"), query={"limit": "1"})
        commits = self._json(answer, what).get("commits", ())
        return int(commits[0]["t"]) if commits else 0

    def exists(self) -> bool:
        """Whether the ledger is there."""
        answer = self._http.ask("GET", self._path("log"), query={"limit": "1"})
        if answer.status == 404:
            return False
        self._json(answer, f"opening {self.ledger}")
        return True

    def make(self) -> None:
        """Make the ledger."""
        body = orjson.dumps({"ledger": self.ledger})
        answer = self._http.ask("POST", f"{self._base}/create", body=body, headers=_JSON)
        self._json(answer, f"making {self.ledger}")

    def ask(self, sparql: str, what: str, *, at: int | None = None) -> list[Mapping[str, Any]]:
        """Give all rows of a query whose answer is short.

        Args:
            sparql: A SELECT.
            what: What is done, for example "reading the graphs of shop".
            at: The transaction up to which facts count; None for all.

        Returns:
            One binding for each row: variables' names with SPARQL's JSON terms.

        Raises:
            TransientError: The server is away.
            TerminalError: It refuses.
        """
        headers = {"Content-Type": _SPARQL, "Accept": "application/sparql-results+json"}
        answer = self._http.ask("POST", self._path("query", at), body=sparql.encode(), headers=headers)
        results = self._json(answer, what).get("results")
        if not isinstance(results, dict):
            raise TerminalError(f"{what}: no answer of Fluree's", hint="is this its address? See the option api_base")
        return list(results["bindings"])

    def select(self, sparql: str, what: str, *, at: int | None = None) -> Iterator[Mapping[str, Any]]:
        """Give a query's rows as they come.

        Args:
            sparql: A SELECT. Where it asks for a named graph, it must say FROM NAMED: without it, 4.2.4 streams
                nothing of that graph, and calls the answer whole.
            what: What is done, for example "reading shop.orders".
            at: The transaction up to which facts count; None for all.

        Yields:
            One binding for each row: variables' names with SPARQL's JSON terms.

        Raises:
            TransientError: The server is away, or the answer breaks off.
            TerminalError: It refuses.
        """
        path = self._path("stream/query", at)
        headers = {"Content-Type": _SPARQL}
        rows = 0
        with self._http.stream("POST", path, body=sparql.encode(), headers=headers) as (status, chunks):
            if status != 200:
                raise refusal(what, Answer(status, b"".join(chunks)))
            for record in _records(chunks, what):
                if record["type"] == "row":
                    rows += 1
                    yield record["row"]
                elif record["type"] == "error":
                    raise _failure(what, record["error"])
                elif record["type"] == "end" and record.get("rows", rows) == rows:
                    return
        raise TransientError(f"{what}: the answer breaks off", hint="this is tried again")

    def update(self, sparql: str, what: str) -> None:
        """Change the ledger in one transaction.

        Args:
            sparql: An update of one operation or more.
            what: What is done, for example "loading orders".

        Raises:
            TransientError: The server is away; the transaction may have happened.
            TerminalError: It refuses.
        """
        headers = {"Content-Type": "application/sparql-update"}
        self._json(self._http.ask("POST", self._path("update"), body=sparql.encode(), headers=headers), what)

    def close(self) -> None:
        """Let go. A second call does nothing."""
        self._http.close()

    def _path(self, call: str, at: int | None = None) -> str:
        pin = "" if at is None else f"@t:{at}"
        return f"{self._base}/{call}/{quote(self.ledger, safe='/:')}{pin}"

    def _json(self, answer: Answer, what: str) -> Any:
        if answer.status >= 300:
            raise refusal(what, answer)
        told = answer.json()
        if not isinstance(told, dict):
            raise TerminalError(f"{what}: no answer of Fluree's", hint="is this its address? See the option api_base")
        return told


_JSON = {"Content-Type": "application/json"}
_SPARQL = "application/sparql-query"


def _records(chunks: Iterator[bytes], what: str) -> Iterator[Any]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                try:
                    yield orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    raise TransientError(f"{what}: no answer of Fluree's", hint="is this its address?") from error


def _failure(what: str, error: Mapping[str, Any]) -> StreamsinkError:
    told = f"{what}: {error.get('message') or error.get('code')}"
    if error.get("code") in {"invalid_query", "fuel_exhausted", "resource_limit"}:
        return TerminalError(told, hint="raise the server's limits for this user")
    return TransientError(told, hint="the server's time for a query may be too short: raise it there")


def refusal(what: str, answer: Answer) -> StreamsinkError:
    """Find our error for an answer that isn't a success.

    Args:
        what: What was done; the message begins with it.
        answer: Status and body.

    Returns:
        A `TransientError` where another try may do, else a `TerminalError` with a hint.
    """
    told = answer.json()
    known = (told.get("message") or told.get("error")) if isinstance(told, dict) else None
    said = f"{what}: {known or answer.body[:300].decode(errors='replace').strip() or answer.status}"
    if answer.status in {401, 403}:
        return TerminalError(said, hint=GRANTS)
    if answer.status == 404:
        return TerminalError(said, hint=f"is the ledger's name right, and may the user read it? {GRANTS}")
    if answer.status in {408, 409} or answer.status >= 500:
        return TransientError(said, hint="the server is busy, or another writer came first")
    return TerminalError(said, hint="load smaller batches" if answer.status == 413 else "")
