"""What both ways between ptars' columns and an archive's share: what was learned of a message, and which rows are bad.

Pure: no I/O, no clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from streamsink.decode.protobuf.plain import TIMESTAMP, Role, role_of

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor

Int64s = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

VARIANT = "__string"
"""Ends the name of the field that holds a time as text, beside its own."""

SECOND_NS = 1_000_000_000


@dataclass(slots=True)
class Shaping:
    """The knowledge of a message's columns: which times needed text so far. It only grows.

    Args:
        message_class: Gives the class of a message, to read and write what becomes JSON text.
    """

    message_class: Any
    texts: set[tuple[str, ...]] = field(default_factory=set)
    _plain: dict[str, bool] = field(default_factory=dict)

    def differs(self, message: Descriptor, *, writing: bool) -> bool:
        """Whether some field of a message has another form in columns than in plain messages.

        Args:
            message: The message's type.
            writing: Whether columns become messages; enums differ only then.
        """
        key = f"{message.full_name}/{writing}"
        if key not in self._plain:
            self._plain[key] = False
            self._plain[key] = any(self._field_differs(one, writing=writing) for one in message.fields)
        return self._plain[key]

    def _field_differs(self, one: FieldDescriptor, *, writing: bool) -> bool:
        role = role_of(one)
        if role in {Role.MESSAGE, Role.MAP}:
            return self.differs(one.message_type, writing=writing)
        return role is not Role.SAME and (writing or role is not Role.ENUM)


@dataclass(frozen=True, slots=True)
class Rows:
    """The row of each value, and the reasons why rows are bad."""

    numbers: Int64s
    bad: dict[int, str]

    def fail(self, which: Mask, why: str) -> None:
        """Mark rows as bad; each keeps its first reason.

        Args:
            which: One entry a value.
            why: The reason, for an operator.
        """
        for row in self.numbers[which].tolist():
            self.bad.setdefault(row, why)

    def items(self, lists: pa.Array) -> Rows:
        """The rows of the items of lists."""
        return Rows(np.repeat(self.numbers, np.diff(lists.offsets.to_numpy())), self.bad)


def is_many(one: FieldDescriptor) -> bool:
    """Whether a field is a list."""
    return bool(one.is_repeated)


def time_class(name: str) -> Any:
    """The class of a time's messages, which reads and writes it as text."""
    from google.protobuf import duration_pb2, timestamp_pb2  # noqa: PLC0415 - an extra

    return timestamp_pb2.Timestamp if name == TIMESTAMP else duration_pb2.Duration
