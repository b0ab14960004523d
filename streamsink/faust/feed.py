"""Gathers results by partition on their way to the archive's process, since Arrow likes many rows. Stores nothing.

A result's archived offset is its message's, times `results_max`, plus its number among the message's results.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from faust.types import TP, Message

from streamsink.faust.holds import Held
from streamsink.faust.messages import Forgotten, Headers, Order, Rows
from streamsink.record import TopicPartition


@dataclass(frozen=True, slots=True)
class Loose:
    """A result that belongs to no held message: only a flush waits for it."""

    name: TopicPartition
    offset: int
    time_s: float
    key: bytes | None
    value: bytes | None


class Feed:
    """Gathers rows by partition until they are sent.

    Args:
        archived: The archive's name for a partition of the app.
        results_max: How many results a message may have.
        order: Sends an order to the archive's process.
    """

    def __init__(
        self, archived: Callable[[TP], TopicPartition], *, results_max: int, order: Callable[[Order], None]
    ) -> None:
        self._archived = archived
        self._results_max = results_max
        self._order = order
        self._gathered: dict[TopicPartition, Rows] = {}
        self._names: dict[TP, TopicPartition] = {}
        self._sources: dict[TopicPartition, TP] = {}
        self.waiting = 0
        """How many messages the task has not taken yet."""

    def put(self, held: Held) -> None:
        """The results of a message whose processing has ended."""
        message = held.message
        if message is None:
            return
        base = held.offset * self._results_max
        rows = self._rows(self._name(message.tp), base)
        rows.end = base + self._results_max
        if held.results:
            headers = headers_of(message)
            for number, value in enumerate(held.results):
                _add(rows, base + number, message.timestamp, message.key, value, headers)
            held.results = []

    def put_loose(self, loose: Loose) -> None:
        """A result of no message."""
        rows = self._rows(loose.name, loose.offset)
        rows.end = loose.offset + 1
        _add(rows, loose.offset, loose.time_s, loose.key, loose.value, ())

    def forget(self, tp: TP) -> None:
        """A partition's messages were given up."""
        name = self._name(tp)
        unsent = self._gathered.pop(name, None)
        self.waiting -= unsent.messages if unsent is not None else 0
        self._order(Forgotten(name))

    def send(self) -> None:
        """Send the gathered rows."""
        gathered, self._gathered = self._gathered, {}
        for rows in gathered.values():
            self._order(rows)

    def taken(self, messages: int) -> None:
        """The task has so many messages more."""
        self.waiting -= messages

    def source(self, name: TopicPartition, offset: int) -> tuple[TP, int] | None:
        """Find the message that a result belongs to.

        Args:
            name: The archive's name for the partition.
            offset: The result's offset in the archive.

        Returns:
            The app's partition and the message's offset there, None where the partition is not fed.
        """
        tp = self._sources.get(name)
        return None if tp is None else (tp, offset // self._results_max)

    def _rows(self, name: TopicPartition, start: int) -> Rows:
        rows = self._gathered.get(name)
        if rows is None:
            rows = self._gathered[name] = Rows(name, start, start)
        rows.messages += 1
        self.waiting += 1
        return rows

    def _name(self, tp: TP) -> TopicPartition:
        name = self._names.get(tp)
        if name is None:
            name = self._names[tp] = self._archived(tp)
            self._sources[name] = tp
        return name


def _add(
    rows: Rows, offset: int, time_s: float | None, key: bytes | None, value: bytes | None, headers: Headers
) -> None:
    rows.offsets.append(offset)
    rows.times_s.append(time_s)
    rows.keys.append(key)
    rows.values.append(value)
    rows.headers.append(headers)


def headers_of(message: Message) -> Headers:
    """A message's headers in Kafka's form: ordered, doubles kept."""
    headers = message.headers
    if not headers:
        return ()
    return list(headers.items()) if isinstance(headers, Mapping) else list(headers)
