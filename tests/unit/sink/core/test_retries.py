"""How long the machine waits before it tries a store or a coordinator again."""

from __future__ import annotations

from streamsink.errors import TerminalError, TransientError
from streamsink.sink.core.retries import Retries

SOME = Retries(delay_s_max=30.0, limit_s=600.0)


def test_waits_double_and_spread_by_the_seed():
    for attempts, full_s in ((1, 0.5), (2, 1.0), (7, 30.0), (100, 30.0)):
        found = {SOME.delay_s(attempts, seed, TransientError("busy")) for seed in range(50)}
        assert len(found) > 40
        assert all(full_s / 2 <= delay_s <= full_s for delay_s in found)


def test_a_store_that_asks_for_patience_gets_it():
    assert SOME.delay_s(1, 3, TransientError("busy", retry_after_s=45)) == 45
    assert SOME.delay_s(1, 3, TerminalError("denied")) <= 0.5
