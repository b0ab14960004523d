from __future__ import annotations

import errno
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from streamsink.errors import BadRequestError, ConfigError, NameTakenError, NotFoundError, RebalanceError
from streamsink.worker.status import State, TargetState
from tests.unit.worker.conftest import eventually

RUNS = {"run": "runs_until_stopped"}


@pytest.fixture(autouse=True)
def levels_as_before():
    yield
    for name in ("a", "a.b"):
        logging.getLogger(name).setLevel(logging.NOTSET)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "connectors.d"
    path.mkdir()
    return path


@pytest.fixture
def herd(folder, make_herder):
    return make_herder(folder)


def states(herder, name="orders"):
    status = herder.status(name)
    return status and [task.state for task in status.tasks]


def runs(herder, name="orders"):
    tasks = states(herder, name)
    return bool(tasks) and set(tasks) == {State.RUNNING}


def test_a_created_connector_is_kept_as_a_file_and_runs(herd, folder, journal):
    info = herd.create("orders", RUNS, TargetState.RUNNING)
    assert info.config == {**RUNS, "name": "orders"}
    assert json.loads((folder / "orders.json").read_text()) == {**RUNS, "name": "orders"}
    eventually(lambda: runs(herd))
    threading.Event().wait(0.5)
    assert journal.words() == ["started"]


def test_what_was_created_outlives_the_worker(folder, make_herder):
    first = make_herder(folder)
    first.create("orders", RUNS, TargetState.PAUSED)
    first.stop()
    second = make_herder(folder)
    eventually(lambda: states(second) == [State.PAUSED])
    assert second.status("orders").state is State.PAUSED


def test_of_two_creates_of_one_name_at_once_one_succeeds(herd):
    def create(_):
        try:
            return herd.create("orders", RUNS, TargetState.RUNNING).name
        except NameTakenError:
            return "conflict"

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(create, range(8))) == ["conflict"] * 7 + ["orders"]


def test_an_unusable_configuration_changes_nothing(herd, folder):
    with pytest.raises(ConfigError):
        herd.create("orders", {**RUNS, "tasks.max": "many"}, TargetState.STOPPED)
    assert list(folder.iterdir()) == []
    herd.create("orders", RUNS, TargetState.RUNNING)
    with pytest.raises(ConfigError):
        herd.patch_config("orders", {"tasks.max": "many"})
    assert herd.info("orders").config == {**RUNS, "name": "orders"}


def test_put_makes_and_replaces(herd):
    assert herd.put_config("orders", {**RUNS, "a": "1"})[1] is True
    info, created = herd.put_config("orders", RUNS)
    assert created is False
    assert "a" not in info.config


def test_patch_sets_and_removes_keys(herd, journal):
    herd.create("orders", {**RUNS, "a": "1", "b": "2"}, TargetState.RUNNING)
    eventually(lambda: runs(herd))
    assert herd.patch_config("orders", {"a": None, "c": "3"}).config == {**RUNS, "b": "2", "c": "3", "name": "orders"}
    eventually(lambda: journal.words() == ["started", "drained", "started"])


def test_a_hidden_value_keeps_the_stored_one(herd, folder):
    herd.create("orders", {**RUNS, "sasl.password": "secret"}, TargetState.RUNNING)
    assert herd.info("orders").config["sasl.password"] == "[hidden]"
    herd.put_config("orders", {**RUNS, "sasl.password": "[hidden]", "a": "1"})
    herd.patch_config("orders", {"sasl.password": "[hidden]"})
    assert json.loads((folder / "orders.json").read_text())["sasl.password"] == "secret"


def test_a_deleted_connector_drains_and_is_gone_for_good(herd, folder, journal):
    herd.create("orders", RUNS, TargetState.RUNNING)
    eventually(lambda: runs(herd))
    herd.delete("orders")
    assert herd.connectors() == []
    eventually(lambda: journal.words() == ["started", "drained"])
    assert [path.name for path in folder.iterdir() if path.suffix == ".json" and path.name[0] != "."] == []
    with pytest.raises(NotFoundError):
        herd.delete("orders")


def test_a_deleted_connector_can_be_made_again_while_the_old_one_drains(herd, journal):
    herd.create("orders", {"run": "drains_slowly"}, TargetState.RUNNING)
    eventually(lambda: runs(herd))
    herd.delete("orders")
    herd.create("orders", RUNS, TargetState.RUNNING)
    eventually(lambda: journal.words() == ["started", "drained", "started"])
    eventually(lambda: runs(herd))


