"""Fluree beyond the contract: a past transaction, and an answer that breaks off."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import orjson
import pyarrow as pa
import pytest

from streamsink.database.fluree import open_database
from streamsink.database.protocol import RowBatch, Table
from streamsink.errors import ConfigError, TransientError
from tests.contract.fluree_database import FlureeBackend
from tests.servers.fluree_stub import ADMIN


def values(database):
    with contextlib.closing(database.snapshot(["orders"])) as snapshot:
        batches = snapshot.rows(snapshot.tables[0], after=None, batch_rows=100)
        return snapshot.point.position["t"], [value for batch in batches for value in batch.values.to_pylist()]


def test_a_past_transaction_is_read_as_it_was(fluree, unique):
    backend = FlureeBackend(fluree)
    backend.fill(unique, 20)
    then, before = values(backend.open(unique))
    backend.write(unique)
    now, after = values(backend.open(unique))
    assert now > then
    assert after != before
    assert values(open_database(fluree.url(unique), {"token": ADMIN, "at": str(then)})) == (then, before)
    with pytest.raises(ConfigError):
        open_database(fluree.url(unique), {"at": "yesterday"})


FACT = b'{"type":"row","row":{"s":{"type":"uri","value":"urn:s"},"p":{"type":"uri","value":"urn:p"},'
FACT += b'"o":{"type":"literal","value":"1"}}}\n'


class BreaksOff(BaseHTTPRequestHandler):
    end = b""

    def do_GET(self):
        self._send(b'{"commits": [{"t": 1}]}')

    def do_POST(self):
        if self.path.startswith("/v1/fluree/query/"):
            self._send(b'{"head": {"vars": ["g"]}, "results": {"bindings": []}}')
        else:
            self._send(b'{"type":"head","vars":["s","p","o"]}\n' + FACT + self.end)

    def _send(self, data):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("end", [b"", b'{"type":"end","rows":2}\n'])
def test_an_answer_without_its_last_record_or_with_another_count_is_no_whole_answer(end):
    with HTTPServer(("127.0.0.1", 0), type("Handler", (BreaksOff,), {"end": end})) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            database = open_database(f"fluree+http://127.0.0.1:{server.server_port}/shop", {})
            with (
                contextlib.closing(database.snapshot([])) as snapshot,
                pytest.raises(TransientError, match="breaks"),
            ):
                list(snapshot.rows(snapshot.tables[0], after=None, batch_rows=10))
        finally:
            server.shutdown()
            thread.join(10)


def test_keys_that_come_again_replace_what_they_had(fluree, unique):
    backend = FlureeBackend(fluree)
    table = Table("orders", {"graph": "orders"}, ("@id",))
    one, two, other = (node(name, value) for name, value in (("urn:b", "1"), ("urn:c", "1"), ("urn:a", "1")))
    with contextlib.closing(backend.open(unique).restore()) as way:
        way.create(table)
        for some in ([one, two], [node("urn:b", "2")], [other], [node("urn:a", "3"), node("urn:d", "1")]):
            keys, rows = zip(*some, strict=True)
            way.load(table, RowBatch(pa.array(keys), pa.array(rows)))
    found = [orjson.loads(value) for value in values(backend.open(unique))[1]]
    assert {node["@id"]: [term["@value"] for term in node["urn:p"]] for node in found} == {
        "urn:a": ["3"],
        "urn:b": ["2"],
        "urn:c": ["1"],
        "urn:d": ["1"],
    }


def node(name, value):
    return orjson.dumps({"@id": name}), orjson.dumps({"@id": name, "urn:p": [{"@value": value}]})
