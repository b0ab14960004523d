"""Turns a source connector's flat map into what its tasks run on. Opens, connects to and logs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streamsink.config.keys.definition import Values
from streamsink.config.keys.source import BULK
from streamsink.config.reading.clients import read_clients
from streamsink.config.reading.connector import (
    ValidationReport,
    refuse_transforms,
    source_report,
    usable_warnings,
    warn_of_unknown,
)
from streamsink.config.reading.location import check_credentials, read_location
from streamsink.config.vendors.sources import SOURCES, find_source


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """The configuration that all tasks of one source connector share. `group` keeps the positions."""

    name: str
    location: str
    options: Mapping[str, str]
    producer: Mapping[str, str]
    group: str
    topics: tuple[str, ...]
    target: str
    continuous: bool
    poll_interval_ms: int
    partitions: str
    create_topic: bool
    allow_same_topic: bool
    allow_target_changes: bool
    skip_corrupt: bool
    rate: int | None
    transactional: bool
    tasks_max: int

    def target_of(self, topic: str) -> str:
        """Find the topic that an archived topic's records go to."""
        return self.target.replace("${topic}", topic)


def parse_source(raw: Mapping[str, str], worker: Mapping[str, str]) -> tuple[SourceConfig, list[str]]:
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


def validate_source(raw: Mapping[str, str], worker: Mapping[str, str]) -> ValidationReport:
    """Check a source connector's flat map as a whole.

    Args:
        raw: The connector's flat map, secrets resolved.
        worker: The worker's flat map, secrets resolved.

    Returns:
        Every problem and warning, and the definition by which the keys were read.
    """
    values, _ = _read(raw, worker)
    return source_report(values)


def _read(raw: Mapping[str, str], worker: Mapping[str, str]) -> tuple[Values, SourceConfig]:
    kind = find_source(raw.get("connector.class", "")) or SOURCES[0]
    values = kind.definition.read(raw)
    warn_of_unknown(values)
    refuse_transforms(values, "records go back as they were")
    url, options = read_location(values, kind)
    check_credentials(values)
    consumer, producer = read_clients(values, worker)
    rate = values.whole("replay.rate")
    folder = values.text("topics.dir").strip("/")
    poll = "poll.interval.ms" if "poll.interval.ms" in kind.definition else "s3.poll.interval.ms"
    return values, SourceConfig(
        name=values.text("name"),
        location=f"{url.rstrip('/')}/{folder}" if folder else url,
        options=options,
        producer=producer,
        group=consumer.get("group.id", ""),
        topics=tuple(dict.fromkeys(values.items("source.topics"))),
        target=values.text("target.topic").strip(),
        continuous=values.text("mode").strip().lower() != BULK,
        poll_interval_ms=values.whole(poll),
        partitions=values.text("replay.partitions").strip() or "keep",
        create_topic=values.flag("create.topic"),
        allow_same_topic=values.flag("allow.same.topic"),
        allow_target_changes=values.flag("allow.target.changes"),
        skip_corrupt=values.flag("skip.corrupt"),
        rate=rate if rate > 0 else None,
        transactional=values.flag("transactional"),
        tasks_max=values.whole("tasks.max"),
    )
