"""MongoDB: snapshots of collections at one cluster time, byte for byte. Knows nothing of archives.

All reads name the same `atClusterTime`, so that the view can be opened once more as long as the server keeps it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pymongo
from bson import Timestamp
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.database import Database as MongoDatabase
from pymongo.errors import OperationFailure
from pymongo.read_concern import ReadConcern

from streamsink.database import bson_rows
from streamsink.database.mongodb_batches import RawBatches, documents_of
from streamsink.database.mongodb_failures import GONE, REPLICA_SET, told
from streamsink.database.mongodb_restore import MongoRestore
from streamsink.database.protocol import Json, Point, RowBatch, Table
from streamsink.errors import ConfigError, Problem, TerminalError, TransientError

SERVER_S = 10
"""How long to look for a server, unless URL or options say otherwise."""
TRIES = 20
TRY_AGAIN_S = 0.25
"""A collection that was made a moment ago can't be read at a point yet."""

_CAPPED = "a capped collection can't be read at a point in time: it has what was there when it was read"
_TIME_SERIES = "measurements have no key, and MongoDB keeps no order of their fields; buckets are made anew"
_WORDS = "all collections at one cluster time (atClusterTime)"

Client = MongoClient[RawBSONDocument]


def open_database(url: str, options: Mapping[str, str]) -> MongoDatabaseOfUrl:
    """Open the database of a URL. Connects to nothing.

    Args:
        url: `mongodb://USER@HOST:PORT/DATABASE`, or `mongodb+srv://`.
        options: `password`, and pymongo's own, such as `tlsCAFile`.

    Returns:
        The database, without a connection.

    Raises:
        ConfigError: The URL names no database.
    """
    parts = urlsplit(url)
    name = unquote(parts.path.strip("/").partition("/")[0])
    if not name:
        raise ConfigError(
            [Problem("database.url", "names no database")], hint="write it behind the host: mongodb://host:27017/shop"
        )
    return MongoDatabaseOfUrl(url, name, dict(options))


class AtClusterTime(ReadConcern):
    """Reads at one point in time, outside of any session."""

    def __init__(self, at: Timestamp) -> None:
        super().__init__("snapshot")
        self._at = at

    @property
    def document(self) -> dict[str, Any]:
        """What the command says."""
        return {"level": "snapshot", "atClusterTime": self._at}


class MongoDatabaseOfUrl:
    """See `Database`."""

    def __init__(self, url: str, name: str, options: dict[str, str]) -> None:
        self._url = url
        self._name = name
        self._options = options

    @property
    def name(self) -> str:
        """See `Database.name`."""
        return self._name

    def snapshot(self, tables: Sequence[str], point: Point | None = None) -> MongoSnapshot:
        """See `Database.snapshot`."""
        client = self._connect()
        try:
            return MongoSnapshot(client, self._name, tables, point)
        except BaseException:
            client.close()
            raise

    def restore(self) -> MongoRestore:
        """See `Database.restore`."""
        client = self._connect()
        try:
            with told(f"opening {self._name}"):
                client.admin.command("ping")
            return MongoRestore(client, client[self._name])
        except BaseException:
            client.close()
            raise

    def _connect(self) -> Client:
        with told("opening the database"):
            options: dict[str, Any] = {"serverSelectionTimeoutMS": SERVER_S * 1000, "appname": "streamsink"}
            options |= self._options
            try:
                return MongoClient(self._url, document_class=RawBSONDocument, **options)
            except (TypeError, ValueError) as error:
                raise ConfigError([Problem("database.option", str(error))]) from error


