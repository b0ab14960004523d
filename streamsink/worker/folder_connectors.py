"""The connectors of one worker alone: from its folder, and from what REST wrote. One thread changes, any may look."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import structlog

from streamsink.config.secrets import mask, unmask
from streamsink.errors import NotFoundError, StreamsinkError
from streamsink.worker.connector_storage import KeptConnectors
from streamsink.worker.folder import Definition, FolderWatch
from streamsink.worker.lifecycle import ConnectorLifecycle, Planner, Supervise
from streamsink.worker.status import ConnectorInfo, TargetState

_log = structlog.get_logger(__name__)

TOPICS_POLL_S = 1.0


class Roster:
    """The connectors there are, and a lifecycle for each.

    Args:
        folder: Watches the connectors folder; None where the worker has none.
        plan: Makes a connector's tasks of its definition.
        supervise: Makes the supervisor of one task.
        worker_id: `host:port` of this worker's REST.
        folder_poll_s: How often the folder is looked at; a change is acted on at the second look that sees it.
    """

    def __init__(
        self, folder: FolderWatch | None, *, plan: Planner, supervise: Supervise, worker_id: str, folder_poll_s: float
    ) -> None:
        self._folder = folder
        self._plan = plan
        self._supervise = supervise
        self._worker_id = worker_id
        self._folder_poll_s = folder_poll_s
        self._folder_polled_at = float("-inf")
        self._folder_problem = ""
        self._topics_polled_at = float("-inf")
        self._lifecycles: dict[str, ConnectorLifecycle] = {}
        self._names: dict[Path, str] = {}
        self._kept = KeptConnectors(folder.folder if folder else None)

    @property
    def lifecycles(self) -> tuple[ConnectorLifecycle, ...]:
        """All lifecycles. One whose connector is removed stays until its tasks have drained."""
        return tuple(self._lifecycles.values())

    @property
    def unready(self) -> str:
        """The reason why it is not known yet which connectors there are, or ""."""
        if self._folder and not self._folder.told:
            return self._folder_problem or "the connectors folder has not been read yet"
        return ""

    def find(self, connector: str) -> ConnectorLifecycle | None:
        """The lifecycle of a connector, unless it is removed."""
        lifecycle = self._lifecycles.get(connector)
        return None if lifecycle is None or lifecycle.removed else lifecycle

    def known(self, connector: str) -> ConnectorLifecycle:
        """The lifecycle of a connector.

        Raises:
            NotFoundError: There is no such connector.
        """
        lifecycle = self.find(connector)
        if lifecycle is None:
            raise NotFoundError(f"Connector {connector} not found")
        return lifecycle

    def turn(self, now: float) -> None:
        """Look at the folder when it is time, and take every connector a step on."""
        if self._folder and now - self._folder_polled_at >= self._folder_poll_s:
            self._folder_polled_at = now
            self._look_at(self._folder)
        look_at_topics = now - self._topics_polled_at >= TOPICS_POLL_S
        for name, lifecycle in list(self._lifecycles.items()):
            lifecycle.step()
            if look_at_topics:
                self._topics_polled_at = now
                lifecycle.see_topics()
            if lifecycle.removed and lifecycle.idle:
                self._lifecycles = {other: kept for other, kept in self._lifecycles.items() if other != name}
                _log.info("connector removed", connector=name)

    def put(self, connector: str, config: Mapping[str, str], state: TargetState | None = None) -> ConnectorInfo:
        """Check a configuration, keep it and take it up. Nothing is kept of one that can't be used.

        Args:
            connector: The connector's name.
            config: Its flat map. A value that reads `[hidden]` keeps the stored one.
            state: The state that it is meant to be in; None leaves the state as it is.

        Returns:
            The connector as it is now.

        Raises:
            ConfigError: It can't be used.
            BadRequestError: The name can't be a file's.
        """
        before = self._definition(connector)
        flat = {**unmask(config, (before.config if before else None) or {}), "name": connector}
        self._plan(Definition(connector, before.path if before else Path(), "", flat, mask(flat)))
        if state is not None:
            self._kept.set_state(connector, state)
        try:
            definition = self._kept.put(connector, flat, before)
        except StreamsinkError:
            if before is None:
                self._kept.forget_state(connector)
            raise
        if self._folder is not None:
            self._names = {path: name for path, name in self._names.items() if name != connector}
            self._names[definition.path] = connector
        self._define(definition)
        return self.known(connector).info()

    def patch(self, connector: str, patch: Mapping[str, str | None]) -> ConnectorInfo:
        """Change some keys of a connector's configuration. Raises as `put`.

        Args:
            connector: The connector's name.
            patch: New values by key. None removes the key.

        Returns:
            The connector as it is now.

        Raises:
            NotFoundError: There is no such connector.
        """
        self.known(connector)
        definition = self._definition(connector)
        merged = {**((definition.config if definition else None) or {}), **patch}
        return self.put(connector, {key: value for key, value in merged.items() if value is not None})

    def remove(self, connector: str) -> None:
        """Forget a connector for good; its tasks drain."""
        lifecycle = self.known(connector)
        assert lifecycle.definition is not None
        self._kept.remove(connector, lifecycle.definition)
        lifecycle.remove()

    def set_target(self, connector: str, state: TargetState) -> None:
        """Keep the state that a connector is meant to be in, and have it become so.

        Args:
            connector: The connector's name.
            state: RUNNING, PAUSED or STOPPED.

        Raises:
            NotFoundError: There is no such connector.
        """
        lifecycle = self.known(connector)
        self._kept.set_state(connector, state)
        lifecycle.set_target(state)

    def _definition(self, connector: str) -> Definition | None:
        lifecycle = self.find(connector)
        return lifecycle.definition if lifecycle else None

    def _look_at(self, folder: FolderWatch) -> None:
        read = folder.poll()
        if folder.problem and folder.problem != self._folder_problem:
            _log.error("connectors folder", reason=folder.problem, hint="running connectors go on as they are")
        self._folder_problem = folder.problem
        if read is None:
            return
        definitions = self._kept.over(read)
        taken = {definition.name for definition in definitions if definition.config is not None}
        named = [self._keeping_name(definition, taken) for definition in definitions]
        for definition in named:
            before = self._definition(definition.name)
            if definition.initial_state is not None and (before is None or before.config is None):
                self._kept.begin(definition.name, definition.initial_state)
            self._define(definition)
        self._names = {definition.path: definition.name for definition in named}
        for name, lifecycle in self._lifecycles.items():
            if name not in self._names.values() and not lifecycle.removed:
                self._kept.forget_state(name)
                lifecycle.remove()

    def _keeping_name(self, definition: Definition, taken: set[str]) -> Definition:
        """A file that has become unreadable has lost the name it gave; it still speaks of the same connector."""
        known = self._names.get(definition.path)
        if definition.config is not None or known is None or known in taken:
            return definition
        return replace(definition, name=known)

    def _define(self, definition: Definition) -> None:
        lifecycle = self._lifecycles.get(definition.name)
        if lifecycle is None:
            lifecycle = ConnectorLifecycle(
                definition.name, plan=self._plan, supervise=self._supervise, worker_id=self._worker_id
            )
            self._lifecycles = {**self._lifecycles, definition.name: lifecycle}
        lifecycle.set_target(self._kept.state(definition.name))
        lifecycle.define(definition)
