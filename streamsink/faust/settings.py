"""Makes a sink task's configuration of an `ArchiveSink`'s arguments, in the connectors' words. Opens nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from streamsink.config.reading.connector import parse_sink
from streamsink.config.sink import SinkConfig

Option = str | int | float | bool
"""Values of a connector's keys, as Python has them."""

OF_THE_CONSUMER = {"topics": "unused", "connector.class": "streamsink.ArchiveSink"}
"""Faust consumes: what a connector must say of its topics is never looked at."""

JSON = {"value.converter": "json", "archive.value": "both"}
"""Results as columns, and beside them the very text that they are read back from."""

BYTES = {"value.converter": "bytes", "archive.value": "raw"}


def make_config(name: str, url: str, options: Mapping[str, Option], *, as_json: bool) -> tuple[SinkConfig, list[str]]:
    """The configuration, and what to warn of.

    Of `drain.timeout.ms` agents get one half to finish what they are at, and the stores get the other.

    Args:
        name: Names the writer in what objects say of themselves.
        url: `archive.url`.
        options: A connector's keys.
        as_json: Whether results are JSON texts.

    Returns:
        The configuration, and its warnings.

    Raises:
        ConfigError: Any key can't be used; it has every problem.
    """
    given = {key: _text(value) for key, value in options.items()}
    raw = {**(JSON if as_json else BYTES), **given, **OF_THE_CONSUMER, "name": name, "archive.url": url}
    config, warnings = parse_sink(raw, {"bootstrap.servers": "unused"})
    return replace(config, drain_timeout_ms=max(1, config.drain_timeout_ms // 2)), warnings


def _text(value: Option) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
