"""What losers of a race are told by WebDAV servers: that the name is taken, whatever the server said."""

import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from streamsink.errors import AlreadyExistsError, TerminalError
from streamsink.upload.open import open_store
from tests.contract.backends import BACKENDS

ROUNDS = 40
WRITERS = 8


@pytest.mark.parametrize("create", ["", "put"])
@pytest.mark.parametrize("kind", ["sabredav", "wsgidav", "godav"])
def test_every_writer_of_a_race_wins_or_meets_an_object(kind, create, request):
    if (kind, create) == ("godav", "put"):
        create = ""  # it ignores If-None-Match
    backend = BACKENDS[kind](request)
    stores = [open_store(backend.url, {**backend.options, "create": create}) for _ in range(WRITERS)]
    gate = threading.Barrier(WRITERS)

    def write(number, name):
        gate.wait(timeout=30)
        try:
            stores[number].create(name, b"x" * 1000 + bytes([number]), {})
        except AlreadyExistsError:
            return 0
        return 1

    with ThreadPoolExecutor(WRITERS) as pool:
        for at in range(ROUNDS):
            # A folder of its own each time: they race for that as well.
            won = sum(pool.map(write, range(WRITERS), [f"races/{at}/contended"] * WRITERS))
            assert 1 <= won <= WRITERS
            assert len(stores[0].get(f"races/{at}/contended")) == 1001
    for store in stores:
        store.close()


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    status = 403
    there = True

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        temporary = "/_streamsink/tmp/" in self.path
        status, body = {"MKCOL": 405, "DELETE": 204}.get(self.command, 201), b""
        if self.command == "MOVE" or (self.command == "PUT" and not temporary):
            status = self.status
        if self.command == "PROPFIND":
            status = 207 if self.there and not temporary else 404
            body = (
                f'<d:multistatus xmlns:d="DAV:"><d:response><d:href>{self.path}</d:href><d:propstat><d:prop>'
                "<d:getcontentlength>1</d:getcontentlength><d:resourcetype/></d:prop>"
                "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>"
            ).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def log_message(self, *_):
        pass


@pytest.fixture
def answering():
    class Handler(Answers):
        pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield Handler, f"webdav+http://127.0.0.1:{server.server_port}/dav"
        server.shutdown()
        thread.join(10)


@pytest.mark.parametrize("create", ["", "put"])
@pytest.mark.parametrize("status", [403, 404, 412, 423, 500])
def test_a_losers_answer_is_looked_at(answering, status, create):
    handler, url = answering
    handler.status = status
    store = open_store(url, {"create": create})
    with pytest.raises(AlreadyExistsError):
        store.create("a/b", b"x", {})
    store.close()


@pytest.mark.parametrize("create", ["", "put"])
def test_a_refusal_stays_one_where_no_object_appears(answering, create):
    handler, url = answering
    handler.status, handler.there = 403, False
    store = open_store(url, {"create": create})
    with pytest.raises(TerminalError, match="access denied"):
        store.create("a/b", b"x", {})
    store.close()
