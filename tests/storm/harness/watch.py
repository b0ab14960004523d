"""Notes how long each partition's commits stand still while records wait. Only asks the broker."""

import threading
import time
from collections.abc import Iterable

from tests.storm.harness.broker import StormBroker
from tests.storm.harness.oracle import Place
from tests.storm.harness.sinks import Sink

LOOK_S = 0.5


class Watch(threading.Thread):
    """Looks twice a second."""

    def __init__(self, broker: StormBroker, sinks: Iterable[Sink]) -> None:
        super().__init__(daemon=True, name="watch")
        self._broker, self._sinks = broker, list(sinks)
        self._done = threading.Event()
        self._longest: tuple[float, str] = (0.0, "")

    def run(self) -> None:
        """Look until stopped."""
        moved: dict[Place, tuple[int, float]] = {}
        while not self._done.wait(LOOK_S):
            for sink in self._sinks:
                ends = self._broker.ends(sink.places)
                for place, at in self._broker.committed(sink.group, sink.places).items():
                    now = time.monotonic()
                    before, _ = moved.get(place, (-1, now))
                    if at != before or at == ends[place]:
                        moved[place] = (at, now)
                    where = f"{place[0]}-{place[1]} at {moved[place][0]} until {time.strftime('%H:%M:%S')}"
                    self._longest = max(self._longest, (now - moved[place][1], where))

    def stop(self) -> tuple[float, str]:
        """End the thread; the longest that a partition's commits stood still, in seconds, and where."""
        self._done.set()
        self.join(60)
        return self._longest
