"""An HTTP server that gives prepared answers in order, and notes when each request came."""

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class Prepared:
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(slots=True)
class Answers:
    """The last answer is given again and again."""

    url: str
    prepared: list[Prepared]
    asked_at_s: list[float] = field(default_factory=list)


@contextlib.contextmanager
def serving(*prepared: Prepared) -> Iterator[Answers]:
    """Listen on a free port of 127.0.0.1."""
    answers = Answers("", list(prepared))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answers.asked_at_s.append(time.monotonic())
            given = answers.prepared.pop(0) if len(answers.prepared) > 1 else answers.prepared[0]
            self.send_response(given.status)
            for key, value in given.headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(given.body)))
            self.end_headers()
            self.wfile.write(given.body)

        def log_message(self, *args: object) -> None:
            pass

    for method in ("GET", "HEAD", "PUT", "POST", "DELETE", "MOVE", "MKCOL", "PROPFIND"):
        setattr(Handler, f"do_{method}", Handler.answer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    answers.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield answers
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
