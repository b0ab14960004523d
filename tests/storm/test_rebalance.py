"""Members come and go under load beside one that stays: each record is stored once, and no partition is left unread."""

from dataclasses import replace

import pytest

from tests.storm.harness.plan import Fault, Grouping, Kind, Protocol, StoreKind, draw_plan
from tests.storm.harness.storm import run_storm

pytestmark = pytest.mark.alone

TIMES = 10
STANDSTILL_S_MAX = 60.0
"""A start, rebalances, the drain before each and the age at which files close."""


def test_a_second_worker_comes_and_goes_beside_a_first_that_stays(tmp_path):
    plan = replace(
        draw_plan(1, protocol=Protocol.CLASSIC, seconds=120, grouping=Grouping.STANDALONE, store=StoreKind.S3),
        workers=2,
        static_members=False,
        overtaken=False,
        made_anew=False,
        targets={"worker-1": (Fault(Kind.LEAVE, wait_s=2.0, lasts_s=2.0),) * TIMES},
    )
    report = run_storm(plan, tmp_path / "storm", watched=True)
    print(report.line())
    assert report.good, report.details()
    assert report.done[Kind.LEAVE] == TIMES
    assert not report.failures
    assert report.standstill_s < STANDSTILL_S_MAX, report.standstill_where
