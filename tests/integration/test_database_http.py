"""TLS of databases that are asked over HTTP, on a server with a certificate of our own."""

import contextlib
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from streamsink.database.open import open_database
from streamsink.errors import ConfigError, TerminalError
from tests.integration.test_database_mariadb import write_certificate

LOG = b'{"commits": [{"t": 3}]}'
GRAPHS = b'{"head": {"vars": ["g"]}, "results": {"bindings": []}}'


class Fluree(BaseHTTPRequestHandler):
    """A ledger without named graphs."""

    def do_GET(self):
        self._send(LOG)

    def do_POST(self):
        self._send(GRAPHS)

    def _send(self, data):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


@pytest.fixture
def served(tmp_path):
    key, certificate = write_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with HTTPServer(("127.0.0.1", 0), Fluree) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.handle_error = lambda *_: None
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"fluree+https://127.0.0.1:{server.server_port}/shop", certificate
        server.shutdown()
        thread.join(10)


def test_a_certificate_of_a_known_authority_is_taken_and_another_is_not(served):
    url, certificate = served
    with contextlib.closing(open_database(url, {"tls_ca": str(certificate)}).snapshot([])) as snapshot:
        assert snapshot.point.position == {"t": 3}
    with pytest.raises(TerminalError, match="not trusted") as raised:
        open_database(url, {"timeout_s": "5"}).snapshot([])
    assert "tls_ca" in raised.value.hint


@pytest.mark.parametrize(
    ("url", "option"),
    [
        ("influxdb+https://host/metrics", "tls_ca"),
        ("influxdb2+https://host/metrics", "tls_ca"),
        ("fluree+https://host/shop", "tls_cert"),
    ],
)
def test_a_file_of_tls_that_can_not_be_read_is_a_configuration_error(url, option):
    with pytest.raises(ConfigError, match=option):
        open_database(
            url, {option: "/nowhere.pem", "org": "o"} if "influxdb2" in url else {option: "/nowhere.pem"}
        ).snapshot([])


@pytest.mark.parametrize(
    "url", ["influxdb://host/x", "influxdb2://host/x", "fluree+http://host/x", "couchbase://host/x"]
)
def test_options_that_nobody_knows_and_bad_waits_are_told_at_once(url):
    with pytest.raises(ConfigError) as raised:
        open_database(url, {"passwort": "p", "timeout_s": "soon"})
    assert "passwort" in str(raised.value)
    assert "timeout_s" in str(raised.value)


@pytest.mark.parametrize("url", ["influxdb://host/", "influxdb2://host", "fluree+http://host/", "couchbase://host/"])
def test_a_url_without_a_database_shows_one_that_has_it(url):
    with pytest.raises(ConfigError, match="://.*/"):
        open_database(url, {"org": "o"} if "influxdb2" in url else {})
