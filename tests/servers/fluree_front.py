"""A thin HTTP front for Fluree's engine: the calls of its documented interface that a snapshot and a restore use.

What the calls do is the engine's. Run as a program it serves; the engine is never loaded by the tests' own process.
"""

import importlib
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

ADMIN, READER, STRANGER = "token-of-admin", "token-of-reader", "token-of-stranger"


def as_binding(term: tuple) -> dict:
    """A term of the engine's as SPARQL's results in JSON have it."""
    kind, value, *rest = term
    if kind != "literal":
        return {"type": {"iri": "uri", "bnode": "bnode"}[kind], "value": value}
    datatype, language = rest
    return {"type": "literal", "value": value} | ({"xml:lang": language} if language else {"datatype": datatype})


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    connection_of_engine = None
    errors = None

    def log_message(self, *_):
        pass

    def do_GET(self):
        self._answer()

    def do_POST(self):
        self._answer()

    def _answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path).removeprefix("/v1/fluree/")
        refused = self._refused(path)
        if refused:
            self._send(refused, {"error": "a token that may do this is required"})
            return
        try:
            self._do(path, body)
        except self.errors.FlureeError as error:
            status = {"NotFoundError": 404, "ConflictError": 409}.get(type(error).__name__, 400)
            self._send(status, {"error": str(error)})

    def _refused(self, path):
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        reads = path.startswith(("log/", "query/", "stream/query/"))
        if token not in {ADMIN, READER, STRANGER}:
            return 401
        if token == STRANGER:
            return 404 if reads else 403
        return 403 if token == READER and not reads else None

    def _do(self, path, body):
        engine = self.connection_of_engine
        if path == "create":
            engine.create(json.loads(body)["ledger"])
            return self._send(201, {"ledger": json.loads(body)["ledger"], "t": 0})
        if path.startswith("log/"):
            commits, count = engine.log(path.removeprefix("log/"), 1)
            return self._send(200, {"commits": commits, "count": count, "truncated": count > len(commits)})
        if path.startswith("update/"):
            return self._send(200, engine.transact(path.removeprefix("update/"), "update", "sparql", body.decode()))
        if path.startswith("insert/"):
            return self._send(200, engine.transact(path.removeprefix("insert/"), "upsert", "turtle", body.decode()))
        stream = path.startswith("stream/")
        ledger, _, pin = path.removeprefix("stream/").removeprefix("query/").partition("@t:")
        at = ("t", int(pin)) if pin else None
        if stream:
            return self._stream(engine.stream(ledger, body.decode(), at))
        _, names, rows = engine.query_sparql(ledger, body.decode(), at)
        bindings = [{n: as_binding(term) for n, term in zip(names, row, strict=True)} for row in rows]
        return self._send(200, {"head": {"vars": names}, "results": {"bindings": bindings}})

    def _stream(self, stream):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for records in self._records(stream):
            data = b"".join(json.dumps(one).encode() + b"\n" for one in records)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.write(b"0\r\n\r\n")

    def _records(self, stream):
        names, count = stream.columns, 0
        yield [{"type": "head", "vars": names}]
        while (rows := stream.next_batch(1_000)) is not None:
            count += len(rows)
            # A batch may be the whole answer, however few rows are asked for.
            for start in range(0, len(rows), 1_000):
                some = rows[start : start + 1_000]
                bound = [{n: as_binding(term) for n, term in zip(names, row, strict=True)} for row in some]
                yield [{"type": "row", "row": one} for one in bound]
        yield [{"type": "heartbeat", "t_ms": 1}, {"type": "end", "rows": count}]

    def _send(self, status, told):
        self._send_bytes(status, json.dumps(told).encode())

    def _send_bytes(self, status, data):
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    Handler.connection_of_engine = importlib.import_module("fluree._fluree").Connection.memory()
    Handler.errors = importlib.import_module("fluree.errors")
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
