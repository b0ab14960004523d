"""Reads, writes and sums up the records of partition 0 of the slots topic. Pure; time comes in.

| key (a JSON array) | value | says |
|---|---|---|
| `["worker", WORKER]` | `{"slots": [...]}` | the slots that Kafka's group protocol has given to this worker |
| `["pin", CONNECTOR, N]` | `{"slot": S}` | the owner of slot S runs this task |
| `["lock", CONNECTOR, NONCE]` | `{"worker": WORKER}` | its writer wants to change the connector, one after another |
| `["restart", CONNECTOR, N]` | `{"asked": NONCE}` | the worker that runs this task restarts it; if read live |
| `["flush", CONNECTOR, NONCE]` | `{"worker": WORKER}` | workers that run tasks of it flush them; likewise |
| `["flushed", WORKER, NONCE]` | `{"problem": ...}` | this worker has, or why not |

Who owns a slot is Kafka's to say, and a worker acts on nothing else: `worker` records only tell the others, so that
placement can be even and statuses can name the worker.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from streamsink.worker.distributed.records import read_json, read_value, write_value

LOCK_S = 15.0
"""A lock whose holder is silent for this long is the next one's."""

Task = tuple[str, int]


@dataclass(frozen=True, slots=True)
class RestartTaskAsked:
    """A task shall restart."""

    connector: str
    task_id: int


@dataclass(frozen=True, slots=True)
class FlushAsked:
    """A connector's tasks shall flush."""

    connector: str
    nonce: str


@dataclass(frozen=True, slots=True)
class Flushed:
    """A worker's tasks of it have flushed, or not, for this reason."""

    worker_id: str
    nonce: str
    problem: str


Request = RestartTaskAsked | FlushAsked | Flushed


def slots_record(worker_id: str, slots: frozenset[int] | None) -> tuple[str, bytes | None]:
    """Make the record that tells which slots a worker has.

    Args:
        worker_id: The worker's `host:port`.
        slots: The slots; None once the worker has left.

    Returns:
        Key and value.
    """
    return _key("worker", worker_id), None if slots is None else write_value({"slots": sorted(slots)})


def pin_record(task: Task, slot: int | None) -> tuple[str, bytes | None]:
    """Make the record that places a task.

    Args:
        task: Connector and number.
        slot: The slot; None takes the task out.

    Returns:
        Key and value.
    """
    return _key("pin", *task), None if slot is None else write_value({"slot": slot})


def lock_record(connector: str, nonce: str, worker_id: str | None) -> tuple[str, bytes | None]:
    """Make the record that asks for a connector's lock, or gives it back.

    Args:
        connector: The connector's name.
        nonce: Tells this asking apart from others.
        worker_id: The worker that asks; None gives the lock back.

    Returns:
        Key and value.
    """
    return _key("lock", connector, nonce), None if worker_id is None else write_value({"worker": worker_id})


def restart_task_record(task: Task, nonce: str) -> tuple[str, bytes]:
    """Make the record that asks for a task's restart.

    Args:
        task: Connector and number.
        nonce: Tells this asking apart from others.

    Returns:
        Key and value.
    """
    return _key("restart", *task), write_value({"asked": nonce})


def flush_record(connector: str, nonce: str, worker_id: str | None) -> tuple[str, bytes | None]:
    """Make the record that asks for a flush, or forgets it.

    Args:
        connector: The connector's name.
        nonce: Tells this flush apart from others.
        worker_id: The worker that asks; None forgets the flush.

    Returns:
        Key and value.
    """
    return _key("flush", connector, nonce), None if worker_id is None else write_value({"worker": worker_id})


def flushed_record(worker_id: str, nonce: str, problem: str | None) -> tuple[str, bytes | None]:
    """Make the record that answers a flush, or forgets the answer.

    Args:
        worker_id: The worker that answers.
        nonce: The flush's.
        problem: Why it could not; "" where all is stored and committed. None forgets the answer.

    Returns:
        Key and value.
    """
    return _key("flushed", worker_id, nonce), None if problem is None else write_value({"problem": problem})


