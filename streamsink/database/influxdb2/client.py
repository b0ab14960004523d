"""Calls of InfluxDB 2.x: queries in Flux, writes in line protocol, deletes by time; errors in our words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import orjson

from streamsink.database.http_client import Address, Answer, HttpClient
from streamsink.database.influxdb2.annotated_csv import QueryFailedError, Rows, rfc3339, tables
from streamsink.errors import ConfigError, Problem, StreamsinkError, TerminalError, TransientError

GRANTS = (
    "give the option token: a snapshot needs one that may read the bucket, a restore one that may read and write it "
    "(influx auth create --read-bucket ID, --write-bucket ID)"
)
_DIALECT = {"annotations": ["datatype", "group", "default"], "header": True, "delimiter": ","}


class Influx2Client:
    """One server, one organization, one bucket. One thread owns it."""

    def __init__(self, address: Address) -> None:
        self.bucket = address.path
        self._org = address.options.get("org", "")
        if not self._org:
            raise ConfigError([Problem("option org", "is missing: the name of the organization")])
        token = address.options.get("token", "")
        self._http = HttpClient(address, {"Authorization": f"Token {token}"} if token else {})

    def select(self, flux: str, what: str) -> Iterator[Rows]:
        """Give a query's rows as they come, in no certain order.

        Args:
            flux: The query.
            what: What is done, for example "reading metrics.cpu".

        Yields:
            Rows that have the same columns.

        Raises:
            TransientError: The server is away, or stops in the middle.
            TerminalError: It refuses.
        """
        body = orjson.dumps({"query": flux, "type": "flux", "dialect": _DIALECT})
        headers = {"Content-Type": "application/json", "Accept": "application/csv"}
        query = {"org": self._org}
        with self._http.stream("POST", "/api/v2/query", query=query, body=body, headers=headers) as (status, chunks):
            if status != 200:
                raise refusal(what, Answer(status, b"".join(chunks)))
            try:
                yield from tables(chunks)
            except QueryFailedError as error:
                raise TransientError(f"{what}: {error}", hint="this is tried again") from error
            except UnicodeDecodeError as error:
                raise TerminalError(f"{what}: a text that isn't UTF-8", hint="rewrite the point") from error
            except ValueError as error:
                raise TransientError(
                    f"{what}: no answer of InfluxDB's: {error}", hint="is this its address?"
                ) from error

    def write(self, bodies: Iterable[bytes], what: str) -> None:
        """Write points of line protocol.

        Args:
            bodies: One request each, lines with times in nanoseconds.
            what: What is done, for example "loading cpu".

        Raises:
            TransientError: The server is away; some points may be written.
            TerminalError: It refuses some.
        """
        query = {"org": self._org, "bucket": self.bucket, "precision": "ns"}
        for body in bodies:
            answer = self._http.ask("POST", "/api/v2/write", query=query, body=body)
            if answer.status != 204:
                raise refusal(what, answer)

    def delete(self, measurement: str, time_ns: int, what: str) -> None:
        """Delete all points of a measurement that have one time.

        Args:
            measurement: Its name.
            time_ns: Unix time in nanoseconds.
            what: What is done, for example "deleting from cpu".

        Raises:
            TransientError: The server is away; the points may be gone.
            TerminalError: It refuses.
        """
        at = rfc3339(time_ns)
        body = {"start": at, "stop": at, "predicate": f"_measurement={flux_text(measurement)}"}
        query = {"org": self._org, "bucket": self.bucket}
        headers = {"Content-Type": "application/json"}
        answer = self._http.ask("POST", "/api/v2/delete", query=query, body=orjson.dumps(body), headers=headers)
        if answer.status != 204:
            raise refusal(what, answer)

    def close(self) -> None:
        """Let go. A second call does nothing."""
        self._http.close()


def refusal(what: str, answer: Answer) -> StreamsinkError:
    """Find our error for an answer that isn't a success.

    Args:
        what: What was done; the message begins with it.
        answer: Status and body.

    Returns:
        A `TransientError` where another try may do, else a `TerminalError` with a hint.
    """
    told = answer.json()
    known = told.get("message") if isinstance(told, dict) else None
    said = f"{what}: {known or answer.body[:300].decode(errors='replace').strip() or answer.status}"
    if answer.status in {401, 403}:
        return TerminalError(said, hint=GRANTS)
    if answer.status >= 500:
        return TransientError(said, hint="the server is busy, or stops")
    hints = {
        404: f"is the bucket there, and its name right? A restore makes none: influx bucket create. {GRANTS}",
        413: "the server takes no batch of this size",
        422: "are these points older than the bucket's retention keeps?",
    }
    if "type conflict" in said:
        return TerminalError(said, hint="restore into an empty bucket: a field has another type there")
    return TerminalError(said, hint=hints.get(answer.status, ""))


def flux_text(text: str) -> str:
    """A text in Flux."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'.replace("${", "\\${")
