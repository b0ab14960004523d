"""Signals set an event however many come at once: each burst is sent to a separate process by its own main thread."""

import subprocess
import sys

BURST = """
import os, signal, threading
from streamsink.observe.signals import set_on_signal

class SlowEvent(threading.Event):
    def set(self):
        with self._cond:
            os.kill(os.getpid(), signal.SIGTERM)
            for _ in range(1000):
                pass
        super().set()

stop = SlowEvent()
set_on_signal(stop, [signal.SIGTERM])
os.kill(os.getpid(), signal.SIGTERM)
print(stop.wait(10))
"""
TWICE = """
import os, signal, threading
from streamsink.observe.signals import set_on_signal

stop = threading.Event()
set_on_signal(stop, [signal.SIGTERM, signal.SIGINT], again=lambda number: print("again", number, flush=True))
for number in (15, 2, 15):
    os.kill(os.getpid(), number)
print(stop.wait(10))
"""


def output_of(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_signal_that_comes_while_the_event_is_being_set_does_not_hold_the_main_thread():
    assert output_of(BURST) == "True\n"


def test_a_second_signal_of_the_same_number_is_told():
    assert output_of(TWICE) == "again 15\nTrue\n"
