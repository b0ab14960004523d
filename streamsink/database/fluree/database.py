"""Fluree: snapshots of a ledger's graphs at one transaction `t`, and the way back. Knows nothing of archives."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import pyarrow as pa

from streamsink.database.fluree import triples
from streamsink.database.fluree.client import FlureeClient
from streamsink.database.http_client import Address, address_of
from streamsink.database.protocol import Json, Point, RowBatch, Table
from streamsink.database.sorted_spool import SortedSpool
from streamsink.errors import ConfigError, Problem, SnapshotGoneError, TerminalError

PORT = 8090
DEFAULT = "default"
"""The name of the graph that has none."""
LOAD_NODES, LOAD_BYTES = 5_000, 4 * 1024 * 1024
"""At most in one transaction. Each one costs the server the more the larger the ledger has grown."""
FORGET_NODES = 500
_SYSTEM = ("#txn-meta", "#config")
_WORDS = "all graphs at one transaction (t)"


def open_database(url: str, options: Mapping[str, str]) -> FlureeDatabase:
    """The ledger of a URL.

    Args:
        url: `fluree+http://HOST:PORT/LEDGER`, with TLS `fluree+https://`.
        options: `token`, `at` (a past `t`), `api_base`, `tls_ca`, `tls_cert`, `tls_key`, `timeout_s`.

    Returns:
        The ledger, without a connection.

    Raises:
        ConfigError: They don't fit.
    """
    known = ("token", "at", "api_base")
    address = address_of(url, options, port=PORT, known=known, example="fluree+http://fluree.internal:8090/shop")
    at = options.get("at", "")
    if at and not at.isdigit():
        raise ConfigError([Problem("option at", "is the number of a transaction, for example 42")])
    return FlureeDatabase(address, int(at) if at else None)


class FlureeDatabase:
    """See `Database`."""

    def __init__(self, address: Address, at: int | None) -> None:
        self._address = address
        self._at = at

    @property
    def name(self) -> str:
        """See `Database.name`."""
        return self._address.path

    def snapshot(self, tables: Sequence[str], point: Point | None = None) -> FlureeSnapshot:
        """See `Database.snapshot`."""
        client = FlureeClient(self._address)
        try:
            return FlureeSnapshot(client, tables, self._at if point is None else int(point.position["t"]))
        except BaseException:
            client.close()
            raise

    def restore(self) -> FlureeRestore:
        """See `Database.restore`."""
        client = FlureeClient(self._address)
        try:
            return FlureeRestore(client)
        except BaseException:
            client.close()
            raise


class FlureeSnapshot:
    """See `Snapshot`."""

    def __init__(self, client: FlureeClient, tables: Sequence[str], at: int | None) -> None:
        self._client = client
        latest = client.latest()
        if at is not None and at > latest:
            raise SnapshotGoneError(
                f"{client.ledger} has no transaction {at}: it ends at {latest}",
                hint="a ledger keeps its whole history, so it was dropped and made anew: take a new snapshot",
            )
        self._at = latest if at is None else at
        self.point = Point({"t": self._at}, _WORDS, returns=True)
        self.tables = self._chosen(tables)
        self.structure: Json = {}

    def _chosen(self, names: Sequence[str]) -> list[Table]:
        known = {DEFAULT: Table(DEFAULT, {"graph": ""}, ("@id",))}
        sparql = "SELECT DISTINCT ?g WHERE { GRAPH ?g { ?s ?p ?o } }"
        for row in self._client.ask(sparql, f"reading the graphs of {self._client.ledger}", at=self._at):
            graph = row["g"]["value"]
            if not graph.endswith(_SYSTEM):
                known[graph] = Table(graph, {"graph": graph}, ("@id",))
        missing = [name for name in names if name not in known]
        if missing:
            raise TerminalError(
                f"{self._client.ledger} has no graph {', '.join(missing)} at t {self._at}",
                hint=f"it has {', '.join(sorted(known))}",
            )
        return [known[name] for name in dict.fromkeys(names or sorted(known))]

    def rows(self, table: Table, *, after: bytes | None, batch_rows: int) -> Iterator[RowBatch]:
        """See `Snapshot.rows`; the server tells facts in an order that it chooses, so they are sorted here, on disk."""
        behind = None if after is None else triples.subject_of(after)
        with contextlib.closing(SortedSpool()) as spool:
            what = f"reading {self._client.ledger}.{table.name}"
            for binding in self._client.select(_all(table), what, at=self._at):
                spool.add(triples.line_of(binding))
            yield from _batched(triples.nodes(spool.lines()), behind, batch_rows)

    def digest(self, table: Table) -> str:  # noqa: ARG002
        """Give "": Fluree has no digest."""
        return ""

    def close(self) -> None:
        """See `Snapshot.close`."""
        self._client.close()


class FlureeRestore:
    """See `Restore`."""

    def __init__(self, client: FlureeClient) -> None:
        self._client = client
        self._last: dict[str, bytes] = {}
        if not client.exists():
            client.make()

    def create(self, table: Table) -> None:
        """See `Restore.create`; a graph is made with its first fact."""
        found = f"SELECT ?s WHERE {{ {_in_graph(table, '?s ?p ?o')} }} LIMIT 1"
        if self._client.ask(found, f"making {table.name}"):
            raise TerminalError(
                f"{self._client.ledger}.{table.name} exists and has facts",
                hint="restore into an empty ledger, or drop the graph",
            )
        self._last[table.name] = b""

    def load(self, table: Table, rows: RowBatch) -> None:
        """See `Restore.load`."""
        for keys, facts in _transactions(rows):
            if not self._are_new(table, keys):
                # Two transactions: in one, 4.2.4 mixes up new namespaces. Doing both again changes nothing.
                self._forget(table, keys, f"loading {table.name}")
            self._client.update(f"INSERT DATA {{ {_in_graph(table, facts)} }}", f"loading {table.name}")

    def _are_new(self, table: Table, keys: Sequence[bytes]) -> bool:
        """Whether no such subject can be there: the graph was empty, and smaller ones alone were sent since."""
        last = self._last.get(table.name)
        if last is None:
            return False
        subjects = [triples.subject_of(key).encode() for key in keys]
        self._last[table.name] = max(last, *subjects)
        return all(before < behind for before, behind in pairwise([last, *subjects]))

    def delete(self, table: Table, keys: pa.BinaryArray) -> None:
        """See `Restore.delete`."""
        self._forget(table, keys.to_pylist(), f"deleting from {table.name}")

    def _forget(self, table: Table, keys: Sequence[bytes], what: str) -> None:
        for start in range(0, len(keys), FORGET_NODES):
            self._client.update(_forget(table, keys[start : start + FORGET_NODES]), what)

    def finish(self, structure: Json, tables: Sequence[Table]) -> None:
        """See `Restore.finish`; there is nothing left to make."""

    def digest(self, table: Table) -> str:  # noqa: ARG002
        """Give "": Fluree has no digest."""
        return ""

    def close(self) -> None:
        """See `Restore.close`."""
        self._client.close()


def _in_graph(table: Table, pattern: str) -> str:
    graph = table.structure["graph"]
    return f"GRAPH {triples.iri(graph)} {{ {pattern} }}" if graph else pattern


def _all(table: Table) -> str:
    graph = table.structure["graph"]
    named = f"FROM NAMED {triples.iri(graph)} " if graph else ""
    return f"SELECT ?s ?p ?o {named}WHERE {{ {_in_graph(table, '?s ?p ?o')} }}"


def _forget(table: Table, keys: Sequence[bytes]) -> str:
    """An update that takes away all that is said of some subjects."""
    subjects = " ".join(triples.iri(triples.subject_of(key)) for key in dict.fromkeys(keys))
    old = _in_graph(table, "?s ?p ?o")
    return f"DELETE {{ {old} }} WHERE {{ VALUES ?s {{ {subjects} }} {old} }}"


def _transactions(rows: RowBatch) -> Iterator[tuple[list[bytes], str]]:
    """Keys, and all facts of their nodes, as many as one transaction takes."""
    keys: list[bytes] = []
    facts: list[str] = []
    size_bytes = 0
    for key, value in zip(rows.keys.to_pylist(), rows.values.to_pylist(), strict=True):
        if keys and (len(keys) == LOAD_NODES or size_bytes + len(value) > LOAD_BYTES):
            yield keys, "\n".join(facts)
            keys, facts, size_bytes = [], [], 0
        keys.append(key)
        facts += triples.statements(value)
        size_bytes += len(value)
    if keys:
        yield keys, "\n".join(facts)


def _batched(nodes: Iterator[tuple[str, bytes, bytes]], behind: str | None, batch_rows: int) -> Iterator[RowBatch]:
    keys: list[bytes] = []
    values: list[bytes] = []
    for subject, key, value in nodes:
        # Names sort as their bytes do, which is not how Python sorts text.
        if behind is not None and subject.encode() <= behind.encode():
            continue
        keys.append(key)
        values.append(value)
        if len(keys) == batch_rows:
            yield RowBatch(pa.array(keys, pa.binary()), pa.array(values, pa.binary()))
            keys, values = [], []
    if keys:
        yield RowBatch(pa.array(keys, pa.binary()), pa.array(values, pa.binary()))