class SlotsTable:
    """Told each record in order, and when it was seen."""

    def __init__(self) -> None:
        self._workers: dict[str, tuple[int, frozenset[int]]] = {}
        self._pins: dict[Task, int] = {}
        self._locks: dict[str, dict[str, float]] = {}
        self._count = 0
        self.changed_at = 0.0
        self.unreadable_total = 0

    def apply(self, key: bytes | None, value: bytes | None, now: float) -> Request | None:
        """Take a record in.

        Args:
            key: The record's key, a JSON array.
            value: The record's value, JSON; None for a tombstone.
            now: Monotonic time in seconds when the record was seen, from which locks run out.

        Returns:
            A request, for the worker that carries it out; None for any other record.
        """
        match read_json(key), read_value(value):
            case ["worker", str(worker), *_], content:
                self._put_worker(worker, content, now)
            case ["pin", str(connector), int(number)], content:
                self._put_pin((connector, number), content)
            case ["lock", str(connector), str(nonce)], content:
                self._put_lock(connector, nonce, held=content is not None, now=now)
            case ["restart", str(connector), int(number)], {}:
                return RestartTaskAsked(connector, number)
            case ["flush", str(connector), str(nonce)], {}:
                return FlushAsked(connector, nonce)
            case ["flushed", str(worker), str(nonce)], {"problem": str(problem)}:
                return Flushed(worker, nonce, problem)
            case _:
                self.unreadable_total += value is not None
        return None

    @property
    def pins(self) -> Mapping[Task, int]:
        """The slot of each task. It is a new mapping whenever it changes."""
        return self._pins

    def owners(self) -> dict[int, str]:
        """The worker that last claimed each slot."""
        found: dict[int, str] = {}
        for worker, (_count, slots) in sorted(self._workers.items(), key=lambda item: item[1][0]):
            found.update(dict.fromkeys(slots, worker))
        return found

    def silent(self) -> list[str]:
        """Workers whose every claim another has taken over, or that have none."""
        speaking = set(self.owners().values())
        return sorted(worker for worker, (_, slots) in self._workers.items() if slots and worker not in speaking)

    def holds(self, connector: str, nonce: str, now: float) -> bool | None:
        """Tell whether an asking holds the lock on a connector.

        Args:
            connector: The connector's name.
            nonce: The asking's.
            now: Monotonic time in seconds.

        Returns:
            False while others are before it. None where its time is over, or it never asked.
        """
        turn_at, queue = float("-inf"), self._locks.get(connector, {})
        for waiting, asked_at in queue.items() if nonce in queue else ():
            turn_at = max(asked_at, turn_at)
            in_time = now - turn_at < LOCK_S
            if waiting == nonce:
                return True if in_time else None
            if in_time:
                return False
            turn_at += LOCK_S
        return None

    def before(self, connector: str, nonce: str) -> list[str]:
        """List the askings for a lock that came earlier and have not been given back.

        Args:
            connector: The connector's name.
            nonce: The asking's.

        Returns:
            Nonces in order; none where this one never asked.
        """
        queue = list(self._locks.get(connector, {}))
        return queue[: queue.index(nonce)] if nonce in queue else []

    def _put_worker(self, worker: str, content: dict[str, object] | None, now: float) -> None:
        self._count += 1
        self.changed_at = now
        listed = content.get("slots") if content is not None else None
        others = {name: kept for name, kept in self._workers.items() if name != worker}
        if not isinstance(listed, list):
            self._workers = others
            return
        self._workers = {**others, worker: (self._count, frozenset(slot for slot in listed if isinstance(slot, int)))}

    def _put_pin(self, task: Task, content: dict[str, object] | None) -> None:
        others = {known: slot for known, slot in self._pins.items() if known != task}
        slot = content.get("slot") if content is not None else None
        self._pins = {**others, task: slot} if isinstance(slot, int) else others

    def _put_lock(self, connector: str, nonce: str, *, held: bool, now: float) -> None:
        queue = self._locks.get(connector, {})
        others = {known: at for known, at in queue.items() if known != nonce}
        if held:
            others[nonce] = now
        elif others and next(iter(queue)) == nonce:
            others[next(iter(others))] = now
        locks = {name: queue for name, queue in self._locks.items() if name != connector}
        self._locks = {**locks, connector: others} if others else locks


def _key(*parts: str | int) -> str:
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
