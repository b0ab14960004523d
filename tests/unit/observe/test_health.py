from __future__ import annotations

import pytest

from streamsink.observe.health import Health, TaskObservation, liveness, readiness


def task(**changes):
    values = {"name": "orders-0", "state": "RUNNING", "report_age_s": 1.0, "assigned": True}
    return TaskObservation(**{**values, **changes})


def test_a_worker_is_live_until_its_loop_stands_still():
    assert liveness(tick_age_s=1).ok
    assert not liveness(tick_age_s=16).ok


def test_a_worker_whose_tasks_report_and_poll_is_ready():
    assert readiness(starting="", connectors=[], tasks=[task(), task()]) == Health(ok=True)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"report_age_s": None, "state": "UNASSIGNED"}, "task orders-0 is UNASSIGNED"),
        ({"state": "RESTARTING"}, "task orders-0 is RESTARTING"),
        ({"report_age_s": 20.0}, "task orders-0 has not reported for 20 s"),
        ({"assigned": False}, "task orders-0 has no assignment from its consumer group yet"),
    ],
)
def test_a_task_that_does_not_poll_is_told_with_a_reason_and_leaves_the_worker_ready(changes, reason):
    verdict = readiness(starting="", connectors=[], tasks=[task(), task(**changes)])
    assert verdict == Health(ok=True, problems=(reason,))


def test_a_connector_that_fails_takes_no_worker_out_of_service():
    verdict = readiness(starting="", connectors=["connector x: broken"], tasks=[task()])
    assert verdict == Health(ok=True, problems=("connector x: broken",))


def test_a_worker_that_starts_or_stops_is_not_ready():
    assert not readiness(starting="the worker is stopping", connectors=[], tasks=[]).ok


def test_every_reason_is_told():
    verdict = readiness(
        starting="the worker is stopping", connectors=["connector x: broken"], tasks=[task(state="FAILED")]
    )
    assert len(verdict.problems) == 3
