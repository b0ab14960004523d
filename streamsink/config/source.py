"""Turns a source connector's flat map into what its tasks run on. Opens, connects to and logs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streamsink.config.clients import read_clients
from streamsink.config.connector import ValidationReport, warn_of_unknown
from streamsink.config.definition import Values
from streamsink.config.location import check_credentials, read_location
from streamsink.config.source_keys import BULK, SOURCES, find_source
from streamsink.errors import ConfigError, Problem


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """What the tasks of one source connector have in common. `group` keeps the positions."""

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
    skip_corrupt: bool
    rate: int | None
    transactional: bool
    tasks_max: int

    def target_of(self, topic: str) -> str:
        """Where an archived topic's records go."""
        return self.target.replace("${topic}", topic)


def parse_source(raw: Mapping[str, str], worker: Mapping[str, str]) -> tuple[SourceConfig, list[str]]:
    """The tasks' configuration, and what to warn of.

    Args:
        raw: The connector's flat map, secrets resolved.
        worker: The worker's flat map, secrets resolved.

    Raises:
        ConfigError: Any key can't be used; it has every problem.
    """
    values, config = _read(raw, worker)
    if values.problems:
        raise ConfigError(list(dict.fromkeys(values.problems)), hint="correct the connector's configuration")
    return config, list(dict.fromkeys(values.warnings))


def validate_source(raw: Mapping[str, str], worker: Mapping[str, str]) -> ValidationReport:
    """Check a source connector's flat map as a whole."""
    values, _ = _read(raw, worker)
    problems: tuple[Problem, ...] = tuple(dict.fromkeys(values.problems))
    return ValidationReport(problems, tuple(dict.fromkeys(values.warnings)), values.definition)


def _read(raw: Mapping[str, str], worker: Mapping[str, str]) -> tuple[Values, SourceConfig]:
    kind = find_source(raw.get("connector.class", "")) or SOURCES[0]
    values = kind.definition.read(raw)
    warn_of_unknown(values)
    for key in ("transforms", "predicates"):
        if raw.get(key, "").strip():
            values.problem(key, "is not supported for sources: records go back as they were")
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
        skip_corrupt=values.flag("skip.corrupt"),
        rate=rate if rate > 0 else None,
        transactional=values.flag("transactional"),
        tasks_max=values.whole("tasks.max"),
    )
