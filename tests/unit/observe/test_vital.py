"""A vital thread that dies is told of by name."""

from __future__ import annotations

import threading

from streamsink.observe.health import Health, liveness
from streamsink.observe.vital import VitalThread


def test_a_thread_that_raises_says_why_and_liveness_fails_with_its_name():
    died = threading.Event()

    def run():
        raise RuntimeError("no more")

    thread = VitalThread(run, name="reader", died=died.set)
    assert thread.problem == ""
    thread.start()
    assert died.wait(10)
    thread.join(10)
    assert not thread.alive
    assert liveness(tick_age_s=0, dead=[thread.problem]) == Health(
        ok=False, problems=("thread reader has died: RuntimeError: no more",)
    )


def test_a_thread_that_returns_is_well():
    thread = VitalThread(lambda: None, name="reader")
    thread.start()
    thread.join(10)
    assert thread.problem == ""
    assert liveness(tick_age_s=0, dead=[thread.problem]).ok


def test_every_reason_is_told():
    verdict = liveness(tick_age_s=99, dead=["a has died", "", "b has died"])
    assert verdict.problems == ("the worker's loop has not turned for 99 s", "a has died", "b has died")
