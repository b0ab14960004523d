"""Reads times, and writes durations, as a person does. Asks no clock."""

from __future__ import annotations

from datetime import UTC, datetime

from streamsink.errors import ConfigError, Problem


def time_ms(option: str, text: str) -> int | None:
    """Read a time: ISO 8601 (UTC where it has no offset), or milliseconds since 1970.

    Args:
        option: Its name, for the error.
        text: What was written.

    Returns:
        Milliseconds since 1970, None for an empty text.

    Raises:
        ConfigError: It is neither.
    """
    bare = text.strip()
    if not bare:
        return None
    if bare.lstrip("-").isdecimal():
        return int(bare)
    try:
        found = datetime.fromisoformat(bare)
    except ValueError:
        problem = Problem(option, f"{text!r} is neither ISO 8601 nor milliseconds since 1970")
        raise ConfigError([problem], hint="for example 2026-11-22T08:00:00Z") from None
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def duration(seconds: float) -> str:
    """A duration in its two largest units, for example `9 min 35 s`.

    Args:
        seconds: Not negative; parts of a second are rounded.
    """
    whole = round(seconds)
    parts = [(whole // 86_400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    first = next((at for at, (count, _) in enumerate(parts) if count), len(parts) - 1)
    told = [f"{count} {unit}" for count, unit in parts[first : first + 2] if count or first == len(parts) - 1]
    return " ".join(told)
