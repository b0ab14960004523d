"""The machine asks few partitions after an event. Asking all of them would give no other order, in any history."""

from __future__ import annotations

import pytest

from streamsink.sink.core.due import DuePartitions
from streamsink.sink.core.machine import SinkMachine
from streamsink.testing.laws import LAWS
from streamsink.testing.simulate import simulate


def orders_of(seed: int, patch: pytest.MonkeyPatch) -> list[str]:
    """All orders of all machines of a history, in order."""
    said: list[str] = []
    original = SinkMachine.effects

    def effects(self):
        for effect in original(self):
            said.append(type(effect).__name__ + str(getattr(effect, "topic_partition", "")))
            yield effect

    with patch.context() as inner:
        inner.setattr(SinkMachine, "effects", effects)
        simulate(seed, 200, sorted(LAWS))
    return said


@pytest.mark.parametrize("seed", range(12))
def test_asking_every_partition_after_each_event_gives_the_same_orders(seed, monkeypatch):
    few = orders_of(seed, monkeypatch)
    machines: dict[DuePartitions, SinkMachine] = {}
    init, take = SinkMachine.__init__, DuePartitions.take

    def remembering(self, settings):
        init(self, settings)
        machines[self._due] = self

    def everybody(self, now):
        asked = take(self, now)
        return [*asked, *(name for name in machines[self].partitions if name not in asked)]

    monkeypatch.setattr(SinkMachine, "__init__", remembering)
    monkeypatch.setattr(DuePartitions, "take", everybody)
    assert orders_of(seed, monkeypatch) == few
    assert few
