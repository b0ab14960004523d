"""A task's knowledge of each topic's column sets, and how a set grows. Does no I/O but through the shelf.

A set only ever gains columns. Several tasks may add some at once: one of them wins each number, and the others read
what it wrote and begin the slice anew. So no two tasks give one column two types, whichever of them crashes when.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import structlog

from streamsink.decode.column_set import from_json, to_json, without_demands
from streamsink.decode.json.shape import Kind, Shape, arrow_type
from streamsink.errors import TransientError

TRIES_MAX = 100
"""So often may other tasks be faster in a row before the slice is read again later."""

_log = structlog.get_logger("streamsink.decode")


@dataclass(frozen=True, slots=True)
class StoredSet:
    """A set as the shelf has it."""

    number: int
    document: bytes


class ColumnShelf(Protocol):
    """The place of column sets; every task of an archive sees the same ones."""

    def newest(self, topic: str) -> StoredSet | None:
        """The set with the largest number, None where a topic has none.

        Raises:
            TransientError: The store doesn't answer.
            TerminalError: The store refuses, or the set is damaged.
        """
        ...

    def append(self, topic: str, number: int, document: bytes) -> tuple[StoredSet, bool]:
        """Store a column set under a number, unless another task was faster.

        Args:
            topic: The topic's name.
            number: The number after the newest set's.
            document: The set, as JSON.

        Returns:
            The set that has this number now, and whether it is the offered one.

        Raises:
            TransientError: The store doesn't answer.
            TerminalError: The store refuses, or the other task's set is damaged.
        """
        ...


class MemoryShelf:
    """A shelf that lasts as long as its process, for rows that go into no archive."""

    def __init__(self) -> None:
        self._sets: dict[str, list[StoredSet]] = {}

    def newest(self, topic: str) -> StoredSet | None:
        """See `ColumnShelf`."""
        return self._sets[topic][-1] if self._sets.get(topic) else None

    def append(self, topic: str, number: int, document: bytes) -> tuple[StoredSet, bool]:
        """See `ColumnShelf`."""
        sets = self._sets.setdefault(topic, [])
        if number <= len(sets):
            return sets[number - 1], sets[number - 1].document == document
        sets.append(StoredSet(number, document))
        return sets[-1], True


class ColumnHistory:
    """One topic's newest set, as far as this task knows.

    Args:
        shelf: Keeps the sets.
        topic: The topic's name.
        declared: What `value.schema` says; in the set from the first one on.
    """

    def __init__(self, shelf: ColumnShelf, topic: str, declared: Shape | None = None) -> None:
        self._shelf = shelf
        self._topic = topic
        self._declared = Shape(Kind.STRUCT) if declared is None else declared
        stored = shelf.newest(topic)
        self.number = 0
        self.shape = Shape(Kind.STRUCT)
        if stored is not None:
            self._take(stored)
        self._warn_of_misfits()

    @property
    def start(self) -> Shape:
        """The set's shape with the declared columns that it lacks. A slice is read in this shape first."""
        missing = {
            name: without_demands(child)
            for name, child in self._declared.fields.items()
            if name not in self.shape.fields
        }
        if not missing:
            return self.shape
        return Shape(Kind.STRUCT, fields={**self.shape.fields, **missing})

    def grow(self, shape: Shape) -> bool:
        """Write the next set before rows of it are stored; False where another task was faster, whose set holds now.

        Raises:
            TransientError: The store can't be asked now: the slice is to be read again later.
            TerminalError: The store refuses.
        """
        document = to_json(self._topic, without_demands(shape))
        stored, ours = self._shelf.append(self._topic, self.number + 1, document)
        added = len(shape.fields) - len(self.shape.fields)
        self._take(stored)
        if ours:
            _log.info("the topic's columns grew", topic=self._topic, columns_set=self.number, columns_added=added)
        return ours

    def outrun(self) -> TransientError:
        """The error where other tasks were faster time and again."""
        return TransientError(
            f"topic {self._topic}: other tasks add columns faster than this one can",
            hint="this passes once the topic's fields are known; value.schema declares them beforehand",
        )

    def _take(self, stored: StoredSet) -> None:
        self.number = stored.number
        self.shape = from_json(stored.document, f"column set {stored.number} of topic {self._topic}")

    def _warn_of_misfits(self) -> None:
        """The archive's types last: values of a type declared later go to variants."""
        for name, child in self._declared.fields.items():
            known = self.shape.fields.get(name)
            if known is not None and arrow_type(known) != arrow_type(without_demands(child)):
                _log.warning(
                    "value.schema differs from the archive's column, which keeps its type",
                    topic=self._topic,
                    field=name,
                    column=str(arrow_type(known)),
                )
