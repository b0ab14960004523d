"""The databases that the contract of `streamsink/database/protocol.py` is held to: real servers, one entry each.

A backend makes tables in a database of the server, changes them as an application would, and opens the same database as
`streamsink database` does. All its tables are: `ORDERS`, with a key and a column of every type that the database has;
whatever else is in `others`, by name, with the number of rows that `fill` makes.
"""

import datetime as dt
import itertools
import uuid
from collections.abc import Callable, Mapping
from typing import Protocol

import bson
import pymongo
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.codec_options import CodecOptions
from bson.dbref import DBRef

from streamsink.database.mongodb import open_database as open_mongodb
from streamsink.database.protocol import Database
from tests.contract.fluree_database import fluree
from tests.contract.influxdb2_database import influxdb2
from tests.contract.influxdb_database import influxdb
from tests.contract.mariadb_database import mariadb
from tests.servers.mongodb import PASSWORD, MongoServer

ORDERS = "orders"
_numbers = itertools.count()


class DatabaseBackend(Protocol):
    """What the suite must be able to do with a server."""

    others: Mapping[str, int]
    """Tables beside `ORDERS` that `fill` makes, and how many rows each has."""
    gone: str
    """What a hint says of a view that the server no longer keeps; "" where no view can be opened again."""
    old_position: Mapping[str, object]
    """Of a view that the server no longer keeps."""
    isolated: bool
    """Whether what is written after a view was opened stays out of it; `Point.words` says where it may not."""
    digests: bool
    """Whether the database has a digest of a table; without one, equal tables must give equal rows."""

    def open(self, name: str) -> Database:
        """As one who may do everything."""
        ...

    def open_as_reader(self, name: str) -> Database:
        """As a user with the grants that the documentation asks for."""
        ...

    def open_as_stranger(self, name: str) -> Database:
        """As a user who may log in and read nothing."""
        ...

    def open_away(self, name: str) -> Database:
        """Of a server that isn't there."""
        ...

    def fill(self, name: str, rows: int) -> None:
        """Make the tables, `ORDERS` with so many rows of every type."""
        ...

    def write(self, name: str) -> None:
        """Insert a row before, one between and one behind those of `ORDERS`, change one, delete one."""
        ...

    def count(self, name: str, table: str) -> int:
        """How many rows a table has now."""
        ...

    def key(self, number: int) -> bytes:
        """The key, as `RowBatch.keys` has it, of the row that `fill` made as number `number`."""
        ...


