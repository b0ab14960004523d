"""Reads and removes the positions of a database source's tasks, in Connect's shapes. Knows no herder."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from streamsink.config.reading.database import DatabaseSourceConfig
from streamsink.errors import BadRequestError
from streamsink.worker.offsets import SinkOffsets
from streamsink.worker.source_offsets import committed_metadata
from streamsink.worker.status import OffsetEntry


class DatabaseOffsets:
    """The progress of a connector's snapshots.

    Args:
        connector: Its name.
        config: Its configuration, secrets resolved; looked up when needed.
    """

    def __init__(self, connector: str, config: Callable[[], DatabaseSourceConfig]) -> None:
        self._connector = connector
        self._config = config

    def read(self) -> list[OffsetEntry]:
        """Read every topic that something was sent to: the snapshot, and its stage or its rows.

        Raises:
            RequestTimeoutError: Kafka doesn't answer.
        """
        config = self._config()
        entries: list[OffsetEntry] = []
        for task_id in range(config.tasks_max):
            for topic, text in committed_metadata(config.producer, config.group_of(task_id)):
                with contextlib.suppress(ValueError, KeyError, TypeError):
                    told = json.loads(text)
                    where = {"snapshot": told["id"]} | {key: told[key] for key in ("stage", "rows") if key in told}
                    entries.append(OffsetEntry({"topic": topic, "task": task_id}, where))
        return entries

    def alter(self, offsets: Sequence[OffsetEntry]) -> str:  # noqa: ARG002 - see OffsetAccess
        """Refuse: positions of snapshots can't be set.

        Raises:
            BadRequestError: Always.
        """
        raise BadRequestError("The offsets of a database's snapshots can't be set, only reset")

    def reset(self) -> str:
        """Forget every position; the next start takes a new snapshot."""
        config = self._config()
        said = ""
        for task_id in range(config.tasks_max):
            said = SinkOffsets(self._connector, partial(_properties, config, task_id)).reset()
        return said


def _properties(config: DatabaseSourceConfig, task_id: int) -> Mapping[str, str]:
    return {**config.producer, "group.id": config.group_of(task_id)}
