"""A snapshot in a connector's own words, so that its objects are made as any sink's. Opens nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from streamsink.config.keys.store import PREFIX
from streamsink.config.reading.connector import parse_sink
from streamsink.config.sink import SinkConfig
from streamsink.database.protocol import Table

_NO_BROKER = {"bootstrap.servers": "unused"}
_RAW = {"raw", "bytes", "bytearray"}

OWN_KEYS = (
    *("topics", "topics.regex", "converters", "value.converter", "key.converter", "value.schema", "archive.value"),
    *("transforms", "errors.tolerance", "behavior.on.null.values", "archive.envelope"),
)
"""Keys that a snapshot decides itself."""


def sink_config(
    frames: str,
    tables: Sequence[tuple[str, Table]],
    *,
    url: str,
    topics_dir: str,
    options: Mapping[str, str],
    given: Mapping[str, str],
) -> SinkConfig:
    """Make the sink task's configuration.

    Args:
        frames: The topic of the frames.
        tables: Each with its topic.
        url: `archive.url`.
        topics_dir: What objects' names begin with.
        options: The store's.
        given: A connector's keys that the user gave: `format.class`, `flush.size` and so on.

    Returns:
        The configuration. It names no broker.

    Raises:
        ConfigError: Any of these can't be used.
    """
    name = f"database-{frames}"
    value = "raw" if given.get("format.class", "").strip().lower() in _RAW else "both"
    raw = {
        **given,
        "name": name,
        "connector.class": "streamsink.ArchiveSink",
        "archive.url": url,
        "topics.dir": topics_dir,
        "topics": ",".join([frames, *(topic for topic, _ in tables)]),
        "consumer.override.group.id": name,
        "value.converter": "json",
        "archive.value": value,
        **{f"{PREFIX}{key}": text for key, text in options.items()},
    }
    rules = {}
    for number, (topic, table) in enumerate(tables):
        prefix = f"converters.t{number}."
        rules[f"{prefix}topics.regex"] = re.escape(topic)
        rules[f"{prefix}value.converter"] = table.converter
        rules[f"{prefix}archive.value"] = value
        if table.value_schema and value == "both":
            rules[f"{prefix}value.schema"] = table.value_schema
    names = ",".join(f"t{number}" for number in range(len(tables)))
    return parse_sink({**raw, **({"converters": names, **rules} if names else {})}, _NO_BROKER)[0]
