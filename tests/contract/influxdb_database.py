"""InfluxDB 1.x as the contract's databases have it."""

import itertools
from collections.abc import Mapping

from streamsink.database.influxdb import open_database
from streamsink.database.protocol import Database
from tests.servers.influxdb import InfluxServer

HOUR_NS = 3600 * 10**9
FIRST_NS = 1_500_000_000 * 10**9 // (2 * HOUR_NS) * (2 * HOUR_NS)
STEP_NS = HOUR_NS // 10
"""Twenty points a shard of two hours."""
_numbers = itertools.count()

POLICY = "CREATE RETENTION POLICY {name} ON {database} DURATION {duration} REPLICATION 1 SHARD DURATION 2h"
QUERIES = [
    (
        'CREATE CONTINUOUS QUERY "hourly mean" ON {name} RESAMPLE EVERY 30m BEGIN SELECT mean("number") AS "{name}" '
        'INTO "bri.ef"."means" FROM orders WHERE host = \'{name}.a\' GROUP BY time(1h), * END'
    ),
    (
        'CREATE CONTINUOUS QUERY all_of_them ON {name} BEGIN SELECT max(*) INTO {name}."bri.ef".:MEASUREMENT '
        'FROM {name}.autogen./.*/, {name}."bri.ef".odd GROUP BY time(2h) END'
    ),
]


class InfluxBackend:
    """InfluxDB 1.x."""

    others: Mapping[str, int] = {
        "changed types": 3,
        'odd, "name"=é': 2,
        "untagged": 50,
        "same names": 2,
        "bri%2Eef.orders": 20,
        "bri%2Eef.bare": 1,
        "autogen.bri%2Eef.dotted": 1,
    }
    gone = ""
    old_position: Mapping[str, object] = {}
    isolated = False
    digests = False

    def __init__(self, server: InfluxServer) -> None:
        self.server = server

    def open(self, name: str) -> Database:
        return open_database(self.server.url(name), self.server.options)

    def open_as_reader(self, name: str) -> Database:
        return self._open_as(name, "reader", f"GRANT READ ON {name} TO")

    def open_as_stranger(self, name: str) -> Database:
        return self._open_as(name, "stranger", "")

    def _open_as(self, name: str, user: str, grant: str) -> Database:
        user = f"{user}{next(_numbers)}"
        self.server.query(f"CREATE USER {user} WITH PASSWORD 'pass word'")
        if grant:
            self.server.query(f"{grant} {user}")
        return open_database(self.server.url(name), {"username": user, "password": "pass word"})

    def open_away(self, name: str) -> Database:
        return open_database(f"influxdb://127.0.0.1:1/{name}", {})

    def fill(self, name: str, rows: int) -> None:
        self.server.query(f"CREATE DATABASE {name}")
        self.server.query(f"ALTER RETENTION POLICY autogen ON {name} SHARD DURATION 2h DEFAULT")
        self.server.query(POLICY.format(name='"bri.ef"', database=name, duration="INF"))
        for start in range(0, rows, 5_000):
            self.server.write([every_type(number) for number in range(start, min(rows, start + 5_000))], name)
        self.server.write([f"untagged v={number}i {number}" for number in range(50)], name)
        self.server.write([r'odd\,\ "name"=é,a\,b\ c\=d=x\,y\ z\=ü k\,\ \=f=1,end="a\\" -1'], name)
        self.server.write([r'odd\,\ "name"=é v="\\n and \"" -9223372036854775806'], name)
        self.server.write(
            ['"same names",x=tag x=1,y=2 9223372036854775806'.replace('"', "").replace(" n", r"\ n")], name
        )
        self.server.write([r"same\ names,y=tag x=1i 5"], name)
        self.server.write([r"changed\ types v=1,b=true 1", rf"changed\ types v=2i,b=3 {3 * HOUR_NS}"], name)
        self.server.write([rf'changed\ types v="x" {5 * HOUR_NS}'], name)
        self.server.write([every_type(number) for number in range(20)], name, "bri.ef")
        self.server.write(["bare v=1 1"], name, "bri.ef")
        self.server.write(["bri%2Eef.dotted v=1 1"], name, "autogen")
        self.server.query(f'ALTER RETENTION POLICY "bri.ef" ON {name} DURATION 10000d')
        for query in QUERIES:
            self.server.query(query.format(name=name), name)

    def write(self, name: str) -> None:
        before, between, behind = FIRST_NS - 1, FIRST_NS + STEP_NS // 2, FIRST_NS + 10**6 * STEP_NS
        self.server.write([f"orders,host=a number=7i {time}" for time in (before, between, behind)], name)
        self.server.write([every_type(2).replace("Bestellung", "another")], name)
        self.server.query(f'DROP RETENTION POLICY "bri.ef" ON {name}')
        self.server.query(f"DELETE FROM orders WHERE time = {FIRST_NS + 3 // 2 * STEP_NS} AND host = 'b'", name)

    def count(self, name: str, table: str) -> int:
        found = self.server.query(f"SELECT number FROM autogen.{table}", name)
        return len(found)

    def key(self, number: int) -> bytes:
        time, host = FIRST_NS + number // 2 * STEP_NS, "ab"[number % 2]
        rack = '"ö 1"' if number % 10 == 0 else "null"
        return f'{{"time":{time},"host":"{host}","rack":{rack}}}'.encode()


def every_type(number: int) -> str:
    """A point with a field of every type; two have one time."""
    rack = r",rack=ö\ 1" if number % 10 == 0 else ""
    fields = [
        f"number={number}i",
        f'text="Bestellung {number} über \\"Äpfel\\" \\\\ 🍏\n"',
        f"double={number / 3!r}",
        f"whole={float(number)!r}",
        "zero=-0.0",
        f"tiny={5e-324 * (number + 1)!r}",
        f"large={1.7976931348623157e308!r}",
        f"long={number - 2**63}i",
        f"flag={'true' if number % 2 else 'false'}",
        'empty=""',
    ] + (["rare=1i"] if number % 10 == 1 else [])
    return f"orders,host={'ab'[number % 2]}{rack} {','.join(fields)} {FIRST_NS + number // 2 * STEP_NS}"


def influxdb(request) -> InfluxBackend:
    return InfluxBackend(request.getfixturevalue("influxdb"))
