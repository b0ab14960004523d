from __future__ import annotations

import json
import os
import threading
import time

import pytest

from streamsink.worker.status import State
from tests.unit.worker.conftest import eventually


def write(folder, stem, /, **config):
    whole = folder / f".{stem}.new"
    whole.write_text(json.dumps(config))
    whole.replace(folder / f"{stem}.json")


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "connectors.d"
    path.mkdir()
    return path


@pytest.fixture
def herd(folder, make_herder):
    return make_herder(folder)


def states(herder, name):
    status = herder.status(name)
    return status and [task.state for task in status.tasks]


def runs(herder, name):
    tasks = states(herder, name)
    return bool(tasks) and set(tasks) == {State.RUNNING}


def test_a_file_that_appears_is_started_within_5_seconds(herd, folder):
    write(folder, "orders", run="runs_until_stopped")
    eventually(lambda: runs(herd, "orders"), within_s=5)
    assert herd.connectors() == ["orders"]


def test_a_file_that_goes_stops_its_tasks_after_they_drained(herd, folder, journal):
    write(folder, "orders", run="runs_until_stopped")
    eventually(lambda: runs(herd, "orders"))
    (folder / "orders.json").unlink()
    eventually(lambda: herd.connectors() == [])
    eventually(lambda: journal.words() == ["started", "drained"])
    assert herd.status("orders") is None


def test_a_changed_file_drains_all_its_tasks_before_it_starts_new_ones(herd, folder, journal):
    write(folder, "orders", run="drains_slowly", **{"tasks.max": "2"})
    eventually(lambda: runs(herd, "orders"))
    write(folder, "orders", run="drains_slowly", retrying="again", **{"tasks.max": "2"})
    eventually(lambda: len(journal.words()) == 6)
    assert journal.words() == ["started"] * 2 + ["drained"] * 2 + ["started"] * 2
    eventually(lambda: herd.task_status("orders", 1).retrying == "again")


def test_a_change_of_one_connector_leaves_the_others_alone(herd, folder, journal):
    write(folder, "orders", run="runs_until_stopped")
    write(folder, "clicks", run="runs_until_stopped")
    eventually(lambda: runs(herd, "orders") and runs(herd, "clicks"))
    before = herd.pids("clicks")
    write(folder, "orders", run="runs_until_stopped", retrying="again")
    eventually(lambda: journal.words().count("started") == 3)
    assert herd.pids("clicks") == before


def test_a_touched_file_without_other_content_disturbs_nothing(herd, folder, journal):
    write(folder, "orders", run="runs_until_stopped")
    eventually(lambda: runs(herd, "orders"))
    os.utime(folder / "orders.json", (1, 1))
    time.sleep(0.8)
    assert journal.words() == ["started"]


def test_touching_the_file_of_a_failed_connector_starts_it_again(herd, folder, journal):
    write(folder, "orders", run="fails_terminally")
    write(folder, "clicks", run="fails_terminally")
    eventually(lambda: states(herd, "orders") == [State.FAILED] and states(herd, "clicks") == [State.FAILED])
    os.utime(folder / "orders.json", (1, 1))
    eventually(lambda: journal.words().count("started") == 3)
    eventually(lambda: states(herd, "orders") == [State.FAILED])
    time.sleep(0.8)
    assert journal.words().count("started") == 3


def test_a_broken_file_shows_as_a_failed_connector_and_leaves_the_others_alone(herd, folder):
    (folder / "broken.json").write_text("{")
    write(folder, "orders", run="runs_until_stopped")
    eventually(lambda: runs(herd, "orders"))
    status = herd.status("broken")
    assert status.state is State.FAILED
    assert "broken.json" in status.trace
    assert [task.trace for task in status.tasks] == [status.trace]
    assert herd.ready().ok
    assert len(herd.ready().problems) == 1


def test_a_file_that_breaks_leaves_the_last_usable_configuration_running(herd, folder, journal):
    write(folder, "file", name="orders", run="runs_until_stopped")
    eventually(lambda: runs(herd, "orders"))
    (folder / "file.json").write_text("{")
    eventually(lambda: herd.status("orders").state is State.FAILED)
    assert herd.connectors() == ["orders"]
    assert states(herd, "orders") == [State.RUNNING]
    write(folder, "file", name="orders", run="runs_until_stopped")
    eventually(lambda: herd.status("orders").state is State.RUNNING)
    assert herd.status("orders").trace == ""
    assert journal.words() == ["started"]


def test_an_unusable_value_fails_the_connector_and_its_task_with_every_problem(herd, folder):
    write(folder, "orders", run="runs_until_stopped", **{"tasks.max": "many"})
    eventually(lambda: states(herd, "orders") == [State.FAILED])
    assert "tasks.max" in herd.task_status("orders", 0).trace
    assert herd.info("orders").config["tasks.max"] == "many"


def test_every_task_has_the_connectors_configuration(herd, folder, journal):
    write(folder, "orders", run="runs_until_stopped", **{"tasks.max": "3"})
    eventually(lambda: runs(herd, "orders"))
    assert herd.info("orders").task_ids == (0, 1, 2)
    assert len(set(journal.pids("started"))) == 3


def test_stopping_the_worker_drains_every_task(folder, make_herder, journal):
    herder = make_herder(folder)
    write(folder, "orders", run="runs_until_stopped", **{"tasks.max": "2"})
    eventually(lambda: runs(herder, "orders"))
    herder.stop()
    assert sorted(journal.words()) == ["drained"] * 2 + ["started"] * 2
    assert not herder.ready().ok
    assert herder.live().ok


def test_a_worker_without_folder_is_ready_with_nothing_to_run(make_herder):
    herder = make_herder(None)
    eventually(lambda: herder.ready().ok)
    assert herder.connectors() == []


def test_a_folder_that_goes_away_keeps_the_connectors_running(herd, folder, journal):
    write(folder, "orders", run="runs_until_stopped")
    eventually(lambda: runs(herd, "orders"))
    folder.rename(folder.with_name("elsewhere"))
    time.sleep(0.8)
    assert runs(herd, "orders")
    assert journal.words() == ["started"]


def test_a_connector_is_ready_once_its_task_reports_an_assignment(herd, folder):
    eventually(lambda: herd.ready().ok)
    write(folder, "orders", run="runs_until_stopped")
    eventually(lambda: "orders" in herd.connectors())
    eventually(lambda: not herd.ready().problems)
    assert runs(herd, "orders")


def test_a_loop_that_hangs_is_not_live(folder, make_herder):
    herder = make_herder(folder)
    eventually(lambda: herder.live().ok)
    herder.stop()
    assert herder.live().ok
    herder._ticked_at -= 60
    assert not herder.live().ok
    assert threading.active_count() < 50
