"""Partitions whose last commit was made under another layout, until it is known whether that matters (rule 8). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from streamsink.errors import TerminalError
from streamsink.record import TopicPartition
from streamsink.sink.core.partition_state import PartitionState


class UndecidedLayouts:
    """Partitions that may still be refused for their layout."""

    def __init__(self) -> None:
        self._names: set[TopicPartition] = set()

    def look(self, touched: Iterable[TopicPartition], partitions: Mapping[TopicPartition, PartitionState]) -> bool:
        """Look at the partitions that events touched.

        Args:
            touched: Assigned partitions.
            partitions: All assigned partitions.

        Returns:
            Whether the last undecided partition has been decided with it.
        """
        before = bool(self._names)
        for name in touched:
            if partitions[name].layout_before is None:
                self._names.discard(name)
            else:
                self._names.add(name)
        if self._names:
            self._names &= partitions.keys()
        return before and not self._names

    def __bool__(self) -> bool:
        """Whether any is undecided."""
        return bool(self._names)


def layout_refused(name: TopicPartition, before: str, layout: str) -> TerminalError:
    """The error of a new layout while records may be stored under another one that no commit tells of.

    Args:
        name: The partition.
        before: The fingerprint of the last commit's layout.
        layout: The fingerprint of the present one.
    """
    return TerminalError(
        f"{name} may hold uncommitted records stored under layout {before}, "
        f"and the configuration now has layout {layout}",
        hint="restore the former partitioner, topics.dir, format and transforms until the connector has caught up "
        "and been stopped, or set exactly.once=preferred to go on and perhaps store some records twice",
    )
