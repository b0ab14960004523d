from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
import ssl
import subprocess
import time

import pytest
from fastapi import FastAPI

from streamsink.errors import ConfigError
from streamsink.rest import server as server_module
from streamsink.rest.access import Access, Gate, read_access
from streamsink.rest.listener import bind, parse_listeners
from streamsink.rest.server import RestServer
from streamsink.rest.tls import make_context

EXTENSION = "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension"


def make_app(access):
    app = FastAPI()

    @app.get("/connectors")
    async def connectors():
        return ["orders"]

    @app.get("/health/live")
    async def live():
        return {}

    app.add_middleware(Gate, access=access)
    return app


@pytest.fixture
def serve():
    servers = []

    def start(access, *, tls=None):
        (listener,) = parse_listeners("https://127.0.0.1:0" if tls else "http://127.0.0.1:0")
        bound = bind(listener)
        server = RestServer(make_app(access), [bound], tls=tls)
        servers.append(server)
        server.start()
        return bound.getsockname()[1]

    yield start
    for server in servers:
        server.stop()


def get(port, path="/connectors", user=None, *, tls=None):
    if tls:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=tls)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {} if user is None else {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"}
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read()), response.headers
    finally:
        connection.close()


def test_without_users_everybody_may_ask(serve):
    assert get(serve(Access()))[0] == 200


def test_with_users_only_they_may_ask_and_probes(serve, tmp_path):
    file = tmp_path / "users.properties"
    file.write_text("eve=s3cret\n")
    port = serve(read_access({"rest.basic.auth.users": "ann:pass:word, bob:x", "rest.basic.auth.file": str(file)}))
    assert [get(port, user=user)[0] for user in ("ann:pass:word", "bob:x", "eve:s3cret")] == [200, 200, 200]
    for user in (None, "ann:wrong", "bob:", "eve:x", "nobody:x", ":"):
        status, body, headers = get(port, user=user)
        assert (status, body["error_code"]) == (401, 401)
        assert headers["www-authenticate"].startswith("Basic")
    assert get(port, "/health/live")[0] == 200


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"rest.basic.auth.users": "ann"}, "rest.basic.auth.users"),
        ({"rest.basic.auth.users": ""}, "rest.basic.auth.users"),
        ({"rest.basic.auth.file": "/nowhere"}, "rest.basic.auth.file"),
        ({"rest.extension.classes": EXTENSION}, "rest.extension.classes"),
        ({"rest.extension.classes": "a.b.C"}, "rest.extension.classes"),
    ],
)
def test_nobody_is_let_in_by_a_mistake_in_the_configuration(config, key):
    with pytest.raises(ConfigError) as raised:
        read_access(config)
    assert [problem.key for problem in raised.value.problems] == [key]


def test_an_address_that_asks_too_often_is_told_so(serve):
    port = serve(Access(requests_per_second_max=5))
    answers = [get(port) for _ in range(12)]
    assert [status for status, _, _ in answers][:5] == [200] * 5
    refused = [headers for status, _, headers in answers if status == 429]
    assert {headers["retry-after"] for headers in refused} == {"1"}


def test_a_client_that_never_comes_to_the_point_is_dropped(serve, monkeypatch):
    monkeypatch.setattr(server_module, "HEADERS_S", 0.3)
    port = serve(Access())
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        raw.sendall(b"GET /connectors HTTP/1.1\r\nHost: x\r\n")
        started = time.monotonic()
        for _ in range(20):
            time.sleep(0.05)
            try:
                raw.sendall(b"X-Y: z\r\n")
            except OSError:
                break
        raw.settimeout(5)
        with contextlib.suppress(ConnectionError):
            assert raw.recv(100) == b""
        assert time.monotonic() - started < 4


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        str(key),
        "-out",
        str(certificate),
    ]
    subprocess.run(
        [*command, "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return certificate, key


def test_https_is_served_from_pem_files_and_from_texts_on_one_line(serve, pem):
    certificate, key = pem
    both = certificate.parent / "both.pem"
    both.write_text(certificate.read_text() + key.read_text())
    client = ssl.create_default_context(cafile=str(certificate))
    on_one_line = {
        "listeners.https.ssl.keystore.certificate.chain": " ".join(certificate.read_text().split("\n")),
        "listeners.https.ssl.keystore.key": " ".join(key.read_text().split("\n")),
    }
    for config in ({"ssl.keystore.location": str(both)}, on_one_line):
        port = serve(Access(), tls=make_context(config))
        assert get(port, tls=client)[0] == 200


def test_a_client_without_a_certificate_is_refused_where_one_is_required(serve, pem):
    certificate, key = pem
    prefix = "listeners.https.ssl."
    config = {
        f"{prefix}keystore.location": str(certificate),
        f"{prefix}keystore.key": str(key),
        f"{prefix}client.auth": "required",
        f"{prefix}truststore.location": str(certificate),
    }
    port = serve(Access(), tls=make_context(config))
    client = ssl.create_default_context(cafile=str(certificate))
    with pytest.raises((ssl.SSLError, OSError)):
        get(port, tls=client)
    client.load_cert_chain(certificate, key)
    assert get(port, tls=client)[0] == 200


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"ssl.keystore.location": "/nowhere"},
        {"ssl.keystore.location": "/dev/null"},
        {"ssl.keystore.location": "x.jks", "ssl.keystore.type": "JKS"},
    ],
)
def test_https_without_a_usable_certificate_is_a_configuration_error(config):
    with pytest.raises(ConfigError, match="keystore"):
        make_context(config)
