"""The way back into MongoDB: collections with their options and indexes, documents byte for byte."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from bson.raw_bson import RawBSONDocument
from pymongo import DeleteMany, MongoClient, ReplaceOne
from pymongo.database import Database as MongoDatabase
from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError

from streamsink.database import bson_rows
from streamsink.database.mongodb_failures import told
from streamsink.database.protocol import Json, RowBatch, Table
from streamsink.errors import TerminalError

_DUPLICATE = 11000
_UNTOLD = frozenset({13, 59, 20})
"""Codes of a server that has no `dbHash`, as a router, or doesn't let this user ask."""


class MongoRestore:
    """See `Restore`."""

    def __init__(self, client: MongoClient[RawBSONDocument], database: MongoDatabase[RawBSONDocument]) -> None:
        self._client = client
        self._database = database

    def create(self, table: Table) -> None:
        """See `Restore.create`."""
        name = table.name
        options = bson_rows.from_json(table.structure.get("options", {}))
        with told(f"making {name}"):
            if any(True for _ in self._database.list_collections(filter={"name": name})):
                if self._database[name].find_one() is not None:
                    raise TerminalError(
                        f"{self._database.name}.{name} exists and has documents",
                        hint="restore into an empty database, or drop the collection",
                    )
                self._database.drop_collection(name)
            self._database.command({"create": name, **options})

    def load(self, table: Table, rows: RowBatch) -> None:
        """See `Restore.load`."""
        documents = bson_rows.raw_documents(rows.values)
        if not documents:
            return
        collection = self._database[table.name]
        # What a validator would refuse may be older than it. To pass it by takes the role dbAdmin.
        bypass = True if "validator" in table.structure.get("options", {}) else None
        with told(f"loading {table.name}"):
            try:
                collection.insert_many(documents, ordered=False, bypass_document_validation=bypass)
            except BulkWriteError as error:
                wrong = error.details["writeErrors"]
                if any(each["code"] != _DUPLICATE for each in wrong):
                    raise TerminalError(f"loading {table.name}: {wrong[0]['errmsg']}") from error
                again = [documents[each["index"]] for each in wrong]
                replaced = [ReplaceOne({"_id": one["_id"]}, one, upsert=True) for one in again]
                collection.bulk_write(replaced, ordered=False, bypass_document_validation=bypass)

    def delete(self, table: Table, keys: pa.BinaryArray) -> None:
        """See `Restore.delete`."""
        found = [bson_rows.id_of(key) for key in keys.to_pylist()]
        if found:
            with told(f"deleting from {table.name}"):
                self._database[table.name].bulk_write([DeleteMany({"_id": {"$in": found}})])

    def finish(self, structure: Json, tables: Sequence[Table]) -> None:
        """See `Restore.finish`."""
        for table in tables:
            with told(f"finishing {table.name}"):
                self._finish(table)
        for view in structure.get("views", ()):
            with told(f"making the view {view['name']}"):
                if not any(True for _ in self._database.list_collections(filter={"name": view["name"]})):
                    self._database.command({"create": view["name"], **bson_rows.from_json(view["options"])})

    def _finish(self, table: Table) -> None:
        options = bson_rows.from_json(table.structure.get("options", {}))
        # An index that has none is said to have none: else it would take the collection's.
        plain = {"collation": {"locale": "simple"}} if "collation" in options else {}
        indexes = [bson_rows.from_json(one) for one in table.structure.get("indexes", ())]
        wanted = [
            {**plain, **_without(one, ("ns",))}
            for one in indexes
            if one["name"] != "_id_" and not one.get("clustered", False)
        ]
        if wanted:
            self._database.command({"createIndexes": table.name, "indexes": wanted})

    def digest(self, table: Table) -> str:
        """Ask `dbHash` for the collection's digest. The command holds up writes to the database while it reads."""
        try:
            answer = self._database.command({"dbHash": 1, "collections": [table.name]})
        except OperationFailure as error:
            if error.code in _UNTOLD:
                return ""
            with told(f"comparing {table.name}"):
                raise
        except PyMongoError:
            with told(f"comparing {table.name}"):
                raise
        return str(answer["collections"].get(table.name, ""))

    def close(self) -> None:
        """See `Restore.close`."""
        self._client.close()


def _without(document: Any, names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}
