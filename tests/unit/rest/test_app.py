from __future__ import annotations

import http.client
import socket
import statistics
import threading
import time
from types import SimpleNamespace

import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from streamsink import __version__
from streamsink.observe.health import Health
from streamsink.rest import errors
from streamsink.rest.app import make_app
from streamsink.rest.connectors import connectors_router
from streamsink.rest.listener import bind, parse_listeners
from streamsink.rest.server import RestServer
from tests.unit.rest.conftest import Rest
from tests.unit.worker.conftest import eventually


def test_root_tells_version_commit_and_cluster(rest):
    assert rest.json("/") == (200, {"version": __version__, "commit": "unknown", "kafka_cluster_id": None})


def test_connectors_are_listed_by_name(rest):
    assert rest.json("/connectors") == (200, ["broken", "clicks", "orders"])


def test_expand_gives_info_and_status_of_each_connector(rest):
    status, both = rest.json("/connectors?expand=info&expand=status")
    assert status == 200
    assert set(both) == {"broken", "clicks", "orders"}
    assert both["orders"]["info"] == rest.json("/connectors/orders")[1]
    assert both["orders"]["status"] == rest.json("/connectors/orders/status")[1]


def test_an_unknown_expansion_adds_nothing(rest):
    assert rest.json("/connectors?expand=nonsense")[1]["orders"] == {}


def test_a_connector_has_name_config_tasks_and_type(rest):
    status, info = rest.json("/connectors/orders")
    assert status == 200
    assert info == {
        "name": "orders",
        "config": {"run": "runs_until_stopped", "tasks.max": "2", "retrying": "put", "name": "orders"},
        "tasks": [{"connector": "orders", "task": 0}, {"connector": "orders", "task": 1}],
        "type": "sink",
    }


def test_secrets_are_masked_wherever_a_configuration_is_shown(rest):
    assert rest.json("/connectors/clicks/config")[1]["sasl.password"] == "[hidden]"
    for path in (
        "/connectors/clicks",
        "/connectors/clicks/tasks",
        "/connectors?expand=info",
        "/connectors/clicks/config",
    ):
        assert b"hunter2" not in rest.ask("GET", path)[1]


def test_a_status_has_connects_keys_and_leaves_an_empty_trace_out(rest):
    status, shape = rest.json("/connectors/orders/status")
    running = {"state": "RUNNING", "worker_id": "127.0.0.1:8083", "version": __version__}
    assert status == 200
    for task in shape["tasks"]:
        assert task.pop("progress")["records_total"] == 7
    assert shape == {
        "name": "orders",
        "connector": running,
        "tasks": [{"id": 0, **running, "retrying": "put"}, {"id": 1, **running, "retrying": "put"}],
        "type": "sink",
    }


def test_a_failed_task_shows_its_trace_and_its_connector_runs(rest):
    _, shape = rest.json("/connectors/clicks/status")
    assert shape["connector"]["state"] == "RUNNING"
    assert shape["tasks"][0]["state"] == "FAILED"
    assert shape["tasks"][0]["trace"].startswith("TerminalError: the bucket is missing (create it)")


def test_a_broken_file_shows_as_a_failed_connector(rest):
    _, shape = rest.json("/connectors/broken/status")
    assert shape["connector"]["state"] == "FAILED"
    assert "broken.json" in shape["connector"]["trace"]


def test_tasks_have_id_and_config(rest):
    status, tasks = rest.json("/connectors/orders/tasks")
    assert status == 200
    assert [task["id"] for task in tasks] == [{"connector": "orders", "task": 0}, {"connector": "orders", "task": 1}]
    assert tasks[0]["config"]["run"] == "runs_until_stopped"


def test_one_task_has_a_status_of_its_own(rest):
    status, shape = rest.json("/connectors/orders/tasks/1/status")
    assert status == 200
    assert (shape["id"], shape["state"]) == (1, "RUNNING")


def test_plugins_are_told(rest):
    plugin = {"class": "streamsink.ArchiveSink", "type": "sink", "version": "0.1.0"}
    assert rest.json("/connector-plugins") == (200, [plugin])


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/connectors/none", "Connector none not found"),
        ("/connectors/none/config", "Connector none not found"),
        ("/connectors/none/tasks", "Connector none not found"),
        ("/connectors/none/status", "No status found for connector none"),
        ("/connectors/none/tasks/0/status", "No status found for task none-0"),
        ("/connectors/orders/tasks/7/status", "No status found for task orders-7"),
        ("/connectors/orders/tasks/x/status", "HTTP 404 Not Found"),
        (
            "/connectors/orders/tasks/99999999999999999999/status",
            "No status found for task orders-99999999999999999999",
        ),
        ("/nowhere", "HTTP 404 Not Found"),
        ("/docs", "HTTP 404 Not Found"),
    ],
)
def test_what_is_not_there_is_a_404_in_connects_shape(rest, path, message):
    assert rest.json(path) == (404, {"error_code": 404, "message": message})


@pytest.mark.parametrize(
    "path",
    ["/connectors/a%2Fb", "/connectors/%00", "/connectors/..%2f..%2fetc%2fpasswd", "/connectors/../x", "/a%0d%0ab"],
)
def test_paths_with_hidden_parts_are_refused(rest, path):
    status, shape = rest.json(path)
    assert status == 400
    assert shape["error_code"] == 400


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "/"), ("POST", "/connectors/orders/status"), ("PATCH", "/metrics")]
)
def test_a_method_that_is_not_served_is_a_405_in_connects_shape(rest, method, path):
    assert rest.json(path, method=method) == (405, {"error_code": 405, "message": "HTTP 405 Method Not Allowed"})


