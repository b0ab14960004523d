"""Lines that memory does not hold come out sorted."""

import contextlib
import random

from streamsink.database.sorted_spool import SortedSpool


def test_lines_of_many_runs_come_out_in_order():
    lines = [random.Random(number).randbytes(20).replace(b"\n", b"") for number in range(1_000)]
    with contextlib.closing(SortedSpool(run_bytes=500)) as spool:
        for line in lines:
            spool.add(line)
        assert list(spool.lines()) == sorted(lines)


def test_nothing_is_nothing():
    with contextlib.closing(SortedSpool()) as spool:
        assert list(spool.lines()) == []