def test_a_pause_drains_and_a_resume_starts_again(herd, journal):
    herd.create("orders", {**RUNS, "tasks.max": "2"}, TargetState.RUNNING)
    eventually(lambda: runs(herd))
    herd.set_target("orders", TargetState.PAUSED)
    eventually(lambda: herd.status("orders").state is State.PAUSED)
    assert states(herd) == [State.PAUSED] * 2
    assert journal.words().count("drained") == 2
    herd.set_target("orders", TargetState.RUNNING)
    eventually(lambda: runs(herd))


def test_a_stopped_connector_has_no_tasks(herd, folder):
    herd.create("orders", RUNS, TargetState.STOPPED)
    assert herd.status("orders").state is State.STOPPED
    assert herd.info("orders").task_ids == ()
    assert json.loads((folder / ".states.json").read_text()) == {"orders": "STOPPED"}
    herd.set_target("orders", TargetState.RUNNING)
    eventually(lambda: runs(herd))
    assert json.loads((folder / ".states.json").read_text()) == {}


def test_offsets_are_not_altered_unless_the_connector_is_stopped(herd):
    herd.create("orders", RUNS, TargetState.RUNNING)
    with pytest.raises(BadRequestError, match="must be in the STOPPED state"):
        herd.reset_offsets("orders")
    with pytest.raises(NotFoundError):
        herd.reset_offsets("nobody")


def test_a_task_that_failed_for_good_runs_after_a_restart(herd, journal):
    herd.create("orders", {"run": "fails_terminally"}, TargetState.RUNNING)
    eventually(lambda: states(herd) == [State.FAILED])
    status = herd.restart("orders", include_tasks=True, only_failed=True)
    assert status.state is State.RUNNING
    assert [task.state for task in status.tasks] == [State.RESTARTING]
    eventually(lambda: journal.words().count("started") == 2)
    herd.restart_task("orders", 0)
    eventually(lambda: journal.words().count("started") == 3)
    with pytest.raises(NotFoundError):
        herd.restart_task("orders", 1)


def test_only_failed_tasks_restart_where_that_is_asked(herd, journal):
    herd.create("orders", {**RUNS, "tasks.max": "2"}, TargetState.RUNNING)
    eventually(lambda: runs(herd))
    before = herd.pids("orders")
    status = herd.restart("orders", include_tasks=True, only_failed=True)
    assert [task.state for task in status.tasks] == [State.RUNNING] * 2
    status = herd.restart("orders", include_tasks=False, only_failed=False)
    assert status.state is State.RESTARTING
    threading.Event().wait(0.5)
    assert herd.pids("orders") == before
    herd.restart_task("orders", 1)
    eventually(lambda: runs(herd) and herd.pids("orders")[1] not in {before[1], None})
    assert herd.pids("orders")[0] == before[0]


def test_rest_writes_the_json_file_that_defined_the_connector(herd, folder, journal):
    (folder / "mine.json").write_text(json.dumps({**RUNS, "name": "orders"}))
    eventually(lambda: runs(herd))
    herd.patch_config("orders", {"a": "1"})
    assert json.loads((folder / "mine.json").read_text())["a"] == "1"
    assert not (folder / "orders.json").exists()


def test_a_name_that_a_file_can_not_have_is_kept_encoded(herd, folder):
    herd.create(".a: b?", RUNS, TargetState.RUNNING)
    assert (folder / "%2Ea%3A b%3F.json").exists()
    eventually(lambda: runs(herd, ".a: b?"))
    with pytest.raises(BadRequestError):
        herd.create("x" * 300, RUNS, TargetState.RUNNING)


def test_a_flush_returns_once_every_task_has_answered(herd):
    herd.create("orders", {"run": "flushes", "flush": "complete", "tasks.max": "2"}, TargetState.RUNNING)
    with pytest.raises(RebalanceError):
        herd.flush("orders")
    eventually(lambda: runs(herd))
    herd.flush("orders")
    with pytest.raises(NotFoundError):
        herd.flush("nobody")


def test_a_flush_that_could_not_store_all_says_so(herd):
    herd.create("orders", {"run": "flushes", "flush": "partly"}, TargetState.RUNNING)
    eventually(lambda: runs(herd))
    with pytest.raises(RebalanceError, match="changed hands"):
        herd.flush("orders")


def test_a_flush_of_a_task_that_ends_is_not_answered_with_success(herd):
    herd.create("orders", {"run": "flushes"}, TargetState.RUNNING)
    eventually(lambda: runs(herd))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(herd.flush, "orders")
        threading.Event().wait(0.3)
        herd.restart_task("orders", 0)
        with pytest.raises(RebalanceError, match="nothing was flushed"):
            waiting.result(10)


