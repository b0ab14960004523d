from __future__ import annotations

import http.client
import json

import pytest

from streamsink.config.secrets import Redactor
from streamsink.observe.metrics import make_registry
from streamsink.rest.app import make_app
from streamsink.rest.listener import bind, parse_listeners
from streamsink.rest.server import RestServer
from streamsink.worker.folder import FolderWatch
from streamsink.worker.status import Plugin, State
from streamsink.worker.validation import make_validator
from tests.unit.worker.conftest import (
    Journal,
    RunningHerder,
    eventually,
    planner_for,
    read_json_folder,
    supervise_quickly,
)


class Rest:
    """A client that sends just what it is told to."""

    def __init__(self, port):
        self.port = port

    def ask(self, method, path, *, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return response.status, response.read(), dict(response.getheaders())
        finally:
            connection.close()

    def json(self, path, *, method="GET"):
        status, body, headers = self.ask(method, path)
        assert headers["content-type"] == "application/json"
        return status, json.loads(body)


@pytest.fixture(scope="module")
def herder(rest):
    return rest.herder


@pytest.fixture(scope="module")
def rest(tmp_path_factory):
    base = tmp_path_factory.mktemp("worker")
    folder = base / "connectors.d"
    folder.mkdir()
    (folder / "orders.json").write_text(json.dumps({"run": "runs_until_stopped", "tasks.max": "2", "retrying": "put"}))
    (folder / "clicks.json").write_text(json.dumps({"run": "fails_terminally", "sasl.password": "hunter2"}))
    (folder / "broken.json").write_text("{")
    herder = RunningHerder(
        FolderWatch(folder, lambda *told: [masked(each) for each in read_json_folder(*told)]),
        plan=planner_for(Journal(base / "journal")),
        supervise=supervise_quickly,
        worker_id="127.0.0.1:8083",
        plugins=(Plugin("streamsink.ArchiveSink", "sink", "0.1.0"),),
        folder_poll_s=0.1,
    ).begin()
    registry = make_registry(herder.task_metrics, states=[state.value for state in State])
    (listener,) = parse_listeners("http://127.0.0.1:0")
    bound = bind(listener)
    validate = make_validator({"bootstrap.servers": "127.0.0.1:1"}, Redactor())
    server = RestServer(make_app(herder, registry=registry, cluster_id=lambda: None, validate=validate), [bound])
    client = Rest(bound.getsockname()[1])
    client.herder = herder
    server.start()
    eventually(lambda: herder.task_status("orders", 1) and herder.task_status("orders", 1).state is State.RUNNING)
    eventually(lambda: herder.task_status("orders", 0).state is State.RUNNING)
    eventually(lambda: herder.task_status("clicks", 0).state is State.FAILED)
    yield client
    server.stop()
    herder.stop()


def masked(definition):
    if definition.config is None:
        return definition
    shown = {key: "[hidden]" if "password" in key else value for key, value in definition.config.items()}
    return type(definition)(definition.name, definition.path, definition.stamp, definition.config, shown)
