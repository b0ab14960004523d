"""Watches the connectors folder: says what it defines, each time that has changed. Only reads."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from streamsink.worker.status import TargetState

SUFFIXES = frozenset({".yaml", ".yml", ".json", ".properties"})

FILE_BYTES_MAX = 1024 * 1024
"""A larger file is no connector; it is not read to see whether it changed."""


@dataclass(frozen=True, slots=True)
class Definition:
    """One connector as the folder has it: its flat map, or the problem with its file.

    `shown` is the map fit to be shown, secrets masked. `stamp` changes with the file's content or time, so that
    touching a file asks a failed connector to try again. `initial_state` is what its file wants it to be at first.
    """

    name: str
    path: Path
    stamp: str
    config: Mapping[str, str] | None = None
    shown: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    initial_state: TargetState | None = None


ReadFolder = Callable[[Path, Mapping[Path, str]], list[Definition]]
"""Reads every definition of a folder; the mapping has the stamp of each file."""


class FolderWatch:
    """Polled by the worker's loop. A change is told once it lasts from one poll to the next: writers may be slow."""

    def __init__(self, folder: Path, read: ReadFolder) -> None:
        self.folder = folder
        self.problem = ""
        self._read = read
        self._seen: dict[Path, str] | None = None
        self._told: dict[Path, str] | None = None

    @property
    def told(self) -> bool:
        """Whether the folder has been read at all."""
        return self._told is not None

    def poll(self) -> list[Definition] | None:
        """Give every definition if a file has appeared, changed or gone since the last call; None otherwise."""
        try:
            stamps = {path: stamp(path) for path in sorted(self.folder.iterdir()) if _is_connector(path)}
        except OSError as error:
            self.problem = f"the connectors folder can't be read: {error}"
            return None
        self.problem = ""
        settled = self._seen is None or stamps == self._seen
        self._seen = stamps
        if not settled or stamps == self._told:
            return None
        self._told = stamps
        return self._read(self.folder, stamps)


def _is_connector(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()


def stamp(path: Path) -> str:
    """Make a file's stamp, which changes when the file does. A file that goes, or can't be read, has another stamp."""
    try:
        stat = path.stat()
        content = path.read_bytes() if stat.st_size <= FILE_BYTES_MAX else b""
    except OSError as error:
        return f"unreadable {error.errno}"
    return f"{stat.st_mtime_ns} {stat.st_size} {hashlib.sha256(content).hexdigest()}"
