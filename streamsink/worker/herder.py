"""The herder seam: what REST and metrics ask of whoever keeps the connectors. Defines the protocol only.

Standalone keeps them in a folder, distributed in a topic; REST can't tell. Every call may come from any thread.

Questions answer from memory, at once; an unknown connector or task is None, and REST has Connect's words for it.

Orders and everything about offsets may block, never longer than `ORDER_S`; REST calls them in its thread pool. They
return once what was asked is kept, so that it outlives a restart; tasks follow on their own. They raise only

* `NotFoundError` for an unknown connector, task or logger (404),
* `ConflictError` where a new connector's name is taken (409),
* `RebalanceError` while connectors change hands (409: clients try again),
* `BadRequestError` for what this connector, in this state, can't do (400),
* `ConfigError` with every problem of a configuration (400),
* `ForbiddenError` where the worker's configuration forbids it (403),
* `RequestTimeoutError` past the bound (500), and other errors of the tree (500).

Configurations come as they were written, secrets as references; a value that reads `[hidden]` keeps the stored one
(`config.secrets.unmask`). Configurations that are told are masked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from streamsink.observe.health import Health
from streamsink.worker.status import (
    ConnectorInfo,
    ConnectorStatus,
    LoggerLevel,
    OffsetEntry,
    Plugin,
    TargetState,
    TaskStatus,
)

ORDER_S = 60.0
"""No order takes longer: Connect's clients wait for 90 s."""


class Questions(Protocol):
    """What connectors there are and how they do."""

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

    def topics(self, connector: str) -> list[str] | None:
        """Topics it has read from or written to since it was made, or since they were reset."""
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


class Orders(Protocol):
    """What connectors there shall be and what they shall do."""

    def create(self, connector: str, config: Mapping[str, str], state: TargetState) -> ConnectorInfo:
        """Make a connector that is meant to be in `state`."""
        ...

    def put_config(self, connector: str, config: Mapping[str, str]) -> tuple[ConnectorInfo, bool]:
        """Replace its whole configuration, or make it; True where it was made."""
        ...

    def patch_config(self, connector: str, patch: Mapping[str, str | None]) -> ConnectorInfo:
        """Set some keys of its configuration, and remove those that are None."""
        ...

    def delete(self, connector: str) -> None:
        """Forget it; its tasks drain. Its consumer group stays."""
        ...

    def restart(self, connector: str, *, include_tasks: bool, only_failed: bool) -> ConnectorStatus:
        """Begin to restart it, and its tasks if asked; the answer shows what was chosen as RESTARTING."""
        ...

    def restart_task(self, connector: str, task_id: int) -> None:
        """Begin to restart one task."""
        ...

    def set_target(self, connector: str, state: TargetState) -> None:
        """Pause, resume or stop it: from now on it is meant to be in `state`."""
        ...

    def reset_topics(self, connector: str) -> None:
        """Forget which topics it has used so far."""
        ...

    def flush(self, connector: str) -> None:
        """Close, store and commit all that its tasks have read by now; returns when Kafka has taken the commits."""
        ...


class Offsets(Protocol):
    """Where connectors stand in what they read."""

    def offsets(self, connector: str) -> list[OffsetEntry]:
        """What is committed, whatever state the connector is in."""
        ...

    def alter_offsets(self, connector: str, offsets: Sequence[OffsetEntry]) -> str:
        """Set some, and remove those of None, of a STOPPED connector; what to tell about it."""
        ...

    def reset_offsets(self, connector: str) -> str:
        """Remove all of a STOPPED connector; what to tell about it."""
        ...


class Loggers(Protocol):
    """How much is logged."""

    def loggers(self) -> dict[str, LoggerLevel]:
        """Loggers of this worker with a level of their own, `root` among them."""
        ...

    def set_logger(self, logger: str, level: str, *, cluster: bool) -> list[str]:
        """Log `logger` and what is below it from this level on, on all workers if `cluster`; which ones that were."""
        ...


class Herder(Questions, Orders, Offsets, Loggers, Protocol):
    """Keeps the connectors and places their tasks."""
