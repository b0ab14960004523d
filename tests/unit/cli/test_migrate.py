"""What `connectors migrate` shows and makes."""

from __future__ import annotations

import json
import uuid

import pytest

from streamsink.cli.main import run
from streamsink.cli.rest_client import fetch
from streamsink.config.reading.migration import Outcome, plan_migration
from tests.unit.worker.conftest import eventually

CONFIG = {
    "connector.class": "io.confluent.connect.s3.S3SinkConnector",
    "topics": "payments",
    "s3.bucket.name": "acme",
    "s3.acl.canned": "private",
    "storage.class": "io.confluent.connect.s3.storage.S3Storage",
    "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
    "flush.size": "1000",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
}
WORKER = {"bootstrap.servers": "b:1"}


@pytest.fixture
def url(rest):
    return f"http://127.0.0.1:{rest.port}"


@pytest.fixture
def name():
    """The worker is shared, so that a connector's name is of one test only."""
    return f"payments-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def file(tmp_path, name):
    path = tmp_path / "connector.json"
    # `run` is what the fixture's worker does in place of a sink.
    path.write_text(json.dumps({"name": name, "config": {**CONFIG, "run": "runs_until_stopped"}}))
    return path


def test_a_connector_that_can_be_taken_says_what_stays_and_what_differs():
    plan = plan_migration({**CONFIG, "name": "payments"}, WORKER)
    assert (plan.outcome, plan.group) == (Outcome.TAKEN, "connect-payments")
    assert plan.stays[0] == "topics payments to s3://acme/topics"
    assert any("s3.acl.canned" in line for line in plan.differs)
    assert any("Exactly once" in line for line in plan.stays)


def test_a_group_of_its_own_is_kept():
    plan = plan_migration({**CONFIG, "name": "p", "consumer.override.group.id": "mine"}, WORKER)
    assert plan.group == "mine"


def test_what_is_refused_names_its_key():
    plan = plan_migration({**CONFIG, "name": "p", "format.class": "com.example.Orc"}, WORKER)
    assert plan.outcome is Outcome.REFUSED
    assert [line.partition(":")[0] for line in plan.refused] == ["format.class"]


def test_a_source_of_others_is_left_alone():
    plan = plan_migration({"name": "db", "connector.class": "io.debezium.connector.mysql.MySqlConnector"}, WORKER)
    assert plan.outcome is Outcome.LEFT_ALONE


def test_a_file_is_only_shown_unless_it_is_to_be_made(file, name, url, capsys):
    assert run(["connectors", "migrate", str(file), "--url", url]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{name}: taken\n  stays    topics payments to s3://acme/topics\n")
    assert name not in fetch(url, "/connectors")


def test_a_refused_connector_is_an_exit_code(file, name, url, capsys):
    file.write_text(json.dumps({"name": name, "config": {**CONFIG, "flush.size": "many"}}))
    assert run(["connectors", "migrate", str(file), "--url", url]) == 2
    assert "  refused  flush.size: " in capsys.readouterr().out


def test_a_cluster_is_asked_for_all_its_connectors(url, capsys):
    run(["connectors", "migrate", url])
    out = capsys.readouterr().out
    assert {line.partition(":")[0] for line in out.splitlines() if not line.startswith(" ")} == set(
        fetch(url, "/connectors")
    )


def test_a_connector_that_is_not_there_is_told(url, capsys):
    assert run(["connectors", "migrate", url, "--only", "nobody"]) != 0
    assert "nobody: no such connector" in capsys.readouterr().err


def test_a_connector_of_a_file_is_made_stopped(file, name, url, capsys):
    assert run(["connectors", "migrate", str(file), "--make", "stopped", "--url", url]) == 0
    assert f"{name}: made, stopped; it goes on at the offsets of connect-{name}" in capsys.readouterr().out
    assert fetch(url, f"/connectors/{name}/config")["s3.bucket.name"] == "acme"
    eventually(lambda: fetch(url, f"/connectors/{name}/status")["connector"]["state"] == "STOPPED")


def test_a_connector_that_runs_is_not_made_to_run_twice(file, name, url, capsys):
    run(["connectors", "create", str(file), "--url", url])
    eventually(lambda: fetch(url, f"/connectors/{name}/status")["connector"]["state"] == "RUNNING")
    assert run(["connectors", "migrate", url, "--only", name, "--make", "running", "--url", url]) != 0
    told = capsys.readouterr().err
    assert f"{name} is RUNNING" in told
    assert f"PUT /connectors/{name}/stop" in told
