"""Puts what a folder defines to a group of workers, as it appears and changes. Deletes nothing, runs no task."""

from __future__ import annotations

import random
import threading
from collections import deque

import structlog

from streamsink.backoff import Backoff
from streamsink.errors import ConfigError, StreamsinkError
from streamsink.worker.folder import Definition, FolderWatch
from streamsink.worker.herder import Herder

POLL_S = 1.0
PAUSE = Backoff(first_s=2.0, max_s=30.0)
"""Before something that failed is tried again."""

_log = structlog.get_logger("streamsink.worker")


class FolderSeed:
    """A thread that looks at the folder. Every worker of a group may do this: what is so already is left alone.

    Files are configuration that somebody deployed: each is put when the worker starts, and when it changes, over what
    REST has changed since. A file that goes takes no connector with it.
    """

    def __init__(self, folder: FolderWatch, herder: Herder) -> None:
        self._folder = folder
        self._herder = herder
        self._due: deque[Definition] = deque()
        self._pause_s = POLL_S
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name="seed", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def _run(self) -> None:
        while True:
            threading.Event().wait(self._pause_s)
            try:
                self.turn()
            except Exception:  # noqa: BLE001 (files that change later must still be seen)
                _log.exception("the connectors folder can't be put to the group", hint="it is tried again")
                self._slow_down()

    def turn(self) -> None:
        """Look at the folder, and put what is due until something fails."""
        found = self._folder.poll()
        if found is not None:
            self._due = deque(found)
        while self._due:
            try:
                self._put(self._due[0])
            except ConfigError as error:
                _log.error("connector file can't be used", connector=self._due[0].name, reason=str(error))
            except StreamsinkError as error:
                self._slow_down()
                _log.info("connector file is put later", connector=self._due[0].name, reason=str(error))
                return
            self._due.popleft()
        self._failures, self._pause_s = 0, POLL_S

    def _slow_down(self) -> None:
        self._failures += 1
        self._pause_s = PAUSE.delay_s(self._failures, jitter=random.random())  # noqa: S311 - spreads workers

    def _put(self, definition: Definition) -> None:
        if definition.config is None:
            _log.error("connector file can't be used", connector=definition.name, reason=definition.problem)
            return
        wanted = {**definition.config, "name": definition.name}
        known = self._herder.info(definition.name)
        if known is not None and self._herder.stored_config(definition.name) == wanted:
            return
        if known is None and definition.initial_state is not None:
            self._herder.create(definition.name, wanted, definition.initial_state)
            made = True
        else:
            _, made = self._herder.put_config(definition.name, wanted)
        _log.info("connector put from its file", connector=definition.name, made=made)
