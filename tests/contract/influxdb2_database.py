"""InfluxDB 2.x as the contract's databases have it: a stub of ours, so nothing is proven on a real server."""

from collections.abc import Mapping

from streamsink.database.influxdb2 import open_database
from streamsink.database.protocol import Database
from tests.contract.influxdb_database import FIRST_NS, STEP_NS, every_type
from tests.servers.influxdb2_stub import ADMIN, ORG, READER, STRANGER, Influx2Stub


class Influx2Backend:
    """InfluxDB 2.x."""

    others: Mapping[str, int] = {'odd, "name"=é': 2, "untagged": 50, "same names": 2}
    gone = ""
    old_position: Mapping[str, object] = {}
    isolated = False
    digests = False

    def __init__(self, stub: Influx2Stub) -> None:
        self.stub = stub

    def open(self, name: str) -> Database:
        self.stub.make_bucket(name)
        return self._open_as(name, ADMIN)

    def open_as_reader(self, name: str) -> Database:
        return self._open_as(name, READER)

    def open_as_stranger(self, name: str) -> Database:
        return self._open_as(name, STRANGER)

    def _open_as(self, name: str, token: str) -> Database:
        return open_database(f"influxdb2://127.0.0.1:{self.stub.port}/{name}", {"org": ORG, "token": token})

    def open_away(self, name: str) -> Database:
        return open_database(f"influxdb2://127.0.0.1:1/{name}", {"org": ORG})

    def fill(self, name: str, rows: int) -> None:
        self.stub.make_bucket(name)
        self.stub.write([every_type(number) for number in range(rows)], name)
        self.stub.write([f"untagged v={number}u {number}" for number in range(50)], name)
        self.stub.write([r'odd\,\ "name"=é,a\,b\ c\=d=x\,y\ z\=ü k\,\ \=f=1,end="a\\" -1'], name)
        self.stub.write([r'odd\,\ "name"=é v="\\n and \"" -9223372036854775806'], name)
        self.stub.write([r"same\ names,x=tag x=1,y=2 9223372036854775806", r"same\ names,y=tag z=1i 5"], name)

    def write(self, name: str) -> None:
        before, between, behind = FIRST_NS - 1, FIRST_NS + STEP_NS // 2, FIRST_NS + 10**6 * STEP_NS
        self.stub.write([f"orders,host=a number=7i {time}" for time in (before, between, behind)], name)
        self.stub.write([every_type(2).replace("Bestellung", "another")], name)
        with self.stub.lock:
            for (_, tags), fields in self.stub.buckets[name].items():
                for times in fields.values() if tags == (("host", "b"),) else ():
                    times.pop(FIRST_NS + 3 // 2 * STEP_NS, None)

    def count(self, name: str, table: str) -> int:
        with self.stub.lock:
            series = [fields for (found, _), fields in self.stub.buckets[name].items() if found == table]
        return sum(len(fields["number"]) for fields in series)

    def key(self, number: int) -> bytes:
        time, host = FIRST_NS + number // 2 * STEP_NS, "ab"[number % 2]
        rack = '"ö 1"' if number % 10 == 0 else "null"
        return f'{{"time":{time},"host":"{host}","rack":{rack}}}'.encode()


def influxdb2(request) -> Influx2Backend:
    stub = Influx2Stub()
    request.addfinalizer(stub.stop)
    return Influx2Backend(stub)
