"""Sums up the config topic: which connectors there are, and which state each is meant to be in. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from streamsink.config.secrets import mask
from streamsink.worker.distributed.records import Change, ConnectorConfigured, TargetSet
from streamsink.worker.folder import Definition
from streamsink.worker.status import TargetState


class ConfigTable:
    """Told each record in the topic's order; the last one of a key holds, so compaction changes nothing."""

    def __init__(self) -> None:
        self._definitions: dict[str, Definition] = {}
        self._targets: dict[str, TargetState] = {}
        self.unreadable_total = 0

    def apply(self, change: Change) -> None:
        """Take a record in. An order, such as a restart, changes nothing here."""
        match change:
            case ConnectorConfigured(connector, None):
                self._definitions = {name: kept for name, kept in self._definitions.items() if name != connector}
            case ConnectorConfigured(connector, config, problem) if config is not None:
                self._definitions = {**self._definitions, connector: definition_of(connector, config, problem)}
            case TargetSet(connector, state):
                self._targets[connector] = state

    @property
    def definitions(self) -> Mapping[str, Definition]:
        """Every connector's definition, by name. A new mapping whenever it changes."""
        return self._definitions

    def target(self, connector: str) -> TargetState:
        """The state that a connector is meant to be in."""
        return self._targets.get(connector, TargetState.RUNNING)


def definition_of(connector: str, config: Mapping[str, str], problem: str = "") -> Definition:
    """Make a connector's definition. The same configuration has the same stamp, whatever record it came with.

    Args:
        connector: The connector's name.
        config: Its flat map, without the name or with it.
        problem: Why the record can't be used; "" where it can.

    Returns:
        The definition. Its configuration is None where there is a problem.
    """
    flat = {**config, "name": connector}
    return Definition(connector, Path("config topic"), stamp_of(flat), None if problem else flat, mask(flat), problem)


def stamp_of(config: Mapping[str, str]) -> str:
    """Make a stamp of a configuration. Two stamps differ where two configurations do."""
    return hashlib.sha256(json.dumps(sorted(config.items())).encode()).hexdigest()[:16]
