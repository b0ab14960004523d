from __future__ import annotations

import json

import pytest

from streamsink.config.secrets import Redactor
from streamsink.errors import ConfigError
from streamsink.worker.plan import PLUGINS, make_planner, read_definitions
from streamsink.worker.status import State, TargetState
from tests.unit.worker import targets
from tests.unit.worker.conftest import eventually

WORKER = {"bootstrap.servers": "127.0.0.1:9092"}


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "connectors.d"
    path.mkdir()
    return path


def write(folder, name, **config):
    lines = {
        "connector.class": "streamsink.ArchiveSink",
        "topics": "t",
        "archive.url": "file:///tmp/archive",
        **config,
    }
    path = folder / name
    path.write_text("".join(f"{key}: {value}\n" for key, value in lines.items()))
    return path


def read(folder):
    stamps = {path: str(number) for number, path in enumerate(sorted(folder.iterdir()))}
    return {definition.name: definition for definition in read_definitions(folder, stamps)}


def test_a_definition_has_what_may_be_shown_and_what_may_not(folder):
    write(folder, "a.yaml", **{"archive.option.secret_access_key": "hunter2"})
    definition = read(folder)["a"]
    assert definition.config["archive.option.secret_access_key"] == "hunter2"
    assert definition.shown["archive.option.secret_access_key"] == "[hidden]"


def test_a_broken_file_is_a_definition_with_a_problem_that_names_it(folder):
    write(folder, "a.yaml")
    (folder / "b.yaml").write_text("a: [")
    definitions = read(folder)
    assert definitions["a"].problem == ""
    assert "b.yaml" in definitions["b"].problem
    assert definitions["b"].config is None


def test_every_task_of_a_plan_has_the_same_configuration_and_secrets_stay_references(folder, monkeypatch):
    monkeypatch.setenv("ARCHIVE_SECRET", "hunter2")
    write(
        folder,
        "a.yaml",
        **{
            "tasks.max": "3",
            "drain.timeout.ms": "1234",
            "archive.url": "s3://bucket",
            "archive.option.access_key_id": "id",
            "archive.option.secret_access_key": "${env:ARCHIVE_SECRET}",
        },
    )
    plan = make_planner(WORKER, Redactor())(read(folder)["a"])
    assert [task.task_id for task in plan.tasks] == [0, 1, 2]
    assert {task.config["archive.option.secret_access_key"] for task in plan.tasks} == {"${env:ARCHIVE_SECRET}"}
    assert {task.drain_timeout_ms for task in plan.tasks} == {1234}


def test_every_problem_of_a_configuration_is_told_at_once(folder):
    write(folder, "a.yaml", **{"flush.size": "many", "rotate.age.ms": "soon"})
    with pytest.raises(ConfigError) as error:
        make_planner(WORKER, Redactor())(read(folder)["a"])
    assert {problem.key for problem in error.value.problems} >= {"flush.size", "rotate.age.ms"}


def test_an_unknown_key_is_a_warning_with_the_nearest_name(folder):
    write(folder, "a.yaml", **{"flush.sise": "3"})
    plan = make_planner(WORKER, Redactor())(read(folder)["a"])
    assert any("flush.size" in warning for warning in plan.warnings)


def test_an_absurd_number_of_tasks_is_refused(folder):
    write(folder, "a.yaml", **{"tasks.max": "100000"})
    with pytest.raises(ConfigError, match=r"tasks\.max"):
        make_planner(WORKER, Redactor())(read(folder)["a"])


def test_the_plugins_are_the_classes_that_configurations_may_name():
    assert "streamsink.ArchiveSink" in {plugin.name for plugin in PLUGINS}
    assert "io.confluent.connect.s3.S3SinkConnector" in {plugin.name for plugin in PLUGINS}


def test_a_secret_in_an_error_never_reaches_the_trace(supervise, monkeypatch):
    task = supervise(targets.tells_its_secret, **{"archive.option.secret_access_key": "hunter2hunter2"})
    eventually(lambda: task.status().state is State.FAILED)
    assert "denied to [hidden]" in task.status().trace
    assert "hunter2" not in task.status().trace


def test_a_missing_secret_fails_the_task_with_the_reference(supervise):
    task = supervise(targets.runs_until_stopped, **{"archive.option.secret_access_key": "${env:NO_SUCH_VARIABLE}"})
    eventually(lambda: task.status().state is State.FAILED)
    assert "${env:NO_SUCH_VARIABLE}" in task.status().trace


def test_a_file_says_what_its_connector_is_at_first_as_over_rest(tmp_path):
    config = {"connector.class": "streamsink.ArchiveSink", "topics": "a"}
    for name, state in (
        ("paused", "PAUSED"),
        ("stopped", " stopped "),
        ("unsaid", None),
        ("wrong", "ASLEEP"),
        ("no", 1),
    ):
        (tmp_path / f"{name}.json").write_text(json.dumps({"name": name, "config": config, "initial_state": state}))
    stamps = dict.fromkeys(tmp_path.iterdir(), "")
    found = {definition.name: definition for definition in read_definitions(tmp_path, stamps)}
    states = {name: found[name].initial_state for name in ("paused", "stopped", "unsaid")}
    assert states == {"paused": TargetState.PAUSED, "stopped": TargetState.STOPPED, "unsaid": None}
    assert "initial_state is none of RUNNING, PAUSED, STOPPED" in found["wrong"].problem
    assert "wrong.json:1" in found["wrong"].problem
    assert found["no"].config is None
