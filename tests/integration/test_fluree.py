"""Fluree beyond the contract: a past transaction, and an answer that breaks off."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from streamsink.database.fluree import open_database
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


class BreaksOff(BaseHTTPRequestHandler):
    def do_GET(self):
        self._send(b'{"commits": [{"t": 1}]}')

    def do_POST(self):
        self._send(b'{"type":"head","vars":["g"]}\n{"type":"row","row":{"g":{"type":"uri","value":"urn:g"}}}\n')

    def _send(self, data):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def test_an_answer_without_its_last_record_is_no_whole_answer():
    with HTTPServer(("127.0.0.1", 0), BreaksOff) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            with pytest.raises(TransientError, match="breaks off"):
                open_database(f"fluree+http://127.0.0.1:{server.server_port}/shop", {}).snapshot([])
        finally:
            server.shutdown()
            thread.join(10)