def test_a_level_is_told_to_running_tasks_and_to_those_that_start_later(herd):
    herd.create("orders", {"run": "logs_its_level"}, TargetState.RUNNING)
    eventually(lambda: runs(herd))
    assert herd.set_logger("a.b", "error", cluster=False) == ["a.b"]
    eventually(lambda: herd.task_status("orders", 0).retrying == "40")
    assert herd.set_logger("a", "Warn", cluster=True) == ["a", "a.b"]
    herd.restart_task("orders", 0)
    eventually(lambda: herd.task_status("orders", 0).retrying == "30")
    assert {name: at.level for name, at in herd.loggers().items() if name != "root"} == {"a": "WARN", "a.b": "WARN"}
    with pytest.raises(NotFoundError):
        herd.set_logger("a", "LOUD", cluster=False)


def test_a_read_only_folder_keeps_writes_in_memory(herd, folder, monkeypatch):
    (folder / "orders.json").write_text(json.dumps(RUNS))
    eventually(lambda: runs(herd))

    def refuse(**_):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("streamsink.worker.connector_storage.tempfile.mkstemp", refuse)
    herd.patch_config("orders", {"a": "1"})
    herd.create("clicks", RUNS, TargetState.RUNNING)
    threading.Event().wait(0.5)
    assert herd.info("orders").config["a"] == "1"
    assert herd.connectors() == ["clicks", "orders"]
    (folder / "orders.json").write_text(json.dumps({**RUNS, "b": "2"}))
    eventually(lambda: herd.info("orders").config == {**RUNS, "b": "2", "name": "orders"})
    assert herd.connectors() == ["clicks", "orders"]


def test_without_a_folder_connectors_are_kept_in_memory(make_herder):
    herd = make_herder(None)
    herd.create("orders", RUNS, TargetState.RUNNING)
    eventually(lambda: runs(herd))
    herd.patch_config("orders", {"a": "1"})
    assert herd.info("orders").config["a"] == "1"
    herd.delete("orders")
    assert herd.connectors() == []


def test_a_worker_that_stops_refuses_orders(folder, make_herder):
    herd = make_herder(folder)
    herd.stop()
    with pytest.raises(RebalanceError):
        herd.create("orders", RUNS, TargetState.RUNNING)


def test_a_file_says_what_its_connector_is_at_first_and_what_it_was_told_since_outlives_the_worker(folder, make_herder):
    (folder / "orders.json").write_text(json.dumps({**RUNS, "initial_state": "PAUSED"}))
    first = make_herder(folder)
    eventually(lambda: states(first) == [State.PAUSED])
    first.set_target("orders", TargetState.RUNNING)
    eventually(lambda: runs(first))
    (folder / "orders.json").write_text(json.dumps({**RUNS, "initial_state": "PAUSED", "retrying": "again"}))
    eventually(lambda: (first.info("orders").config or {}).get("retrying") == "again")
    eventually(lambda: runs(first))
    first.stop()
    second = make_herder(folder)
    eventually(lambda: runs(second))
    (folder / "orders.json").unlink()
    eventually(lambda: second.connectors() == [])
    assert json.loads((folder / ".states.json").read_text()) == {}


def test_a_configuration_that_was_shown_and_comes_back_keeps_its_passwords(herd, folder):
    urls = {"registry.url": "http://u:one@a:8081,http://u:two@b:8081", "sasl.password": "three"}
    herd.create("orders", {**RUNS, **urls}, TargetState.PAUSED)
    shown = dict(herd.info("orders").config)
    assert shown["registry.url"] == "http://u:[hidden]@a:8081,http://u:[hidden]@b:8081"
    herd.put_config("orders", {**shown, "more": "x"})
    herd.patch_config("orders", {"registry.url": shown["registry.url"] + "/api"})
    kept = json.loads((folder / "orders.json").read_text())
    assert kept == {
        **RUNS,
        "registry.url": urls["registry.url"] + "/api",
        "sasl.password": "three",
        "name": "orders",
        "more": "x",
    }
    with pytest.raises(ConfigError, match="write the password again"):
        herd.patch_config("orders", {"registry.url": "http://u:[hidden]@elsewhere:8081"})
    with pytest.raises(ConfigError, match="none is stored"):
        herd.create("clicks", {**RUNS, "sasl.password": "[hidden]"}, TargetState.PAUSED)
    assert herd.info("clicks") is None
    assert json.loads((folder / "orders.json").read_text()) == kept