def test_head_answers_as_get_without_a_body(rest):
    status, body, headers = rest.ask("HEAD", "/connectors")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 0


def test_a_trailing_slash_means_nothing(rest):
    assert rest.json("/connectors/") == rest.json("/connectors")


def test_a_body_over_one_mebibyte_is_refused(rest):
    status, body, _ = rest.ask("POST", "/connectors", body=b"x" * 20_000_000)
    assert status == 413
    assert body.startswith(b'{"error_code":413,"message":"')


def test_a_huge_announced_body_is_refused_before_it_is_sent(rest):
    with socket.create_connection(("127.0.0.1", rest.port), timeout=10) as raw:
        raw.sendall(b"POST /connectors HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000000\r\n\r\n")
        assert raw.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_health_is_connects(rest):
    status, shape = rest.json("/health")
    assert status == 200
    assert shape["status"] == "healthy"


def test_health_lists_what_is_wrong_with_connectors_and_tasks(rest):
    told = rest.json("/health")[1]["problems"]
    assert len(told) == 2
    assert any("broken" in text for text in told)
    assert "task clicks-0 is FAILED" in told


def test_a_worker_whose_loop_turns_is_live(rest):
    status, shape = rest.json("/health/live")
    assert (status, shape["status"]) == (200, "live")


def test_a_worker_stays_ready_while_a_task_or_a_connector_has_failed_and_says_which(rest):
    status, shape = rest.json("/health/ready")
    assert (status, shape["status"]) == (200, "ready")
    assert len(shape["problems"]) == 2
    assert "broken" in shape["message"]
    assert "task clicks-0 is FAILED" in shape["message"]


def test_metrics_are_readable_by_prometheus(rest):
    status, body, headers = rest.ask("GET", "/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain")
    samples = [sample for family in text_string_to_metric_families(body.decode()) for sample in family.samples]
    records = {tuple(s.labels.values()): s.value for s in samples if s.name == "streamsink_records_total"}
    assert records == {("orders", "0"): 7.0, ("orders", "1"): 7.0}
    failed = [
        s for s in samples if s.name == "streamsink_task_state" and s.value == 1 and s.labels["state"] == "FAILED"
    ]
    assert [s.labels["connector"] for s in failed] == ["broken", "clicks"]


def test_metrics_speak_open_metrics_when_asked_to(rest):
    _, body, headers = rest.ask("GET", "/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert headers["content-type"].startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_the_api_describes_itself(rest):
    status, shape = rest.json("/openapi.json")
    assert status == 200
    assert "/connectors/{connector}/status" in shape["paths"]


def test_small_answers_are_not_held_back(rest):
    connection = http.client.HTTPConnection("127.0.0.1", rest.port, timeout=10)
    took_s = []
    for _ in range(20):
        asked_at = time.perf_counter()
        connection.request("GET", "/connectors/orders/status")
        connection.getresponse().read()
        took_s.append(time.perf_counter() - asked_at)
    connection.close()
    assert statistics.median(took_s) < 0.03


def test_a_server_whose_thread_dies_is_told_by_the_others():
    registry = CollectorRegistry()
    (listener,) = parse_listeners("http://127.0.0.1:0")
    dying = RestServer(FastAPI(), [bind(listener)], name="rest-dying")
    herder = SimpleNamespace(live=lambda: Health(ok=True), ready=lambda: Health(ok=True), plugins=list)
    app = make_app(herder, registry=registry, cluster_id=lambda: None, validate=None, dead=lambda: [dying.problem])
    bound = bind(listener)
    server = RestServer(app, [bound])
    server.start()
    dying.start()
    try:
        client = Rest(bound.getsockname()[1])
        assert client.json("/health/live")[0] == 200
        dying._server.on_tick = broken_tick
        eventually(lambda: client.json("/health/live")[0] == 503)
        assert "rest-dying" in client.json("/health/live")[1]["message"]
        assert "rest-dying" in client.json("/health")[1]["message"]
    finally:
        server.stop()


async def broken_tick(_counter):
    raise RuntimeError("broken")


class StartingHerder:
    """A herder that reads its topics for as long as a test wants."""

    def __init__(self):
        self.problem = "the worker has not read its topics yet"
        self.asked = 0

    def starting(self):
        self.asked += 1
        return self.problem

    def connectors(self):
        return ["orders"]


def serve(herder):
    """A server of a herder's connectors alone, and its client."""
    app = FastAPI()
    errors.install(app)
    app.include_router(connectors_router(herder))
    bound = bind(parse_listeners("http://127.0.0.1:0")[0])
    server = RestServer(app, [bound])
    server.start()
    return server, Rest(bound.getsockname()[1])


def test_requests_wait_while_the_worker_reads_its_topics():
    herder = StartingHerder()
    server, client = serve(herder)
    answers = []
    asking = threading.Thread(target=lambda: answers.append(client.json("/connectors")))
    asking.start()
    eventually(lambda: herder.asked > 2)
    assert answers == []
    herder.problem = ""
    asking.join(10)
    server.stop()
    assert answers == [(200, ["orders"])]


def test_requests_do_not_wait_for_ever(monkeypatch):
    monkeypatch.setattr("streamsink.rest.connectors.REQUEST_TIMEOUT_S", 0.0)
    server, client = serve(StartingHerder())
    status, answer = client.json("/connectors")
    server.stop()
    assert (status, answer["message"]) == (500, "Request timed out. the worker has not read its topics yet (try again)")
