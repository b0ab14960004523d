"""The error tree: what may be raised, and what the operator can do about it. Imports nothing.

* `StreamsinkError`
    * `ConfigError`: a configuration can't be used; carries every problem at once
    * `DecodeError`: one record can't be decoded, or transformed
    * `TransformError`: rows of a batch that a transform can't take; becomes a `DecodeError` or a dead letter
    * `TransientError`: may pass by itself; retried with backoff
    * `TerminalError`: the task stops and shows the reason
        * `NothingThereError`: there is no archive, or nothing of a topic in it
        * `CorruptObjectError`: an object is gone, or not what it should be
        * `StoreUnsafeError`: the store can't give what `exactly.once=required` asks for
    * `AlreadyExistsError`: a create met an existing object
    * `ObjectMissingError`: no object has that name
    * `RequestError`: what a worker was asked for can't be had
        * `NotFoundError`: no connector, task or logger has that name
        * `ConflictError`: it exists already
        * `RebalanceError`: connectors are changing hands; ask again
        * `BadRequestError`: not in this state, or not in this form
        * `ForbiddenError`: the worker's configuration forbids it
        * `RequestTimeoutError`: not within the bound; the outcome is unknown

A broken invariant is an assertion, never one of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class StreamsinkError(Exception):
    """Root of the tree.

    Args:
        message: What went wrong, one line.
        hint: What the operator can do, one sentence.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Message and hint on one line."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


@dataclass(frozen=True, slots=True)
class Problem:
    """One unusable configuration value: the key, and what is wrong with it."""

    key: str
    message: str


class ConfigError(StreamsinkError):
    """A configuration can't be used; `problems` holds everything that is wrong with it."""

    def __init__(self, problems: list[Problem], *, hint: str = "") -> None:
        self.problems = list(problems)
        super().__init__("; ".join(f"{problem.key}: {problem.message}" for problem in problems), hint=hint)


class DecodeError(StreamsinkError):
    """One record can't be decoded, by the stage named in Connect's words (KEY_CONVERTER, VALUE_CONVERTER)."""


class RowsError(StreamsinkError):
    """Some rows of a batch can't be taken.

    Args:
        message: What is wrong with them.
        rows: What is wrong by row number; where empty, any of the batch's rows may be meant.
    """

    def __init__(self, message: str, *, rows: Mapping[int, str] | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.rows = dict(rows or {})


class TransformError(RowsError):
    """A transform can't take some rows of a batch."""


class ConvertError(RowsError):
    """A user's converter can't read some values of a batch."""


class TransientError(StreamsinkError):
    """The operation may succeed when tried again; its outcome may be unknown."""


class TerminalError(StreamsinkError):
    """Trying again can't help: the task stops and shows this as its trace."""


class StoreUnsafeError(TerminalError):
    """The store does not create atomically and `exactly.once=required`."""


class AlreadyExistsError(StreamsinkError):
    """A create-only write met an object of the same name."""


class ObjectMissingError(StreamsinkError):
    """No object has this name."""


class RequestError(StreamsinkError):
    """What a worker was asked for can't be had; REST has a status for each subclass."""


class NotFoundError(RequestError):
    """Nothing has that name."""


class ConflictError(RequestError):
    """It exists already."""


class RebalanceError(RequestError):
    """Connectors are changing hands: the same request may succeed a little later."""


class BadRequestError(RequestError):
    """The request makes no sense, or not in the connector's present state."""


class ForbiddenError(RequestError):
    """The worker's configuration forbids it."""


class RequestTimeoutError(RequestError):
    """It did not happen within the bound; it may still."""


class NothingThereError(TerminalError):
    """There is no archive at a place, or nothing of a topic in it; later there may be."""


class CorruptObjectError(TerminalError):
    """An object is gone or not what it should be; `path` says which, `offsets` what it covers."""

    def __init__(self, path: str, offsets: str, reason: str, *, hint: str = "") -> None:
        super().__init__(f"{path} (offsets {offsets}) can't be replayed: {reason}", hint=hint)
        self.path = path
        self.offsets = offsets
        self.reason = reason
