"""Requests that nobody means well with: huge, slow, lying about their length. Each is refused and changes nothing."""

from __future__ import annotations

import json
import socket
import time
import tracemalloc

import pytest

from streamsink.rest import errors, server

CONFIG = {"connector.class": "streamsink.ArchiveSink", "run": "flushes", "flush": "complete"}
POST = b"POST /connectors HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
HUGE = 50 * 1024 * 1024


@pytest.fixture
def unchanged(rest):
    """Fails where a request has changed a connector."""

    def seen():
        return {name: rest.json(f"/connectors/{name}/config")[1] for name in rest.json("/connectors")[1]}

    before = seen()
    yield
    assert seen() == before


def exchange(port, *parts, pause_s=0.0, timeout_s=20.0):
    """All that comes back for bytes sent one after the other, until the server closes or is silent for a second."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as client:
        try:
            for part in parts:
                client.sendall(part)
                time.sleep(pause_s)
        except OSError:
            pass
        client.settimeout(timeout_s)
        try:
            while got := client.recv(65536):
                answer += got
                client.settimeout(1)
        except OSError:
            pass
    return answer


def status_of(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else None


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("how", ["with its length", "in chunks", "in one chunk"])
def test_a_body_of_50_mb_is_refused_without_being_kept(rest, how):
    chunk = b'{"name":"huge",' + b" " * (256 * 1024 - 15)
    count = HUGE // len(chunk)
    if how == "with its length":
        parts = [POST + b"Content-Length: %d\r\n\r\n" % HUGE, *[chunk] * count]
    elif how == "in chunks":
        framed = b"%x\r\n%s\r\n" % (len(chunk), chunk)
        parts = [POST + b"Transfer-Encoding: chunked\r\n\r\n", *[framed] * count, b"0\r\n\r\n"]
    else:
        parts = [POST + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % HUGE, *[chunk] * count, b"\r\n0\r\n\r\n"]
    tracemalloc.start()
    try:
        assert status_of(exchange(rest.port, *parts)) == 413
        assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * 1024
    finally:
        tracemalloc.stop()


BODY = json.dumps({"name": "lies", "config": CONFIG}).encode()
LIES = [
    b"Content-Length: %d\r\n\r\n" % (len(BODY) - 10),
    b"Content-Length: -5\r\n\r\n",
    b"Content-Length: 1e3\r\n\r\n",
    b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
    b"Content-Length: %s\r\n\r\n" % (b"9" * 400),
    b"Transfer-Encoding: chunked\r\n\r\nzzz\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n-5\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    b"Transfer-Encoding: gzip\r\nContent-Length: 10\r\n\r\n",
    b"X-Long: " + b"a" * 1_000_000 + b"\r\n\r\n",
    b"".join(b"X-%d: a\r\n" % number for number in range(20_000)) + b"\r\n",
    b"X-Control: a\x00b\r\n\r\n",
    b": no name\r\n\r\n",
]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("head", LIES, ids=range(len(LIES)))
def test_a_request_that_lies_about_itself_is_refused(rest, head):
    assert 400 <= (status_of(exchange(rest.port, POST + head + BODY)) or 0) < 500


@pytest.mark.usefixtures("unchanged")
def test_a_body_that_never_ends_is_a_408(rest, monkeypatch):
    monkeypatch.setattr(errors, "BODY_S", 0.5)
    head = POST + b"Content-Length: 100\r\n\r\n"
    assert status_of(exchange(rest.port, head + b"{")) == 408
    assert status_of(exchange(rest.port, head, *[b" "] * 20, pause_s=0.1)) == 408


def closed_after_s(port, parts, pause_s):
    """How long a server puts up with a client that sends bytes at this pace."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        try:
            for part in parts:
                client.sendall(part)
                time.sleep(pause_s)
            while client.recv(65536):
                pass
        except TimeoutError:
            return None
        except OSError:
            pass
    return time.monotonic() - began


