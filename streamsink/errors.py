"""The error tree: each error with a hint for the operator. Imports nothing.

* `StreamsinkError`
    * `ConfigError`: a configuration can't be used; carries every problem at once
    * `DecodeError`: one record can't be decoded, or transformed
    * `TransformError`: rows of a batch that a transform can't take; becomes a `DecodeError` or a dead letter
    * `PartitionError`: rows of a batch that no path can be made for; likewise
    * `TransientError`: may pass by itself; retried with backoff
        * `ClientLostError`: not with the same Kafka client; the task starts again
    * `TerminalError`: the task stops and shows the reason
        * `NothingThereError`: there is no archive, or nothing of a topic in it
        * `ValueNotKeptError`: a value can't be made of an object's columns
        * `CorruptObjectError`: an object is gone, or not what it should be
        * `StoreUnsafeError`: the store can't give what `exactly.once=required` asks for
    * `AlreadyExistsError`: a create met an existing object
    * `ObjectMissingError`: no object has that name
    * `RequestError`: a worker can't answer a request
        * `NotFoundError`: no connector, task or logger has that name
        * `NameTakenError`: something of that name exists
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
        hint: The operator's next step, one sentence.
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
    """One unusable configuration value: the key, and the fault."""

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
        message: The fault of the values.
        rows: The fault by row number; where empty, any of the batch's rows may be meant.
    """

    def __init__(self, message: str, *, rows: Mapping[int, str] | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.rows = dict(rows or {})


class TransformError(RowsError):
    """A transform can't take some rows of a batch."""


class PartitionError(RowsError):
    """Rows of a batch lack what their path is made of."""


class ConvertError(RowsError):
    """A converter that is a plugin can't read some values of a batch."""


class TransientError(StreamsinkError):
    """The operation may succeed when tried again; its outcome may be unknown.

    Args:
        message: What went wrong, one line.
        hint: The operator's next step, one sentence.
        retry_after_s: How long the other side asks us to wait, None where it does not say.
    """

    def __init__(self, message: str, *, hint: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class ClientLostError(TransientError):
    """A Kafka client can't be used any more; another one may work. So the task ends, and starts again."""


class TerminalError(StreamsinkError):
    """Trying again can't help: the task stops and shows this as its trace."""


class SnapshotGoneError(TerminalError):
    """The database no longer keeps the view that a snapshot was reading; only a new snapshot can help."""


class StoreUnsafeError(TerminalError):
    """The store does not create atomically and `exactly.once=required`."""


class AlreadyExistsError(StreamsinkError):
    """A create-only write met an object of the same name."""


class ObjectMissingError(StreamsinkError):
    """No object has this name."""


class RequestError(StreamsinkError):
    """A worker can't answer a request; REST has a status for each subclass."""


class NotFoundError(RequestError):
    """No connector, task or other thing has that name."""


class NameTakenError(RequestError):
    """The name exists already."""


class RebalanceError(RequestError):
    """Connectors are changing hands: the same request may succeed a little later."""


class BadRequestError(RequestError):
    """The request makes no sense, or not in the connector's present state."""


class ForbiddenError(RequestError):
    """The worker's configuration forbids it."""


class RequestTimeoutError(RequestError):
    """The request did not take effect within the bound; it still may."""


class NothingThereError(TerminalError):
    """There is no archive at a place, or nothing of a topic in it; later there may be."""


class ValueNotKeptError(TerminalError):
    """An object is sound, and a value can't be made of its columns; `row` says which, where one is to blame."""

    def __init__(self, message: str, *, hint: str = "", row: int | None = None) -> None:
        super().__init__(message, hint=hint)
        self.row = row


class CorruptObjectError(TerminalError):
    """An object is gone or damaged; `path` names it, `offsets` are the ones that it covered."""

    def __init__(self, path: str, offsets: str, reason: str, *, hint: str = "") -> None:
        super().__init__(f"{path} (offsets {offsets}) can't be replayed: {reason}", hint=hint)
        self.path = path
        self.offsets = offsets
        self.reason = reason
