"""An HTTP proxy that misbehaves on order, before or after the request has reached the server behind it.

Requests go through unchanged, Host included, so that signatures hold. Each fault is used up by one request of its
method; without one, requests and answers pass.
"""

import http.client
import socket
import threading
from collections import deque
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Fault:
    """What happens to one request: whether it is `forwarded` at all, then an answer of ours, or none (status 0)."""

    status: int = 0
    code: str = ""
    message: str = "told to fail"
    forwarded: bool = False

    @property
    def body(self) -> bytes:
        return (
            f"<?xml version='1.0'?><Error><Code>{self.code}</Code><Message>{self.message}</Message></Error>".encode()
            if self.code
            else b""
        )


LOSE_REPLY = Fault(forwarded=True)


class FaultProxy:
    """Listens on 127.0.0.1:`port`, passes on to 127.0.0.1:`target`."""

    def __init__(self, target: int) -> None:
        self.faults: dict[str, deque[Fault]] = {}
        self.seen: list[tuple[str, int]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self, target))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def fail(self, method: str, *faults: Fault) -> None:
        """Let the next requests of this method fail so, in this order."""
        self.faults.setdefault(method, deque()).extend(faults)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


def _handler(proxy: FaultProxy, target: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            waiting = proxy.faults.get(self.command)
            fault = waiting.popleft() if waiting else None
            answer = self._forward(body) if fault is None or fault.forwarded else None
            if fault is None:
                assert answer is not None
                self._answer(*answer)
            elif fault.status:
                self._answer(fault.status, {"Content-Type": "application/xml"}, fault.body)
            else:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
            proxy.seen.append((self.command, fault.status if fault else answer[0] if answer else 0))

        def __getattr__(self, name: str) -> object:
            """Every `do_<METHOD>` that the base class looks for."""
            if name.startswith("do_"):
                return self.handle_any
            raise AttributeError(name)

        def _forward(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            connection = http.client.HTTPConnection("127.0.0.1", target, timeout=30)
            try:
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for key, value in self.headers.items():
                    connection.putheader(key, value)
                connection.endheaders(body or None)
                answer = connection.getresponse()
                dropped = {"transfer-encoding", "connection", "date", "server"}
                headers = {key: value for key, value in answer.getheaders() if key.lower() not in dropped}
                return answer.status, headers, answer.read()
            finally:
                connection.close()

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for key, value in headers.items():
                if self.command == "HEAD" or key.lower() != "content-length":
                    self.send_header(key, value)
            if self.command != "HEAD":
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
