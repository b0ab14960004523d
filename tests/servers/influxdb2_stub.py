"""A stub of three calls of InfluxDB 2.x, whose server can't be had quickly: query, write and delete.

It stores points as they come in line protocol, knows the shapes of Flux that `influxdb2/` asks in, and
answers in annotated CSV, one table a series and field, as the real one does. Every other query is an error.
"""

import csv
import io
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from streamsink.database.influxdb2.annotated_csv import nanoseconds, rfc3339

ADMIN, READER, STRANGER = "token of admin", "token of reader", "token of stranger"
ORG = "an org"
LATEST = 9223372036854775807
_TEXT = r'"((?:[^"\\]|\\.)*)"'
_TIME = r"time\(v: (-?\d+)\)"
_SCHEMA = re.compile(
    rf'import "influxdata/influxdb/schema" schema\.(\w+)\(bucket: {_TEXT}(?:, measurement: {_TEXT})?, start: {_TIME}\)'
)
_POINTS = re.compile(
    rf"from\(bucket: {_TEXT}\) \|> range\(start: {_TIME}, stop: {_TIME}\) "
    rf"\|> filter\(fn: \(r\) => r\._measurement == {_TEXT}\)(.*)"
)
_FIRST = ' |> first() |> keep(columns: ["_field", "_value"])'
_EARLIEST = ' |> keep(columns: ["_time"]) |> group() |> min(column: "_time")'
_NAMES = {"float": "double", "integer": "long", "unsigned": "unsignedLong", "boolean": "boolean", "string": "string"}


class Influx2Stub:
    """The server; buckets are made by `make_bucket`."""

    def __init__(self) -> None:
        self.buckets: dict[str, dict] = {}
        self.lock = threading.Lock()
        stub = self

        class Handler(_Handler):
            server_stub = stub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def make_bucket(self, name: str) -> None:
        self.buckets.setdefault(name, {})

    def write(self, lines: list[str], bucket: str) -> None:
        """Points by measurement and tags, then field, then time; a field's text and type are kept as they came."""
        with self.lock:
            for line in lines:
                measurement, tags, fields, time = parse(line)
                series = self.buckets[bucket].setdefault((measurement, tags), {})
                for name, value in fields.items():
                    series.setdefault(name, {})[time] = value

    def delete(self, bucket: str, measurement: str, start: int, stop: int) -> None:
        with self.lock:
            for (name, _), fields in self.buckets[bucket].items():
                for times in fields.values() if name == measurement else ():
                    for time in [one for one in times if start <= one <= stop]:
                        del times[time]

    def query(self, flux: str) -> str:
        """The answer, in annotated CSV."""
        schema, points = _SCHEMA.fullmatch(flux), _POINTS.fullmatch(flux)
        if schema:
            return self._schema(schema[1], unescaped(schema[2]), unescaped(schema[3] or ""))
        if not points:
            raise ValueError(f"the stub doesn't know {flux}")
        bucket, start, stop, measurement, rest = points.groups()
        tables = self._tables(unescaped(bucket), unescaped(measurement), int(start), int(stop))
        if rest == _EARLIEST:
            times = [row["_time"] for _, rows in tables for row in rows]
            return written([({"_time": "dateTime:RFC3339"}, [{"_time": min(times, key=nanoseconds)}])] if times else [])
        if rest == _FIRST:
            keep = ("_field", "_value")
            return written([({name: kinds[name] for name in keep}, rows[:1]) for kinds, rows in tables])
        assert rest in {"", " |> limit(n: 1)"}, rest
        return written([(kinds, rows[:1] if rest else rows) for kinds, rows in tables])

    def _schema(self, call: str, bucket: str, measurement: str) -> str:
        with self.lock:
            found = [key for key, fields in self.buckets[bucket].items() if any(fields.values())]
        if call == "measurements":
            names = {name for name, _ in found}
        else:
            tags = {tag for name, tags in found for tag, _ in tags if name == measurement}
            names = {"_start", "_stop", "_field", "_measurement", *tags}
        return written([({"_value": "string"}, [{"_value": name} for name in sorted(names)])])

    def _tables(self, bucket: str, measurement: str, start: int, stop: int) -> list:
        tables = []
        with self.lock:
            series = sorted((key[1], fields) for key, fields in self.buckets[bucket].items() if key[0] == measurement)
            for tags, fields in series:
                for field, times in sorted(fields.items()):
                    by_kind: dict[str, list] = {}
                    for time, (kind, text) in sorted(times.items()):
                        if start <= time < stop:
                            row = {"_time": rfc3339(time).replace(".000000000Z", "Z"), "_value": text}
                            by_kind.setdefault(kind, []).append(row | {"_field": field, **dict(tags)})
                    for kind, rows in by_kind.items():
                        kinds = {"_time": "dateTime:RFC3339", "_value": _NAMES[kind], "_field": "string"}
                        tables.append((kinds | {tag: "string" for tag, _ in tags}, rows))
        return tables


