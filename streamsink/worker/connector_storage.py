"""Keeps what REST wrote: connectors as files in their folder, or in memory where that can't be written. One thread.

`NAME.json` is a flat map like any other of the folder. `.states.json` beside it has the connectors that are meant to
be PAUSED or STOPPED, and connectors that run though their file has another `initial_state`. Files that a person wrote
in YAML or properties are set aside, never edited.
"""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import structlog

from streamsink.config.secrets import mask
from streamsink.errors import BadRequestError, TransientError
from streamsink.worker.folder import Definition, stamp
from streamsink.worker.status import TargetState

STATES = ".states.json"
SET_ASIDE = ".bak"
FILE_NAME_BYTES_MAX = 240
_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Overlay:
    """A connector in memory: None where it was deleted. It goes when the file below it changes."""

    definition: Definition | None
    below: str


class KeptConnectors:
    """The connectors that REST wrote, in `folder` or, without one, in memory until the worker ends."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._memory: dict[str, _Overlay] = {}
        self._states = _read_states(folder)
        self._begun: set[str] = set()
        self._told = False

    def put(self, connector: str, config: Mapping[str, str], before: Definition | None) -> Definition:
        """Keep a connector's configuration in place of the one before.

        Args:
            connector: The connector's name.
            config: Its flat map, with secrets.
            before: The definition that it replaces; None for a new connector.

        Returns:
            The new definition, in a file or in memory.

        Raises:
            BadRequestError: The name is too long for a file's.
            TransientError: The folder can't be written for now.
        """
        flat = {**config, "name": connector}
        path = self._path(connector, before)
        if self._write(path, flat):
            self._memory.pop(connector, None)
            if before is not None and before.path != path:
                self._set_aside(before.path)
            return Definition(connector, path, stamp(path), flat, mask(flat))
        kept = Definition(connector, path, f"memory {os.urandom(8).hex()}", flat, mask(flat))
        self._memory[connector] = _Overlay(kept, self._below(connector, before))
        return kept

    def remove(self, connector: str, before: Definition) -> None:
        """Forget a connector, and the state it was meant to be in.

        Args:
            connector: The connector's name.
            before: Its definition. A file that a person wrote is set aside.
        """
        self.forget_state(connector)
        if connector not in self._memory and self._set_aside(before.path):
            return
        below = self._below(connector, before)
        self._memory.pop(connector, None)
        if below:
            self._memory[connector] = _Overlay(None, below)

    def over(self, definitions: list[Definition]) -> list[Definition]:
        """Lay the connectors in memory over the folder's. A file that has changed since then wins."""
        stamps = {definition.name: definition.stamp for definition in definitions}
        for name, overlay in list(self._memory.items()):
            if stamps.get(name, "") not in {"", overlay.below}:
                del self._memory[name]
        below = [definition for definition in definitions if definition.name not in self._memory]
        return below + [each.definition for each in self._memory.values() if each.definition is not None]

    def state(self, connector: str) -> TargetState:
        """The state that the connector is meant to be in."""
        return self._states.get(connector, TargetState.RUNNING)

    def set_state(self, connector: str, state: TargetState) -> None:
        """Keep the state that a connector is meant to be in.

        Args:
            connector: The connector's name.
            state: RUNNING is only kept where the file says otherwise.
        """
        if state is self.state(connector):
            return
        others = {name: kept for name, kept in self._states.items() if name != connector}
        dropped = state is TargetState.RUNNING and connector not in self._begun
        self._keep_states(others if dropped else {**others, connector: state})

    def begin(self, connector: str, state: TargetState) -> None:
        """Keep the state that a connector's file asks for at first. A state that was set before stays.

        Args:
            connector: The connector's name.
            state: The file's `initial_state`.
        """
        self._begun.add(connector)
        if connector not in self._states:
            self._keep_states({**self._states, connector: state})

    def forget_state(self, connector: str) -> None:
        """Keep nothing of the connector's state; it is no more."""
        self._begun.discard(connector)
        if connector in self._states:
            self._keep_states({name: kept for name, kept in self._states.items() if name != connector})

    def _keep_states(self, states: dict[str, TargetState]) -> None:
        self._states = states
        if self._folder is not None:
            self._write(self._folder / STATES, {name: kept.value for name, kept in self._states.items()})

    def _path(self, connector: str, before: Definition | None) -> Path:
        if before is not None and before.path.suffix.lower() == ".json":
            return before.path
        name = quote(connector, safe=" !#$&'()+,;=@[]{}~")
        if name.startswith("."):
            name = f"%2E{name[1:]}"
        if len(name) > FILE_NAME_BYTES_MAX:
            raise BadRequestError(f"the connector's name makes a file name of more than {FILE_NAME_BYTES_MAX} bytes")
        return (self._folder or Path()) / f"{name}.json"

    def _below(self, connector: str, before: Definition | None) -> str:
        """The stamp of the file that memory now covers."""
        if connector in self._memory:
            return self._memory[connector].below
        return before.stamp if before is not None and self._folder is not None else ""

    def _write(self, path: Path, content: Mapping[str, str]) -> bool:
        """Replace a file at once and durably; False where the folder is not for writing."""
        if self._folder is None:
            return False
        try:
            descriptor, temporary = tempfile.mkstemp(dir=self._folder, prefix=".", suffix=".new")
        except OSError as error:
            return self._refused(error)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=2, sort_keys=True)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(path)
        except OSError as error:
            Path(temporary).unlink(missing_ok=True)
            return self._refused(error)
        _sync(self._folder)
        return True

    def _set_aside(self, path: Path) -> bool:
        """Take a file out of the folder's connectors; one that REST can write again is removed, others are renamed."""
        if self._folder is None:
            return False
        try:
            if path.suffix.lower() == ".json":
                path.unlink(missing_ok=True)
            else:
                path.rename(path.with_name(path.name + SET_ASIDE))
        except FileNotFoundError:
            return True
        except OSError as error:
            return self._refused(error)
        _sync(self._folder)
        return True

    def _refused(self, error: OSError) -> bool:
        if error.errno not in _READ_ONLY:
            raise TransientError(
                f"the connectors folder can't be written: {error.strerror}", hint="nothing has changed"
            ) from None
        if not self._told:
            self._told = True
            _log.warning(
                "the connectors folder is read-only: what REST writes is kept in memory until the worker ends",
                folder=str(self._folder),
            )
        return False


def _read_states(folder: Path | None) -> dict[str, TargetState]:
    """The states that were kept; a file that can't be read holds none, and says so."""
    if folder is None:
        return {}
    try:
        found = json.loads((folder / STATES).read_text(encoding="utf-8"))
        return {str(name): TargetState(state) for name, state in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        _log.error(
            "connectors' states can't be read",
            file=str(folder / STATES),
            reason=str(error),
            hint="every connector runs; pause and stop them again, or correct the file and start the worker again",
        )
        return {}


def _sync(folder: Path) -> None:
    """Make names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
