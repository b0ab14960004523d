"""Other people's clients drive the worker: kafka-connect-py end to end, and schemathesis over what we say we answer."""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from kafka_connect import KafkaConnect
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from streamsink.rest.access import Access
from streamsink.rest.app import make_admin_app
from streamsink.rest.listener import bind, parse_listeners
from streamsink.rest.server import RestServer
from tests.unit.worker.conftest import eventually

EXAMPLES = int(os.environ.get("STREAMSINK_FUZZ_EXAMPLES", "6"))
CONFIG = {"connector.class": "streamsink.ArchiveSink", "run": "flushes", "flush": "complete"}


@pytest.fixture
def url(rest):
    return f"http://127.0.0.1:{rest.port}"


def test_kafka_connect_py_drives_a_worker_end_to_end(url):
    client = KafkaConnect(url)
    assert client.get_cluster_info()["kafka_cluster_id"] is None

    def state():
        status = client.get_connector_status("shop")
        return status["connector"]["state"], [task["state"] for task in status["tasks"]]

    assert client.create_connector({"name": "shop", "config": CONFIG})["name"] == "shop"
    eventually(lambda: state() == ("RUNNING", ["RUNNING"]))
    assert "shop" in client.list_connectors()
    assert client.list_connectors(expand="status")["shop"]["status"]["name"] == "shop"
    assert client.get_connector("shop")["type"] == "sink"
    assert client.get_connector_config("shop")["run"] == "flushes"
    assert client.update_connector("shop", {**CONFIG, "tasks.max": "2"})["config"]["tasks.max"] == "2"
    eventually(lambda: state() == ("RUNNING", ["RUNNING", "RUNNING"]))
    assert len(client.list_connector_tasks("shop")) == 2
    assert client.get_connector_task_status("shop", 1)["id"] == 1
    client.restart_connector("shop", include_tasks=True)
    client.restart_connector_task("shop", 0)
    client.pause_connector("shop")
    eventually(lambda: state() == ("PAUSED", ["PAUSED", "PAUSED"]))
    client.resume_connector("shop")
    eventually(lambda: state() == ("RUNNING", ["RUNNING", "RUNNING"]))
    client.stop_connector("shop")
    eventually(lambda: state() == ("STOPPED", []))
    assert client.list_connector_topics("shop") == {"shop": {"topics": []}}
    client.reset_connector_topics("shop")
    assert {plugin["type"] for plugin in client.list_connector_plugins()} == {"sink"}
    report = client.validate_connector_config("ArchiveSink", {"connector.class": "streamsink.ArchiveSink"})
    assert report["error_count"] >= 2
    client.delete_connector("shop")
    assert "shop" not in client.list_connectors()


HOSTILE_NAMES = ["..", "a/b", "a\\b", "\x00", "a\nb", "\ud800", "", " ", "\u0085", "x" * 5000, "../../etc/passwd"]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_no_connector_gets_a_hostile_name(rest, name):
    before = rest.ask("GET", "/connectors")[1]
    body = json.dumps({"name": name, "config": CONFIG}).encode()
    status, answer, _ = rest.ask("POST", "/connectors", body=body, headers={"Content-Type": "application/json"})
    assert status == 400, answer
    assert rest.ask("GET", "/connectors")[1] == before


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"\xff\xfe",
        b'{"name": "x", "config": {"connector.class": {"a": 1}}}',
        b'{"name": "x", "config": []}',
        b'{"name": "x", "config": {"connector.class": "x", "a": NaN}}',
        b'{"name": "x", "config": {"connector.class": "x", "a": 1' + b"0" * 6000 + b"}}",
        b'{"name": "x", "config": {"connector.class": "x", "": "1"}}',
        b'{"name": "x", "config": {"connector.class": "x", "a": "\\u0000"}}',
    ],
    ids=range(11),
)
def test_a_malformed_body_is_a_400_and_changes_nothing(rest, body):
    before = rest.ask("GET", "/connectors")[1]
    for method, path in (("POST", "/connectors"), ("PUT", "/connectors/orders/config")):
        status, answer, _ = rest.ask(method, path, body=body, headers={"Content-Type": "application/json"})
        assert (status, json.loads(answer)["error_code"]) == (400, 400)
    assert rest.ask("GET", "/connectors")[1] == before


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_that_any_web_page_could_send_is_refused(rest, kind):
    headers = {} if kind is None else {"Content-Type": kind}
    body = json.dumps({"name": "x", "config": CONFIG}).encode()
    assert rest.ask("POST", "/connectors", body=body, headers=headers)[0] == 415


def test_loggers_have_an_application_of_their_own_if_wanted(rest, herder):
    admin = make_admin_app(herder, Access())
    (listener,) = parse_listeners("http://127.0.0.1:0")
    bound = bind(listener)
    server = RestServer(admin, [bound], name="admin")
    server.start()
    try:
        client = type(rest)(bound.getsockname()[1])
        assert client.json("/admin/loggers")[0] == 200
        assert client.json("/connectors")[0] == 404
    finally:
        server.stop()


def hold_to_its_description(operation, url):
    checks = [status_code_conformance, response_schema_conformance]
    if not operation.path.startswith("/health"):
        checks.append(not_a_server_error)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case):
        case.call_and_validate(base_url=url, checks=checks)

    ask()


def test_what_is_described_is_what_is_answered(rest, url):
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    asked = [operation for operation in operations if not operation.path.startswith(("/ui", "/metrics"))]
    for operation in asked:
        hold_to_its_description(operation, url)
    assert len(asked) >= 25
    assert rest.ask("GET", "/connectors")[0] == 200


def test_many_calls_at_once_are_answered_quickly(rest):
    """The goal is 1,000 calls a second with a sink at full speed; this holds a floor that a busy machine can keep."""
    seconds = float(os.environ.get("STREAMSINK_LOAD_S", "2"))
    paths = ["/connectors", "/connectors/orders/status", "/connectors/orders", "/connectors?expand=status"]
    until = time.monotonic() + seconds
    barrier = threading.Barrier(4)

    def work(number):
        connection = http.client.HTTPConnection("127.0.0.1", rest.port, timeout=10)
        barrier.wait()
        took = []
        while time.monotonic() < until:
            started = time.perf_counter()
            connection.request("GET", paths[(number + len(took)) % len(paths)])
            response = connection.getresponse()
            response.read()
            assert response.status == 200
            took.append(time.perf_counter() - started)
        connection.close()
        return took

    with ThreadPoolExecutor(4) as pool:
        took_s = sorted(each for one in pool.map(work, range(4)) for each in one)
    p99_ms = took_s[int(len(took_s) * 0.99)] * 1000
    print(f"{len(took_s) / seconds:,.0f} calls/s, p99 {p99_ms:.1f} ms")
    assert len(took_s) / seconds > 100
    assert p99_ms < 500
