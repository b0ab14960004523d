"""Java's regular expressions with Python's engine: patterns, whole matches and replacements. Pure."""

from __future__ import annotations

import re

_POSIX = {
    "Lower": "a-z",
    "Upper": "A-Z",
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Alnum": "a-zA-Z0-9",
    "Punct": r"!-/:-@\[-`{-~",
    "XDigit": "0-9a-fA-F",
    "Space": r" \t\n\x0b\f\r",
}


def compiled(pattern: str) -> re.Pattern[str]:
    """A Java pattern for Python's engine.

    Raises:
        ValueError: It is none, or one that Python's engine can't have.
    """
    text = re.sub(r"\(\?<([A-Za-z][A-Za-z0-9]*)>", r"(?P<\1>", pattern)
    text = re.sub(r"\\p\{(\w+)\}", _posix, text)
    text = text.replace(r"\z", r"\Z")
    try:
        return re.compile(text, re.ASCII)
    except re.error as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from error


def _posix(found: re.Match[str]) -> str:
    members = _POSIX.get(found[1])
    if members is None:
        raise ValueError(f"{found[0]} is not supported in a regular expression")
    before = found.string[: found.start()]
    return (
        members if before.count("[") - before.count("\\[") > before.count("]") - before.count("\\]") else f"[{members}]"
    )


def check_replacement(pattern: re.Pattern[str], replacement: str) -> None:
    """Refuse a replacement that names a group the pattern lacks.

    Args:
        pattern: The pattern, as it was translated from Java's.
        replacement: In Java's syntax: `$1`, `${name}`, and a backslash before a letter that stands for itself.

    Raises:
        ValueError: The message says which group.
    """
    _parts(pattern, replacement)


def replaced(pattern: re.Pattern[str], replacement: str, text: str) -> str:
    """Replace text as `Matcher.matches` and then `replaceFirst` do.

    Args:
        pattern: The pattern, as it was translated from Java's.
        replacement: In Java's syntax.
        text: The text; it comes back as it is where the pattern doesn't match all of it.
    """
    if pattern.fullmatch(text) is None:
        return text
    found = pattern.search(text)
    assert found is not None, "what matches as a whole is found"
    middle = "".join(part if isinstance(part, str) else _group(found, part[0]) for part in _parts(pattern, replacement))
    return f"{text[: found.start()]}{middle}{text[found.end() :]}"


def _group(found: re.Match[str], group: int | str) -> str:
    return found[group] or ""


def _parts(pattern: re.Pattern[str], replacement: str) -> list[str | tuple[int | str]]:
    """Literal texts and `(group,)`, in order."""
    parts: list[str | tuple[int | str]] = []
    at = 0
    while at < len(replacement):
        char = replacement[at]
        if char == "\\":
            if at + 1 == len(replacement):
                raise ValueError("ends in a lone backslash")
            parts.append(replacement[at + 1])
            at += 2
        elif char == "$":
            group, at = _reference(pattern, replacement, at + 1)
            parts.append((group,))
        else:
            parts.append(char)
            at += 1
    return parts


def _reference(pattern: re.Pattern[str], replacement: str, at: int) -> tuple[int | str, int]:
    named = re.compile(r"\{([A-Za-z][A-Za-z0-9]*)\}").match(replacement, at)
    if named is not None:
        if named[1] not in pattern.groupindex:
            raise ValueError(f"names the group {named[1]}, which the pattern lacks")
        return named[1], named.end()
    digits = re.compile(r"[0-9]+").match(replacement, at)
    if digits is None:
        raise ValueError("has a $ without a group after it; write \\$ for the sign itself")
    number, end = int(digits[0][0]), at + 1
    if number > pattern.groups:
        raise ValueError(f"names the group {number}, which the pattern lacks")
    for digit in digits[0][1:]:
        if number * 10 + int(digit) > pattern.groups:
            break
        number, end = number * 10 + int(digit), end + 1
    return number, end
