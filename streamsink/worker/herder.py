"""The herder seam: what REST and metrics ask of the part that keeps the connectors. Defines the protocol only.

Standalone keeps them in a folder, distributed in a topic; REST can't tell. Every call may come from any thread.

Questions answer from memory, at once; an unknown connector or task is None, and REST has Connect's words for it.

Orders and everything about offsets may block, never longer than `ORDER_S`; REST calls them in its thread pool. They
return once what was asked is kept, so that it outlives a restart; tasks follow on their own. They raise only

* `NotFoundError` for an unknown connector, task or logger (404),
* `NameTakenError` where a new connector's name is taken (409),
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
    """Questions about connectors and how they do."""

    @property
    def worker_id(self) -> str:
        """`host:port` of this worker's REST."""
        ...

    def connectors(self) -> list[str]:
        """The connectors' names, sorted."""
        ...

    def info(self, connector: str) -> ConnectorInfo | None:
        """Give a connector's configuration, fit to be shown, and its tasks."""
        ...

    def stored_config(self, connector: str) -> Mapping[str, str]:
        """Give a connector's configuration with its secrets, never to be shown; empty where there is none."""
        ...

    def status(self, connector: str) -> ConnectorStatus | None:
        """Tell how a connector and its tasks are doing."""
        ...

    def task_status(self, connector: str, task_id: int) -> TaskStatus | None:
        """Tell how one task is doing.

        Args:
            connector: The connector's name.
            task_id: The task's number.

        Returns:
            The status, None where there is no such connector or task.
        """
        ...

    def topics(self, connector: str) -> list[str] | None:
        """Topics it has read from or written to since it was made, or since they were reset."""
        ...

    def plugins(self) -> list[Plugin]:
        """The connector classes this worker runs."""
        ...

    def starting(self) -> str:
        """The reason why the connectors aren't known yet, "" once they are."""
        ...

    def live(self) -> Health:
        """Whether the worker's loop goes round."""
        ...

    def ready(self) -> Health:
        """Whether the worker takes its part, and what is wrong with connectors and tasks."""
        ...


class Orders(Protocol):
    """Orders to make, change and end connectors."""

    def create(self, connector: str, config: Mapping[str, str], state: TargetState) -> ConnectorInfo:
        """Make a connector.

        Args:
            connector: The connector's name.
            config: Its flat map, secrets as references.
            state: The state that it is meant to be in.

        Returns:
            The connector, fit to be shown.

        Raises:
            NameTakenError: There is one of that name.
            ConfigError: The configuration can't be used.
        """
        ...

    def put_config(self, connector: str, config: Mapping[str, str]) -> tuple[ConnectorInfo, bool]:
        """Replace a connector's whole configuration, or make the connector.

        Args:
            connector: The connector's name.
            config: Its flat map. A value that reads `[hidden]` keeps the stored one.

        Returns:
            The connector, fit to be shown, and whether it was made.

        Raises:
            ConfigError: The configuration can't be used.
        """
        ...

    def patch_config(self, connector: str, patch: Mapping[str, str | None]) -> ConnectorInfo:
        """Change some keys of a connector's configuration.

        Args:
            connector: The connector's name.
            patch: New values by key. None removes the key.

        Returns:
            The connector, fit to be shown.

        Raises:
            NotFoundError: There is no such connector.
            ConfigError: The configuration can't be used.
        """
        ...

    def delete(self, connector: str) -> None:
        """Forget it; its tasks drain. Its consumer group stays."""
        ...

    def restart(self, connector: str, *, include_tasks: bool, only_failed: bool) -> ConnectorStatus:
        """Begin to restart a connector, and its tasks if asked.

        Args:
            connector: The connector's name.
            include_tasks: Whether tasks are restarted too.
            only_failed: Whether only connector and tasks that have failed are.

        Returns:
            The connector's status. Whatever is restarted shows as RESTARTING.

        Raises:
            NotFoundError: There is no such connector.
        """
        ...

    def restart_task(self, connector: str, task_id: int) -> None:
        """Begin to restart one task.

        Args:
            connector: The connector's name.
            task_id: The task's number.

        Raises:
            NotFoundError: There is no such connector or task.
        """
        ...

    def set_target(self, connector: str, state: TargetState) -> None:
        """Pause, resume or stop a connector.

        Args:
            connector: The connector's name.
            state: The state that it is meant to be in from now on.

        Raises:
            NotFoundError: There is no such connector.
        """
        ...

    def reset_topics(self, connector: str) -> None:
        """Forget which topics it has used so far."""
        ...

    def flush(self, connector: str) -> None:
        """Store and commit all that a connector's tasks have read by now. Returns when Kafka has taken the commits.

        Raises:
            NotFoundError: There is no such connector.
            BadRequestError: It is no sink.
            RebalanceError: Partitions or tasks change hands.
            RequestTimeoutError: It takes longer than `ORDER_S`.
        """
        ...


class Offsets(Protocol):
    """The offsets of connectors in the topics or archives that they read."""

    def offsets(self, connector: str) -> list[OffsetEntry]:
        """Read the committed offsets, whatever state the connector is in."""
        ...

    def alter_offsets(self, connector: str, offsets: Sequence[OffsetEntry]) -> str:
        """Set or remove some offsets of a STOPPED connector.

        Args:
            connector: The connector's name.
            offsets: In Connect's shapes. An entry without an offset removes it.

        Returns:
            What to tell about it, in a sentence.

        Raises:
            NotFoundError: There is no such connector.
            BadRequestError: The connector is not STOPPED, or an entry doesn't fit.
        """
        ...

    def reset_offsets(self, connector: str) -> str:
        """Remove all of a STOPPED connector; what to tell about it."""
        ...


class Loggers(Protocol):
    """The levels of loggers."""

    def loggers(self) -> dict[str, LoggerLevel]:
        """Loggers of this worker whose level was set, `root` among them."""
        ...

    def set_logger(self, logger: str, level: str, *, cluster: bool) -> list[str]:
        """Log from a level on.

        Args:
            logger: The logger's name. Loggers below it follow; `root` stands for all.
            level: A level of Connect's, such as `DEBUG`, in any case.
            cluster: Whether the level is set on all workers.

        Returns:
            The loggers that were set at once on this worker; empty where a record tells all workers.

        Raises:
            NotFoundError: There is no such level.
        """
        ...


class Herder(Questions, Orders, Offsets, Loggers, Protocol):
    """Keeps the connectors and places their tasks."""
