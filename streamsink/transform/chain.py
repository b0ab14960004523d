"""Runs transforms one after the other, each on the rows that its predicate chooses. One bad row stops no other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from streamsink.errors import StreamsinkError, TransformError, TransientError
from streamsink.transform.protocol import Predicate, Transform
from streamsink.transform.rows import Rows, mask_of
from streamsink.transform.type_union import together


@dataclass(frozen=True, slots=True)
class Step:
    """One transform of a chain.

    Args:
        name: As the configuration calls it.
        kind: Its class's name, for dead letters.
        transform: What it does.
        predicate: Which rows it is for; all if None.
        negate: Whether it is for the other rows instead.
    """

    name: str
    kind: str
    transform: Transform
    predicate: Predicate | None = None
    negate: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """A row that a step could not take."""

    offset: int
    step: Step
    error: str


class TransformChain:
    """All of a connector's transforms."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = tuple(steps)

    def apply(self, rows: Rows) -> tuple[list[Rows], list[Failure]]:
        """Take rows through the chain.

        A predicate may leave rows of several types; each goes on as if it were alone.

        Returns:
            The rows that come through, in parts of one type each, and the rows that a step failed on.

        Raises:
            TransientError: A plugin says that it may work later.
        """
        failures: list[Failure] = []
        parts = [rows] if len(rows) else []
        for step in self._steps:
            parts = together([after for part in parts for after in _stepped(step, part, failures)])
        return parts, failures


def _stepped(step: Step, rows: Rows, failures: list[Failure]) -> list[Rows]:
    if step.predicate is None:
        return _tried(step, rows, failures)
    chosen = mask_of(step.predicate.test(rows)) ^ step.negate
    if not chosen.any():
        return [rows]
    if chosen.all():
        return _tried(step, rows, failures)
    return [*_tried(step, rows.where(chosen), failures), rows.where(~chosen)]


def _tried(step: Step, rows: Rows, failures: list[Failure]) -> list[Rows]:
    """Transform rows, in parts. Rows that fail alone go to `failures`."""
    try:
        return [_checked(step, rows, step.transform.apply(rows))]
    except TransientError:
        raise
    except TransformError as error:
        if error.rows:
            return _without(step, rows, error.rows, failures)
        failed: Exception = error
    except (pa.ArrowException, ArithmeticError, LookupError, TypeError, ValueError, StreamsinkError) as error:
        failed = error
    if len(rows) == 1:
        failures.append(Failure(rows.offsets[0].as_py(), step, _told(failed)))
        return []
    middle = len(rows) // 2
    numbers = np.arange(len(rows))
    first, second = (_tried(step, rows.taken(part), failures) for part in (numbers[:middle], numbers[middle:]))
    return [*first, *second]


def _without(step: Step, rows: Rows, wrong: dict[int, str], failures: list[Failure]) -> list[Rows]:
    offsets = np.asarray(rows.offsets)
    failures += [Failure(int(offsets[row]), step, error) for row, error in sorted(wrong.items())]
    left = np.ones(len(rows), bool)
    left[list(wrong)] = False
    return _tried(step, rows.where(left), failures) if left.any() else []


def _checked(step: Step, before: Rows, after: Rows) -> Rows:
    """Check that a transform kept to the protocol: it gave some of the rows, in their order."""
    same_columns = len(after.value.array) == len(after.key.array) == len(after.headers) == len(after.offsets)
    positions = np.searchsorted(np.asarray(before.offsets), np.asarray(after.offsets))
    known = len(after) <= len(before) and bool(
        (
            np.asarray(before.offsets.take(pa.array(positions.clip(0, max(len(before) - 1, 0)))))
            == np.asarray(after.offsets)
        ).all()
    )
    if not same_columns or not known or not bool((np.diff(positions) > 0).all()):
        raise TransformError(f"{step.kind} gives rows that it was not given, or in another order")
    return after


def _told(error: Exception) -> str:
    return error.message if isinstance(error, StreamsinkError) else f"{type(error).__name__}: {error}"
