"""The herder seam: what REST and metrics ask of whoever keeps the connectors. Defines the protocol only.

Standalone keeps them in a folder, distributed in a topic; REST can't tell. Every call answers from memory, at once,
and may come from any thread. An unknown connector or task is None: REST has Connect's words for it.
"""

from __future__ import annotations

from typing import Protocol

from streamsink.observe.health import Health
from streamsink.worker.status import ConnectorInfo, ConnectorStatus, Plugin, TaskStatus


class Herder(Protocol):
    """Keeps the connectors and places their tasks."""

    @property
    def worker_id(self) -> str:
        """`host:port` of this worker's REST."""
        ...

    def connectors(self) -> list[str]:
        """Names, sorted."""
        ...

    def info(self, connector: str) -> ConnectorInfo | None:
        """Its configuration, fit to be shown, and its tasks."""
        ...

    def status(self, connector: str) -> ConnectorStatus | None:
        """How it and its tasks are doing."""
        ...

    def task_status(self, connector: str, task_id: int) -> TaskStatus | None:
        """How one task is doing."""
        ...

    def plugins(self) -> list[Plugin]:
        """The connector classes this worker runs."""
        ...

    def live(self) -> Health:
        """Whether the worker's loop goes round."""
        ...

    def ready(self) -> Health:
        """Whether every task that should run does."""
        ...
