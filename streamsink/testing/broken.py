"""The error that a simulation raises when a law does not hold. Imports nothing."""

from __future__ import annotations


class LawBrokenError(AssertionError):
    """A law does not hold; the message says which, and where."""


def require(holds: bool, law: str, what: str) -> None:  # noqa: FBT001 - the condition is the argument
    """Raise where a law does not hold.

    Args:
        holds: Whether it holds.
        law: Its name.
        what: What was found, for the error.

    Raises:
        LawBrokenError: It does not hold.
    """
    if not holds:
        raise LawBrokenError(f"{law}: {what}")
