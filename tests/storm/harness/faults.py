"""Carries out a plan: one thread a target, so that faults of different targets overlap. Knows no target's inside."""

import threading
import traceback
from collections.abc import Callable

from tests.storm.harness.plan import Fault
from tests.storm.harness.report import Report

Sleep = Callable[[float], object]
Suffer = Callable[[Fault, Sleep], bool | None]
"""Carries a fault out and ends it; False where it could not happen."""


class Target(threading.Thread):
    """Has one target suffer, fault by fault, until the plan or the storm's time ends."""

    def __init__(self, name: str, faults: tuple[Fault, ...], suffer: Suffer, report: Report) -> None:
        super().__init__(daemon=True, name=name)
        self._faults, self._suffer, self._report = faults, suffer, report
        self._over = threading.Event()

    def run(self) -> None:
        """Suffer."""
        try:
            for fault in self._faults:
                self._over.wait(fault.wait_s)
                if self._over.is_set():
                    return
                if self._suffer(fault, self._over.wait) is not False:
                    self._report.count(fault.kind)
        except Exception:  # noqa: BLE001 - a storm that lost a target is no storm, and says so
            self._report.errors.append(f"{self.name}: {traceback.format_exc()}")

    def end(self) -> None:
        """Begin no further fault, and cut the present one short."""
        self._over.set()
