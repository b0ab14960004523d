"""A stub of Google Cloud Storage's XML API: objects in memory, creates by `x-goog-if-generation-match: 0`.

No emulator can be used: fake-gcs-server 1.56 does not evaluate that header, and answers 404 to `%2D` in a path. So this
holds our use of obstore, not Google's server, to the contract.
"""

import hashlib
import json
import re
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET = "archive-bucket"
PAGE = 1000
ISO = "%Y-%m-%dT%H:%M:%S.000Z"


class _Server(ThreadingHTTPServer):
    request_queue_size = 64
    daemon_threads = True


class GcsStub:
    """An endpoint with one bucket."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, dict[str, str], float]] = {}
        self.lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.port = self._server.server_address[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    @property
    def options(self) -> dict[str, str]:
        account = {"disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}
        return {"endpoint": self.endpoint, "service_account_key": json.dumps(account | {"gcs_base_url": self.endpoint})}

    def url(self, prefix: str) -> str:
        return f"gs://{BUCKET}/{prefix}"


def _handler(stub: GcsStub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _name(self) -> str:
            return unquote(urlsplit(self.path).path).removeprefix(f"/{BUCKET}").removeprefix("/")

        def do_PUT(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            if len(data) < int(self.headers["Content-Length"]):
                self.close_connection = True
                return None
            kept = {
                key.lower(): value
                for key, value in self.headers.items()
                if key.lower().startswith("x-goog-meta-") or key.lower() in {"content-type", "x-goog-storage-class"}
            }
            with stub.lock:
                if self.headers.get("x-goog-if-generation-match") == "0" and self._name() in stub.objects:
                    return self._answer(412, b"<Error><Code>PreconditionFailed</Code><Message>no</Message></Error>")
                stub.objects[self._name()] = (data, kept, time.time())
            return self._answer(200, b"", {"ETag": f'"{hashlib.md5(data).hexdigest()}"'})

        def do_GET(self) -> None:
            name = self._name()
            if not name:
                return self._list()
            with stub.lock:
                found = stub.objects.get(name)
            if found is None:
                return self._answer(404, b"<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>")
            data, kept, changed = found
            headers = {
                **kept,
                "ETag": f'"{hashlib.md5(data).hexdigest()}"',
                "Last-Modified": formatdate(changed, usegmt=True),
            }
            asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
            if asked is None:
                return self._answer(200, data, headers)
            start = int(asked[1]) if asked[1] else max(0, len(data) - int(asked[2]))
            end = min(len(data), int(asked[2]) + 1 if asked[1] and asked[2] else len(data))
            if start >= len(data):
                return self._answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(data)}"
            return self._answer(206, data[start:end], headers)

        do_HEAD = do_GET  # noqa: N815

        def do_DELETE(self) -> None:
            with stub.lock:
                found = stub.objects.pop(self._name(), None)
            self._answer(404 if found is None else 204, b"")

        def _list(self) -> None:
            query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
            prefix, after = query.get("prefix", ""), query.get("continuation-token", "")
            with stub.lock:
                found = sorted(
                    (name, len(data), changed)
                    for name, (data, _, changed) in stub.objects.items()
                    if name.startswith(prefix) and name > after
                )
            page = found[: int(query.get("max-keys", PAGE))]
            rows = "".join(
                f"<Contents><Key>{escape(name)}</Key><Size>{size}</Size><ETag>x</ETag>"
                f"<LastModified>{time.strftime(ISO, time.gmtime(changed))}</LastModified></Contents>"
                for name, size, changed in page
            )
            more = len(found) > len(page)
            token = f"<NextContinuationToken>{escape(page[-1][0])}</NextContinuationToken>" if more else ""
            truncated = f"<IsTruncated>{str(more).lower()}</IsTruncated>"
            self._answer(200, f"<ListBucketResult>{truncated}{token}{rows}</ListBucketResult>".encode())

        def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for key, value in (headers or {}).items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    return Handler