class MongoSnapshot:
    """See `Snapshot`."""

    def __init__(self, client: Client, name: str, tables: Sequence[str], point: Point | None) -> None:
        self._client = client
        self._database: MongoDatabase[RawBSONDocument] = client[name]
        self._digests: dict[str, str] = {}
        at = None if point is None else Timestamp(*point.position["clusterTime"])
        with told(f"opening a snapshot of {name}"):
            hello = client.admin.command("hello")
            if "setName" not in hello and hello.get("msg") != "isdbgrid":
                raise TerminalError(f"the server of {name} is in no replica set", hint=REPLICA_SET)
            self._at, found = self._consistent(at, tables)
        self.tables = self._chosen(found, tables)
        self.structure = {"views": [each for each in found if each["type"] == "view"]}
        capped = any(_is_capped(table) for table in self.tables)
        words = f"{_WORDS}, capped ones apart" if capped else _WORDS
        self.point = Point({"clusterTime": [self._at.time, self._at.inc]}, words, returns=not capped)

    def _consistent(self, at: Timestamp | None, tables: Sequence[str]) -> tuple[Timestamp, list[dict[str, Any]]]:
        """A cluster time, and the collections that there are at it."""
        found = self._collections()
        for _ in range(TRIES):
            taken = self._cluster_time([each for each in found if not tables or each["name"] in tables], at)
            again = self._collections()
            if again == found and taken is not None:
                return taken, found
            found = again
        raise TransientError(
            f"collections of {self._database.name} come and go too fast for a snapshot", hint="try again later"
        )

    def _cluster_time(self, found: list[dict[str, Any]], wanted: Timestamp | None) -> Timestamp | None:
        """A point at which all collections can be read; None where one is too new. One that is wanted is tried."""
        names = [each["name"] for each in found if each["type"] != "view" and not _capped(each)]
        at = wanted
        try:
            for name in names or ["none"]:
                concern: dict[str, Any] = {"level": "snapshot"}
                concern |= {} if at is None else {"atClusterTime": at}
                answer = self._database.command(
                    {"find": name, "limit": 1, "singleBatch": True, "projection": {"_id": 1}, "readConcern": concern}
                )
                # Of a collection that isn't there no point is told.
                at = answer["cursor"].get("atClusterTime", answer["operationTime"]) if at is None else at
        except OperationFailure as error:
            if error.code not in GONE or wanted is not None:
                raise
            time.sleep(TRY_AGAIN_S)
            return None
        return at

    def _collections(self) -> list[dict[str, Any]]:
        """List all collections, with options and indexes, as extended JSON."""
        found = []
        for each in self._database.list_collections():
            told_of = bson_rows.to_json(each)
            if not told_of["name"].startswith("system."):
                found.append({key: told_of[key] for key in ("name", "type", "options")})
        for each in found:
            if each["type"] != "view":
                each["indexes"] = [bson_rows.to_json(one) for one in self._database[each["name"]].list_indexes()]
        return sorted(found, key=lambda each: str(each["name"]))

    def _chosen(self, found: list[dict[str, Any]], names: Sequence[str]) -> list[Table]:
        known = {each["name"]: each for each in found if each["type"] != "view"}
        missing = [name for name in names if name not in known]
        if missing:
            raise TerminalError(
                f"{self._database.name} has no collection {', '.join(missing)}",
                hint=f"it has {', '.join(sorted(known)) or 'none'}",
            )
        return [self._table(known[name]) for name in dict.fromkeys(names or sorted(known))]

    def _table(self, told_of: dict[str, Any]) -> Table:
        name, time_series = told_of["name"], told_of["type"] == "timeseries"
        with told(f"counting {name}"):
            estimate = None if time_series else self._database[name].estimated_document_count()
        return Table(
            name,
            structure=told_of,
            key=() if time_series else ("_id",),
            converter="bson",
            rows_estimate=estimate,
            notice=_TIME_SERIES if time_series else _CAPPED if _capped(told_of) else "",
        )

    def rows(self, table: Table, *, after: bytes | None, batch_rows: int) -> Iterator[RowBatch]:
        """See `Snapshot.rows`."""
        keyed = bool(table.key)
        assert keyed or after is None, "a table without key has no place to go on from"
        by_index = keyed and not _is_capped(table) and "clusteredIndex" not in table.structure["options"]
        digest = hashlib.md5(usedforsecurity=False) if after is None and keyed and not _is_capped(table) else None
        passed = after is None
        with told(f"reading {self._database.name}.{table.name}"):
            for documents in self._batches(table, after if by_index else None, batch_rows, by_index=by_index):
                if digest is not None:
                    digest.update(memoryview(documents.buffers()[2])[: documents.total_values_length])
                rows = bson_rows.rows_of(documents) if keyed else bson_rows.measurements_of(documents)
                if not passed:
                    rows, passed = _behind(rows, after)
                if len(rows.values):
                    yield rows
        if digest is not None:
            self._digests[table.name] = digest.hexdigest()

    def _batches(
        self, table: Table, after: bytes | None, batch_rows: int, *, by_index: bool
    ) -> Iterator[pa.BinaryArray]:
        concern = ReadConcern("majority") if _is_capped(table) else AtClusterTime(self._at)
        collection: Collection[RawBSONDocument] = self._database.get_collection(table.name, read_concern=concern)
        cursor = RawBatches(collection, batch_size=batch_rows)
        if by_index:
            cursor = cursor.hint([("_id", pymongo.ASCENDING)]).sort("_id", pymongo.ASCENDING)
            if after is not None:
                cursor = cursor.min([("_id", bson_rows.id_of(after))])
        elif table.key and not _is_capped(table):
            cursor = cursor.sort("_id", pymongo.ASCENDING)
        with cursor:
            for batch in cursor:
                yield documents_of(batch)

    def digest(self, table: Table) -> str:
        """Give `dbHash`'s digest, the MD5 of all documents in the order of `_id`; known once all rows were read."""
        return self._digests.get(table.name, "")

    def close(self) -> None:
        """See `Snapshot.close`."""
        self._client.close()


def _capped(told_of: Json) -> bool:
    return bool(told_of["options"].get("capped"))


def _is_capped(table: Table) -> bool:
    return _capped(table.structure)


def _behind(rows: RowBatch, after: bytes | None) -> tuple[RowBatch, bool]:
    """The rows behind a key, and whether it was among these."""
    for place, key in enumerate(rows.keys.to_pylist()):
        if key == after:
            return RowBatch(rows.keys.slice(place + 1), rows.values.slice(place + 1)), True
    return RowBatch(rows.keys.slice(0, 0), rows.values.slice(0, 0)), False