@pytest.mark.parametrize(
    "first",
    [b"", b"GET /connectors HTTP/1.1\r\nHost: x\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"],
)
def test_a_client_that_drips_is_dropped(rest, monkeypatch, first):
    monkeypatch.setattr(server, "HEADERS_S", 0.5)
    took_s = closed_after_s(rest.port, [first, *[b"X"] * 30], 0.1)
    assert took_s is not None
    assert took_s < 4


NAMES = [
    b"..",
    b"../connectors",
    b"%2e%2e",
    b"%2e%2e%2fetc",
    b"..%5c..",
    b"a%00b",
    b"%0d%0aX-Injected:%201",
    b"a//b",
    b"%ff%fe",
    b"%c0%ae%c0%ae",
    b"%ed%a0%80",
    b"\xc3\xa9\xf0\x9f\x92\xa9",
    b"%zz",
    b"%",
    b"a;b=c",
    b"x" * 10_000,
    b"%e2%80%ae" * 1000,
    b"orders%2fconfig",
    b"{name}",
    b"${env:HOME}",
]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_path_of_tricks_finds_nothing_and_makes_nothing(rest, name):
    length = b"Content-Length: %d\r\n\r\n" % 2
    for method, path, rest_of_it in (
        (b"GET", b"/connectors/" + name, b"\r\n"),
        (b"DELETE", b"/connectors/" + name, b"\r\n"),
        (b"PUT", b"/connectors/" + name + b"/config", b"Content-Type: application/json\r\n" + length + b"{}"),
        (b"PUT", b"/connectors/" + name + b"/pause", b"\r\n"),
        (b"GET", b"/connector-plugins/" + name + b"/config", b"\r\n"),
        (b"GET", b"/admin/loggers/" + name, b"\r\n"),
    ):
        answer = exchange(
            rest.port, b"%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s" % (method, path, rest_of_it)
        )
        assert 400 <= (status_of(answer) or 0) < 500, (method, path[:80], answer[:300])
        assert b"X-Injected: 1\r\n" not in answer.partition(b"\r\n\r\n")[0]


BODIES = [
    b'{"name": "a", "name": "b", "config": {"connector.class": "streamsink.ArchiveSink"}}',
    b'{"name": "a", "config": {"connector.class": "streamsink.ArchiveSink", "topics": "a", "topics": "b"}}',
    b'{"name": "a", "config": {"connector.class": "streamsink.ArchiveSink", "x": Infinity}}',
    b"[" * 100_000 + b"]" * 100_000,
    b'{"name": "a", "config": {"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
    b'{"name": "a", "config": {"x": ' + b"9" * 900_000 + b"}}",
    b'{"name": "\xff", "config": {}}',
    "\ufeff{}".encode("utf-16"),
    b'{"name": "a", "config": {"x": "\x01"}}',
    b'{"name": "a", "config": {' + b",".join(b'"k%d": "v"' % number for number in range(50_000)) + b"}}",
    b'{"offsets": [{"partition": {"kafka_topic": "a", "kafka_partition": NaN}, "offset": {"kafka_offset": 1e999}}]}',
    b'{"offsets": [{"partition": {"kafka_topic": ["a"], "kafka_partition": -1}, "offset": {"kafka_offset": true}}]}',
    b"null",
    b'"text"',
    b"0",
]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_a_body_of_tricks_is_refused_wherever_it_is_sent(rest, body):
    for method, path in (
        ("POST", "/connectors"),
        ("PUT", "/connectors/orders/config"),
        ("PATCH", "/connectors/orders/config"),
        ("PATCH", "/connectors/orders/offsets"),
        ("PUT", "/connector-plugins/ArchiveSink/config/validate"),
        ("PUT", "/admin/loggers/root"),
    ):
        began = time.monotonic()
        status, answer, _ = rest.ask(method, path, body=body, headers={"Content-Type": "application/json"})
        assert 400 <= status < 500, (method, path, answer[:300])
        assert json.loads(answer)["error_code"] == status
        assert time.monotonic() - began < 5
