"""Couchbase: snapshots of a bucket's collections by key range, and the way back. Not proven on a real server.

The SDK is loaded with this module, its library with the first call, and never before a fork.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pyarrow as pa
from couchbase.auth import CertificateAuthenticator, PasswordAuthenticator
from couchbase.cluster import Cluster
from couchbase.kv_range_scan import RangeScan, ScanTerm
from couchbase.options import (
    ClusterOptions,
    ClusterTimeoutOptions,
    RemoveMultiOptions,
    ScanOptions,
    UpsertMultiOptions,
    UpsertOptions,
)
from couchbase.transcoder import Transcoder

from streamsink.database.couchbase import documents
from streamsink.database.couchbase.documents import Document
from streamsink.database.couchbase.failures import told
from streamsink.database.digest import RowDigest
from streamsink.database.http_client import Address, address_of
from streamsink.database.protocol import Json, Point, RowBatch, Table
from streamsink.database.sorted_spool import SortedSpool
from streamsink.errors import TerminalError, TransientError

PORT = 11210
READY_S = 20
_WORDS = (
    "each key range as it was when it was read: Couchbase has no view of a whole bucket, so what is written meanwhile "
    "may be in the snapshot or not; every document is whole"
)
_CAS = "restored documents have new versions (CAS), which the server gives"


def open_database(url: str, options: Mapping[str, str]) -> CouchbaseDatabase:
    """The bucket of a URL.

    Args:
        url: `couchbase://USER@HOST/BUCKET`, with TLS `couchbases://`.
        options: `username`, `password`, `tls_ca`, `tls_cert`, `tls_key`, `timeout_s`.

    Returns:
        The bucket, without a connection.

    Raises:
        ConfigError: They don't fit.
    """
    example = "couchbases://reader@couchbase.internal/shop"
    return CouchbaseDatabase(url, address_of(url, options, port=PORT, known=(), example=example))


class AsItIs(Transcoder):  # type: ignore[misc]
    """Gives bytes and flags as the server has them."""

    def encode_value(self, value: tuple[bytes, int]) -> tuple[bytes, int]:
        """Leave a document's bytes as they are.

        Returns:
            Bytes and flags.
        """
        return value

    def decode_value(self, value: bytes, flags: int) -> tuple[bytes, int]:
        """Leave a document's bytes undecoded.

        Args:
            value: The document's bytes.
            flags: The flags that its writer stored: format and compression.

        Returns:
            Both as they came.
        """
        return value, flags


class CouchbaseDatabase:
    """See `Database`."""

    def __init__(self, url: str, address: Address) -> None:
        self._address = address
        scheme, _, rest = url.partition("://")
        self._server = f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}"

    @property
    def name(self) -> str:
        """See `Database.name`."""
        return self._address.path

    def snapshot(self, tables: Sequence[str], point: Point | None = None) -> CouchbaseSnapshot:
        """See `Database.snapshot`."""
        assert point is None, "no point of Couchbase's returns"
        cluster = self._connect()
        try:
            return CouchbaseSnapshot(cluster, self.name, tables)
        except BaseException:
            cluster.close()
            raise

    def restore(self) -> CouchbaseRestore:
        """See `Database.restore`."""
        cluster = self._connect()
        try:
            return CouchbaseRestore(cluster, self.name)
        except BaseException:
            cluster.close()
            raise

    def _connect(self) -> Any:
        options = self._address.options
        patience = timedelta(seconds=self._address.timeout_s)
        known = {"trust_store_path": options["tls_ca"]} if options.get("tls_ca") else {}
        if options.get("tls_cert"):
            login: Any = CertificateAuthenticator(options["tls_cert"], options.get("tls_key", ""), *known.values())
        else:
            known = {"cert_path": options["tls_ca"]} if known else {}
            login = PasswordAuthenticator(self._address.username, options.get("password", ""), **known)
        timeouts = ClusterTimeoutOptions(
            bootstrap_timeout=min(timedelta(seconds=READY_S), patience),
            kv_timeout=patience,
            management_timeout=patience,
        )
        with told("opening the database"):
            return Cluster.connect(self._server, ClusterOptions(login, timeout_options=timeouts))


class CouchbaseSnapshot:
    """See `Snapshot`."""

    def __init__(self, cluster: Any, name: str, tables: Sequence[str]) -> None:
        self._cluster = cluster
        self._digests: dict[str, str] = {}
        self._name = name
        self.point = Point({}, _WORDS)
        self.structure: Json = {}
        with told(f"opening a snapshot of {name}"):
            self._bucket = cluster.bucket(name)
            known = {table.name: table for table in _tables(self._bucket)}
        missing = [table for table in tables if table not in known]
        if missing:
            raise TerminalError(
                f"{name} has no collection {', '.join(missing)}",
                hint=f"it has {', '.join(sorted(known))}; write SCOPE.COLLECTION",
            )
        self.tables = [known[table] for table in dict.fromkeys(tables or sorted(known))]

    def rows(self, table: Table, *, after: bytes | None, batch_rows: int) -> Iterator[RowBatch]:
        """See `Snapshot.rows`; the server scans its partitions side by side, so documents are sorted here, on disk."""
        digest = RowDigest(keyed=True) if after is None else None
        with contextlib.closing(SortedSpool()) as spool:
            with told(f"reading {self._name}.{table.name}"):
                start = None if after is None else ScanTerm(documents.id_of(after), exclusive=True)
                scanned = _collection(self._bucket, table).scan(
                    RangeScan(start, None), ScanOptions(transcoder=AsItIs())
                )
                for found in scanned.rows():
                    spool.add(documents.line_of(_document(found)))
            for some in _in_batches(map(documents.document_of_line, spool.lines()), batch_rows):
                keys = pa.array([documents.key_of(each.id) for each in some], pa.binary())
                if digest is not None:
                    digest.add(keys, pa.array(list(map(documents.digested, some)), pa.binary()))
                yield RowBatch(keys, pa.array(list(map(documents.value_of, some)), pa.binary()))
        if digest is not None:
            self._digests[table.name] = digest.text()

    def digest(self, table: Table) -> str:
        """The digest of all documents without their versions; known once all rows were read."""
        return self._digests.get(table.name, "")

    def close(self) -> None:
        """See `Snapshot.close`."""
        self._cluster.close()


class CouchbaseRestore:
    """See `Restore`."""

    def __init__(self, cluster: Any, name: str) -> None:
        self._cluster = cluster
        self._name = name
        with told(f"opening {name}"):
            self._bucket = cluster.bucket(name)

    def create(self, table: Table) -> None:
        """See `Restore.create`."""
        scope, collection = table.structure["scope"], table.structure["collection"]
        with told(f"making {table.name}"):
            manager = self._bucket.collections()
            scopes = {each.name: {one.name for one in each.collections} for each in manager.get_all_scopes()}
            if scope not in scopes:
                manager.create_scope(scope)
            if collection not in scopes.get(scope, ()):
                manager.create_collection(scope, collection)
                return
            found = _collection(self._bucket, table).scan(RangeScan(), ScanOptions(ids_only=True, batch_item_limit=1))
            if any(True for _ in found.rows()):
                raise TerminalError(
                    f"{self._name}.{table.name} exists and has documents",
                    hint="restore into an empty bucket, or drop the collection",
                )

    def load(self, table: Table, rows: RowBatch) -> None:
        """See `Restore.load`; what has expired by now stays away."""
        now_s = time.time()
        found = [documents.document_of(value) for value in rows.values.to_pylist()]
        live = [each for each in found if each.expiry_s is None or each.expiry_s > now_s]
        options = {
            each.id: UpsertOptions(expiry=timedelta(seconds=each.expiry_s - int(now_s)), transcoder=AsItIs())
            for each in live
            if each.expiry_s is not None
        }
        content = {each.id: (each.content, each.flags) for each in live}
        if not content:
            return
        with told(f"loading {table.name}"):
            _collection(self._bucket, table).upsert_multi(
                content, UpsertMultiOptions(transcoder=AsItIs(), per_key_options=options, return_exceptions=False)
            )

    def delete(self, table: Table, keys: pa.BinaryArray) -> None:
        """See `Restore.delete`."""
        found = [documents.id_of(key) for key in dict.fromkeys(keys.to_pylist())]
        if not found:
            return
        with told(f"deleting from {table.name}"):
            done = _collection(self._bucket, table).remove_multi(found, RemoveMultiOptions(return_exceptions=True))
            for error in (done.exceptions or {}).values():
                if type(error).__name__ != "DocumentNotFoundException":
                    raise error

    def finish(self, structure: Json, tables: Sequence[Table]) -> None:
        """See `Restore.finish`; there is nothing left to make."""

    def digest(self, table: Table) -> str:
        """The digest of all documents that the collection has now."""
        snapshot = CouchbaseSnapshot(self._cluster, self._name, [table.name])
        for _ in snapshot.rows(table, after=None, batch_rows=1_000):
            pass
        return snapshot.digest(table)

    def close(self) -> None:
        """See `Restore.close`."""
        self._cluster.close()


def _tables(bucket: Any) -> Iterator[Table]:
    """All collections, but for the server's own scopes."""
    for scope in bucket.collections().get_all_scopes():
        for one in scope.collections if not scope.name.startswith("_system") else ():
            structure = {"scope": scope.name, "collection": one.name}
            yield Table(f"{scope.name}.{one.name}", structure, ("id",), notice=_CAS)


def _collection(bucket: Any, table: Table) -> Any:
    return bucket.scope(table.structure["scope"]).collection(table.structure["collection"])


def _document(found: Any) -> Document:
    if found.id is None or found.value is None:
        raise TransientError("a scan gave a document without content", hint="this is tried again")
    content, flags = found.value
    expires = found.expiry_time
    return Document(found.id, content, flags, found.cas, int(expires.timestamp()) if expires else None)


def _in_batches(found: Iterator[Document], size: int) -> Iterator[list[Document]]:
    some: list[Document] = []
    for each in found:
        some.append(each)
        if len(some) == size:
            yield some
            some = []
    if some:
        yield some
