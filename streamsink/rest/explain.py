"""Takes a task's trace apart: what can be done, what went wrong, and where. Pure; knows only the form of the text."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CLASS = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt)")
_FRAME = re.compile(r'^  File "', re.MULTILINE)
HINT_WORDS_MIN = 3
"""Fewer words in parentheses at a message's end are part of the message."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One failure. `hint` is "" where none is given, `trace` holds what message and hint don't say."""

    message: str
    hint: str
    error_class: str
    trace: str


def explain(trace: str) -> Explanation:
    """Take apart what a task or connector failed of.

    Args:
        trace: `Class: message (hint)` and the frames below it; or any other text.

    Returns:
        Its parts; a text of another form is all message.
    """
    frames = _FRAME.search(trace)
    said = (trace[: frames.start()] if frames else trace).strip()
    first, colon, rest = said.partition(": ")
    error_class = first if colon and _CLASS.fullmatch(first) else ""
    message, hint = _without_hint(rest if error_class else said)
    return Explanation(message, hint, error_class, trace[frames.start() :].rstrip() if frames else "")


def _without_hint(text: str) -> tuple[str, str]:
    """A message, and the hint in parentheses at its end; parentheses inside a hint belong to it."""
    if not text.endswith(")"):
        return text, ""
    depth = 0
    for at in range(len(text) - 1, 0, -1):
        depth += {")": 1, "(": -1}.get(text[at], 0)
        if depth == 0:
            hint = text[at + 1 : -1]
            return (text[:at].rstrip(), hint) if len(hint.split()) >= HINT_WORDS_MIN else (text, "")
    return text, ""
