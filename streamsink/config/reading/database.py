"""Turns the flat map of a `streamsink.DatabaseSource` into what its tasks run on. Connects to and logs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streamsink.config.keys.database import OPTION_PREFIX
from streamsink.config.keys.definition import Values
from streamsink.config.reading.clients import read_clients
from streamsink.config.reading.connector import (
    ValidationReport,
    refuse_transforms,
    source_report,
    usable_warnings,
    warn_of_unknown,
)
from streamsink.config.url_passwords import find_passwords
from streamsink.config.vendors.sources import DATABASE_CLASS, find_source


@dataclass(frozen=True, slots=True)
class DatabaseSourceConfig:
    """The configuration that all tasks of one connector share. `group` keeps the positions."""

    name: str
    url: str
    options: Mapping[str, str]
    tables: tuple[str, ...]
    prefix: str
    interval_ms: int | None
    rate: int | None
    transactional: bool
    producer: Mapping[str, str]
    group: str
    tasks_max: int

    def group_of(self, task_id: int) -> str:
        """The group that keeps a task's position."""
        return f"{self.group}-{task_id}" if task_id else self.group


def is_database_source(raw: Mapping[str, str]) -> bool:
    """Whether a connector's map is one of a database's source."""
    found = find_source(raw.get("connector.class", ""))
    return found is not None and found.name == DATABASE_CLASS


def parse_database_source(raw: Mapping[str, str], worker: Mapping[str, str]) -> tuple[DatabaseSourceConfig, list[str]]:
    """The tasks' configuration, and what to warn of.

    Args:
        raw: The connector's flat map, secrets resolved.
        worker: The worker's flat map, secrets resolved.

    Returns:
        The configuration, and its warnings.

    Raises:
        ConfigError: Any key can't be used; it has every problem.
    """
    values, config = _read(raw, worker)
    return config, usable_warnings(values)


def validate_database_source(raw: Mapping[str, str], worker: Mapping[str, str]) -> ValidationReport:
    """Check a connector's flat map as a whole.

    Args:
        raw: The connector's flat map, secrets resolved.
        worker: The worker's flat map, secrets resolved.

    Returns:
        Every problem and warning, and the definition by which the keys were read.
    """
    values, _ = _read(raw, worker)
    return source_report(values)


def _read(raw: Mapping[str, str], worker: Mapping[str, str]) -> tuple[Values, DatabaseSourceConfig]:
    kind = find_source(DATABASE_CLASS)
    assert kind is not None
    values = kind.definition.read(raw)
    warn_of_unknown(values)
    refuse_transforms(values, "rows come as they are")
    if find_passwords(values.text("database.url")):
        values.problem("database.url", f"has a password in it: give it as {OPTION_PREFIX}password")
    consumer, producer = read_clients(values, worker)
    interval, rate = values.whole("snapshot.interval.ms"), values.whole("database.rate")
    return values, DatabaseSourceConfig(
        name=values.text("name"),
        url=values.text("database.url").strip(),
        options={key.removeprefix(OPTION_PREFIX): text for key, text in raw.items() if key.startswith(OPTION_PREFIX)},
        tables=tuple(dict.fromkeys(values.items("database.tables"))),
        prefix=values.text("topic.prefix").strip(),
        interval_ms=interval if interval > 0 else None,
        rate=rate if rate > 0 else None,
        transactional=values.flag("transactional"),
        producer=producer,
        group=consumer.get("group.id", ""),
        tasks_max=values.whole("tasks.max"),
    )
