"""Says what becomes of another cluster's connector here: what stays, what differs, what is refused. Asks nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from streamsink.config.reading.connector import validate_sink
from streamsink.config.reading.guarantee import guarantee
from streamsink.config.vendors.profiles import find_class

GROUP_KEY = "consumer.override.group.id"


class Outcome(Enum):
    """What a migration does with a connector."""

    TAKEN = "taken"
    REFUSED = "refused"
    LEFT_ALONE = "left alone"


@dataclass(frozen=True, slots=True)
class Migration:
    """One connector: `stays` and `differs` in words, `refused` by key where it can't be made."""

    name: str
    outcome: Outcome
    group: str
    stays: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def plan_migration(raw: Mapping[str, str], worker: Mapping[str, str]) -> Migration:
    """Plan the move of a connector to this worker.

    Args:
        raw: Its flat map, as its cluster has it.
        worker: The flat map of the worker that is to run it.

    Returns:
        The plan: taken, refused with the reasons, or left alone because it is no sink that runs here.
    """
    name = raw.get("name", "")
    group = raw.get(GROUP_KEY, "").strip() or f"connect-{name}"
    kind = raw.get("connector.class", "").strip()
    if find_class(kind) is None:
        told = f"connector.class: {kind or 'none'} is no sink that can be run here"
        return Migration(name, Outcome.LEFT_ALONE, group, refused=(told,))
    report = validate_sink(raw, worker)
    if report.config is None:
        refused = tuple(f"{problem.key}: {problem.message}" for problem in report.problems)
        return Migration(name, Outcome.REFUSED, group, differs=report.warnings, refused=refused)
    config = report.config
    what = ", ".join(config.topics) or config.topics_regex
    folder = "/".join(part for part in (config.archive_url.rstrip("/"), config.naming.topics_dir) if part)
    stays = (
        f"topics {what} to {folder}",
        f"the group {group} and its offsets",
        guarantee(config, atomic_create=None),
    )
    return Migration(name, Outcome.TAKEN, group, stays=stays, differs=report.warnings)