class MongoBackend:
    """MongoDB."""

    others: Mapping[str, int] = {"capped": 20, "measured": 50, "empty": 0, "sorted": 3}
    gone = "minSnapshotHistoryWindowInSeconds"
    old_position: Mapping[str, object] = {"clusterTime": [1_700_000_000, 1]}
    isolated = True
    digests = True

    def __init__(self, server: MongoServer) -> None:
        self.server = server

    def open(self, name: str) -> Database:
        return open_mongodb(self.server.url(name, user="admin"), {"password": PASSWORD})

    def open_as_reader(self, name: str) -> Database:
        return self._open_as(name, "reader", [{"role": "read", "db": name}])

    def open_as_stranger(self, name: str) -> Database:
        return self._open_as(name, "stranger", [{"role": "read", "db": "another"}])

    def _open_as(self, name: str, user: str, roles: list) -> Database:
        user = f"{user}-{next(_numbers)}"
        self.server.client.admin.command("createUser", user, pwd="p" * 12, roles=roles)
        return open_mongodb(self.server.url(name, user=user), {"password": "p" * 12})

    def open_away(self, name: str) -> Database:
        return open_mongodb(f"mongodb://127.0.0.1:1/{name}", {"serverSelectionTimeoutMS": "300"})

    def fill(self, name: str, rows: int) -> None:
        database = self.server.client[name]
        database.create_collection(ORDERS, collation={"locale": "de"})
        for start in range(0, rows, 5_000):
            database[ORDERS].insert_many([every_type(number) for number in range(start, min(rows, start + 5_000))])
        database[ORDERS].create_index([("number", pymongo.DESCENDING)], unique=True, name="by_number")
        database[ORDERS].create_index([("text", pymongo.TEXT)], collation={"locale": "simple"})
        database[ORDERS].create_index("time", expireAfterSeconds=10**9, partialFilterExpression={"flag": True})
        database.command("collMod", ORDERS, validator={"number": {"$gt": 0}}, validationAction="error")
        database.create_collection("capped", capped=True, size=100_000, max=1_000)
        database["capped"].insert_many([{"_id": 20 - number} for number in range(20)])
        database.create_collection("measured", timeseries={"timeField": "at", "metaField": "of"})
        at = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
        second = dt.timedelta(seconds=1)
        database["measured"].insert_many([{"at": at + n * second, "of": n % 3, "ms": n / 7} for n in range(50)])
        database.create_collection("empty", changeStreamPreAndPostImages={"enabled": True})
        database.create_collection("sorted", clusteredIndex={"key": {"_id": 1}, "unique": True})
        database["sorted"].insert_many([{"_id": "c"}, {"_id": "a"}, {"_id": "b"}])
        database.command("create", "few", viewOn=ORDERS, pipeline=[{"$match": {"number": {"$lt": 5}}}])

    def write(self, name: str) -> None:
        orders = self.server.client[name][ORDERS]
        orders.insert_many([{"_id": _id(-1), "number": 10**6}, {"_id": _id(10**6), "number": 10**6 + 1}])
        orders.insert_one({"_id": ObjectId(_id(1).binary[:-1] + b"\xff"), "number": 10**6 + 2})
        orders.update_one({"_id": _id(2)}, {"$set": {"text": "another"}})
        orders.delete_one({"_id": _id(3)})

    def count(self, name: str, table: str) -> int:
        return self.server.client[name][table].count_documents({})

    def key(self, number: int) -> bytes:
        return b'{"_id":{"$oid":"%s"}}' % str(_id(number)).encode()


def _id(number: int) -> ObjectId:
    return ObjectId((number + 10**6).to_bytes(11, "big") + b"\x00")


def every_type(number: int) -> dict:
    """A document with a value of every BSON type."""
    return {
        "_id": _id(number),
        "number": number,
        "text": f"Bestellung {number} über Äpfel 🍏",
        "double": number / 3,
        "whole_double": float(number),
        "long": Int64(number * 10**12),
        "flag": number % 2 == 0,
        "time": dt.datetime(2026, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=number),
        "decimal": Decimal128(f"{number}.10"),
        "binary": Binary(bytes([number % 256, 0, 255])),
        "uuid": Binary.from_uuid(uuid.UUID(int=number)),
        "other_id": ObjectId(number.to_bytes(12, "big")),
        "nothing": None,
        "document": {"a": number, "b": {"c": str(number)}},
        "list": [number, number + 1],
        "mixed": [1, "two", 3.0, {"four": 4}],
        "regex": Regex("^a.*b$", "i"),
        "code": Code("function () { return 1; }"),
        "scoped": Code("function () { return x; }", {"x": number}),
        "stamp": Timestamp(number + 1, 1),
        "min": MinKey(),
        "max": MaxKey(),
        "ref": DBRef("others", number),
        "nan": float("nan"),
        "infinite": float("-inf"),
        "none": {},
        "empty": [],
    } | ({"rare": number} if number % 10 == 0 else {})


def decoded(value: bytes) -> dict:
    """A document as the tests compare it."""
    return bson.decode(value, CodecOptions(tz_aware=True))


def mongodb(request) -> MongoBackend:
    return MongoBackend(request.getfixturevalue("mongodb"))


BACKENDS: dict[str, Callable[..., DatabaseBackend]] = {
    "mongodb": mongodb,
    "mariadb": mariadb,
    "influxdb": influxdb,
    "influxdb2": influxdb2,
    "fluree": fluree,
}
