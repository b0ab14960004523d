"""Numbers a database's snapshots, create-only: `_streamsink/snapshot/<topics.dir>/<prefix>.<database>/<n>.json`.

A claim is written before the first row is stored, so that no two snapshots ever share a number, and a snapshot that was
killed can go on under its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from streamsink.database.frames import KIND, point_json, point_of, snapshot_id
from streamsink.database.protocol import Point
from streamsink.errors import TerminalError
from streamsink.upload.numbered import NumberedRecords
from streamsink.upload.protocol import Store


@dataclass(frozen=True, slots=True)
class Claim:
    """A snapshot's number, and the database, tables and point that it is of.

    Attributes:
        url: The database's, without a password.
        tables: Those asked for; empty for all.
        found: Those that there were.
    """

    number: int
    id: str
    at_ms: int
    url: str
    tables: tuple[str, ...]
    found: tuple[str, ...]
    point: Point


class Claims:
    """The claims of one database in an archive.

    Args:
        store: The archive's.
        topics_dir: What objects' names begin with.
        topic: That of the database's frames.
    """

    def __init__(self, store: Store, topics_dir: str, topic: str) -> None:
        self._records = NumberedRecords(store, KIND, topics_dir)
        self._topic = topic

    def newest(self) -> Claim | None:
        """The claim with the largest number. Raises as `NumberedRecords.newest`."""
        found = self._records.newest(self._topic)
        return None if found is None else _read(found.number, found.data, self._records.name(self._topic, found.number))

    def take(
        self, after: int, *, at_ms: int, url: str, tables: tuple[str, ...], found: tuple[str, ...], point: Point
    ) -> Claim:
        """Claim the next free number.

        Args:
            after: The last number that is taken, as far as is known.
            at_ms: When the snapshot begins, Unix time in milliseconds.
            url: The database's, without a password.
            tables: The tables that were asked for; empty for all.
            found: The tables that there are.
            point: Where the view stands.

        Returns:
            The claim, whose number is this snapshot's alone.

        Raises:
            TransientError: The store doesn't answer; the number may have been taken.
            TerminalError: The store refuses.
        """
        number = after
        while True:
            number += 1
            content = {
                "id": snapshot_id(at_ms),
                "ts_ms": at_ms,
                "url": url,
                "tables": list(tables),
                "found": list(found),
                "point": point_json(point),
            }
            appended = self._records.append(self._topic, number, orjson.dumps(content, option=orjson.OPT_INDENT_2))
            if appended.ours:
                return Claim(number, snapshot_id(at_ms), at_ms, url, tables, found, point)


def _read(number: int, data: bytes, name: str) -> Claim:
    try:
        told: dict[str, Any] = orjson.loads(data)
        point = point_of(told["point"])
        tables, found = tuple(told["tables"]), tuple(told["found"])
        return Claim(number, told["id"], told["ts_ms"], told["url"], tables, found, point)
    except (ValueError, KeyError, TypeError) as error:
        raise TerminalError(
            f"{name} is no claim of a snapshot: {error}", hint="move it away, and look who wrote it"
        ) from error
