"""Time zones by Joda's names: IANA's names, and offsets such as `+02:00`. Pure: imports nothing of ours."""

from __future__ import annotations

from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def zone_of(name: str) -> tzinfo:
    """The zone of a name.

    Raises:
        ValueError: There is no such zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        fixed = _fixed(name)
        if fixed is None:
            raise ValueError(f"there is no time zone {name!r}") from error
        return fixed


def _fixed(name: str) -> tzinfo | None:
    if name[:1] not in {"+", "-"}:
        return None
    try:
        return datetime.fromisoformat(f"2000-01-01T00:00:00{name}").tzinfo
    except ValueError:
        return None
