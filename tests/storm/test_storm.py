"""Short storms of fixed seeds: each record is stored once, whatever happens to workers, broker and store at once."""

import pytest

from tests.storm.harness.plan import Grouping, Protocol, StoreKind, draw_plan
from tests.storm.harness.storm import run_storm

pytestmark = pytest.mark.alone

SECONDS = 40


@pytest.mark.parametrize(
    ("seed", "protocol", "grouping", "store"),
    [
        (101, Protocol.CLASSIC, Grouping.STANDALONE, StoreKind.S3),
        (102, Protocol.CLASSIC, Grouping.DISTRIBUTED, StoreKind.LOCAL),
        (103, Protocol.CONSUMER, Grouping.STANDALONE, StoreKind.S3),
    ],
)
def test_each_record_is_stored_once_in_a_storm(seed, protocol, grouping, store, tmp_path):
    plan = draw_plan(seed, protocol=protocol, seconds=SECONDS, grouping=grouping, store=store)
    report = run_storm(plan, tmp_path / "storm")
    print(report.line(), report.details(), sep="\n")
    assert report.good, report.details()
    assert report.sums()["records"] > 0
    assert sum(report.done.values()) > 0
