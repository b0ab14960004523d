"""`make storm`: storms one after another until the time is up, each with its own seed, and a table at the end."""

import argparse
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.storm.harness.plan import Client, Grouping, Protocol, StoreKind, draw_plan
from tests.storm.harness.report import Report, table
from tests.storm.harness.storm import run_storm


def main() -> int:
    """Exit status 1 where a record is lost, doubled or stuck."""
    told = _arguments()
    folder = Path(told.folder or tempfile.mkdtemp(prefix="storm-"))
    deadline = time.monotonic() + told.minutes * 60
    rows: list[dict[str, int]] = []
    names: list[str] = []
    bad: list[int] = []
    seed = told.seed
    print(f"storms from seed {seed} on, {told.protocol}, {told.minutes} minutes, in {folder}", flush=True)
    while time.monotonic() < deadline:
        plan = draw_plan(
            seed,
            protocol=told.protocol,
            seconds=told.seconds,
            records_a_second=told.records_a_second,
            grouping=told.grouping,
            store=told.store,
            client=told.client,
        )
        report = _one(plan, folder / f"seed-{seed}")
        if report is None:
            bad.append(seed)
        else:
            print(report.line(), report.details(), sep="\n", flush=True)
            rows.append(report.sums())
            names.append(f"seed {seed}")
            if not report.good:
                bad.append(seed)
            if told.log:
                report.append_to(told.log)
        seed += 1
    if rows:
        print(table(rows, names))
    if bad:
        print(f"not good: seeds {bad}; replay one with `make storm MINUTES=0.1 SEED={bad[0]} PROTOCOL={told.protocol}`")
    return 1 if bad else 0


def _one(plan, folder: Path) -> Report | None:
    try:
        return run_storm(plan, folder)
    except Exception:  # noqa: BLE001 - the next storm may say more
        traceback.print_exc()
        return None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make storm", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1, help="of the first storm; each further one has the next number")
    parser.add_argument("--protocol", type=Protocol, default=Protocol.CLASSIC, choices=list(Protocol))
    parser.add_argument("--grouping", type=Grouping, choices=list(Grouping))
    parser.add_argument("--store", type=StoreKind, choices=list(StoreKind))
    parser.add_argument("--client", type=Client, default=Client.PLAIN, choices=list(Client), help="how sinks read")
    parser.add_argument("--seconds", type=float, default=240, help="of faults, in each storm")
    parser.add_argument("--records-a-second", type=int, default=3000)
    parser.add_argument("--log", type=Path, help="a file that gets a line of JSON for each storm")
    parser.add_argument("--folder", help="where servers, workers and their logs are; made anew without it")
    told = parser.parse_args()
    if told.client is Client.MIXED and told.grouping is Grouping.DISTRIBUTED:
        parser.error("--client mixed needs standalone workers: a cluster has one configuration a sink")
    return told


if __name__ == "__main__":
    sys.exit(main())
