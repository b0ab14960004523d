"""Tasks that do as they are told: what a real child runs in the tests of its supervision."""

from __future__ import annotations

import logging
import os
import signal
import time
from pathlib import Path

from streamsink.errors import ConfigError, Problem, TerminalError, TransientError
from streamsink.observe.snapshot import TaskSnapshot
from streamsink.observe.task_control import FlushDone


def _sign(spec, word):
    with Path(spec.config["journal"]).open("a") as journal:
        journal.write(f"{spec.task_id} {word} {os.getpid()}\n")


def runs_until_stopped(spec, stop, report):
    _sign(spec, "started")
    while not stop.wait(0.05):
        report(TaskSnapshot(assigned=True, records_total=7, retrying=spec.config.get("retrying", "")))
    _sign(spec, "drained")


def flushes(spec, stop, report):
    _sign(spec, "started")
    while not stop.wait(0.02):
        report(TaskSnapshot(assigned=True))
        for flush_id in stop.flushes():
            if "flush" in spec.config:
                stop.answer(FlushDone(flush_id, spec.config["flush"] == "complete"))
    _sign(spec, "drained")


def logs_its_level(spec, stop, report):
    while not stop.wait(0.02):
        report(TaskSnapshot(assigned=True, retrying=str(logging.getLogger("a.b").getEffectiveLevel())))


def drains_slowly(spec, stop, report):
    _sign(spec, "started")
    while not stop.wait(0.05):
        report(TaskSnapshot(assigned=True, retrying=spec.config.get("retrying", "")))
    time.sleep(float(spec.config.get("drain_s", 0.3 + 0.5 * spec.task_id)))
    _sign(spec, "drained")


def reports_and_never_stops(spec, stop, report):
    _sign(spec, "started")
    while True:
        report(TaskSnapshot(assigned=True))
        time.sleep(0.05)


def fails_terminally(spec, stop, report):
    _sign(spec, "started")
    raise TerminalError("the bucket is missing", hint="create it")


def fails_on_configuration(spec, stop, report):
    _sign(spec, "started")
    raise ConfigError([Problem("flush.size", "must be a number")], hint="see the README")


def fails_on_a_bug(spec, stop, report):
    _sign(spec, "started")
    raise AssertionError("frontier went back")


def fails_transiently(spec, stop, report):
    _sign(spec, "started")
    raise TransientError("the broker is away", hint="check bootstrap.servers")


def fails_transiently_once(spec, stop, report):
    if "started" in Path(spec.config["journal"]).read_text():
        runs_until_stopped(spec, stop, report)
    else:
        fails_transiently(spec, stop, report)


def kills_itself(spec, stop, report):
    _sign(spec, "started")
    os.kill(os.getpid(), signal.SIGKILL)


def returns_at_once(spec, stop, report):
    _sign(spec, "started")


def hangs_in_silence(spec, stop, report):
    _sign(spec, "started")
    report(TaskSnapshot(assigned=True))
    time.sleep(3600)


def exits_without_a_word(spec, stop, report):
    _sign(spec, "started")
    os._exit(3)


def tells_its_secret(spec, stop, report):
    raise TerminalError(f"denied to {spec.config['archive.option.secret_access_key']}")


def reports_what_cannot_be_sent(spec, stop, report):
    _sign(spec, "started")
    while not stop.wait(0.05):
        report(TaskSnapshot(assigned=True, retrying=lambda: None))
    _sign(spec, "drained")