def written(tables: list) -> str:
    """Tables as annotated CSV has them, those with the same columns below one head."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    before = None
    for number, (kinds, rows) in enumerate(tables):
        if kinds != before:
            if before is not None:
                writer.writerow([])
            writer.writerow(["#datatype", "string", "long", *kinds.values()])
            writer.writerow(["#group", "false", "false", *("false" for _ in kinds)])
            writer.writerow(["#default", "_result", "", *("" for _ in kinds)])
            writer.writerow(["", "result", "table", *kinds])
            before = kinds
        for row in rows:
            # The server's writer puts a carriage return before each line break, and leaves out those of the text.
            cells = (row[name].replace("\r", "").replace("\n", "\r\n") for name in kinds)
            writer.writerow(["", "", number, *cells])
    writer.writerow([])
    return out.getvalue()


def parse(line: str) -> tuple:
    """A line of line protocol: measurement, tags, fields with type and text, time."""
    head, fields, time = _split(line, " ")
    measurement, *tags = _split(head, ",")
    pairs = tuple(sorted(tuple(map(_plain, _split(tag, "="))) for tag in tags))
    return _plain(measurement), pairs, dict(map(_field, _split(fields, ","))), int(time)


def _split(text: str, sign: str) -> list[str]:
    """Cut at a sign, but for escaped ones and those in quotes that a field's value stands in."""
    parts, quoted, at = [""], False, 0
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text):
            parts[-1] += text[at : at + 2]
            at += 2
            continue
        if text[at] == '"' and (quoted or parts[-1].endswith("=")):
            quoted = not quoted
        if text[at] == sign and not quoted:
            parts.append("")
        else:
            parts[-1] += text[at]
        at += 1
    return parts


def _plain(text: str) -> str:
    return re.sub(r"\\([, =])", r"\1", text)


def _field(text: str) -> tuple:
    name, value = _split(text, "=")[0], text[len(_split(text, "=")[0]) + 1 :]
    if value.startswith('"'):
        return _plain(name), ("string", re.sub(r'\\(["\\])', r"\1", value[1:-1]))
    if value in {"true", "false"}:
        return _plain(name), ("boolean", value)
    if value[-1] in "iu":
        return _plain(name), ("integer" if value[-1] == "i" else "unsigned", value[:-1])
    return _plain(name), ("float", value)


def unescaped(text: str) -> str:
    """What a text in Flux says."""
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "r": "\r"}.get(found[1], found[1]), text)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_stub = None

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        token = (self.headers.get("Authorization") or "").removeprefix("Token ")
        if token not in {ADMIN, READER} or query.get("org") != ORG:
            return self._send(401, b'{"code":"unauthorized","message":"unauthorized access"}')
        try:
            return self._do(asked.path, query, body, writes=token == ADMIN)
        except KeyError as error:
            told = json.dumps({"code": "not found", "message": f"could not find bucket {error}"})
            return self._send(404, told.encode())

    def _do(self, path, query, body, *, writes):
        stub = self.server_stub
        if path == "/api/v2/query":
            answer = stub.query(json.loads(body)["query"]).encode()
            return self._send(200, answer)
        if not writes:
            return self._send(403, b'{"code":"forbidden","message":"insufficient permissions"}')
        if path == "/api/v2/write":
            assert query["precision"] == "ns"
            stub.write(lines_of(body.decode()), query["bucket"])
        else:
            told = json.loads(body)
            measurement = re.fullmatch(f"_measurement={_TEXT}", told["predicate"])[1]
            span = nanoseconds(told["start"]), nanoseconds(told["stop"])
            stub.delete(query["bucket"], unescaped(measurement), *span)
        return self._send(204, b"")

    def _send(self, status, data):
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def lines_of(body: str) -> list[str]:
    """A write's lines; a line break may stand in a text."""
    lines = [""]
    for piece in body.split("\n"):
        lines[-1] += piece
        if len(_split(lines[-1], " ")) >= 3 and re.search(r" -?\d+$", lines[-1]):
            lines.append("")
        else:
            lines[-1] += "\n"
    return [line for line in lines if line.strip()]
