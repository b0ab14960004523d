"""Transforms that choose topics, or drop rows: RegexRouter, TimestampRouter, Filter. Pure: no clock."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pyarrow as pa

from streamsink.java import regex
from streamsink.java.dates import DateFormat
from streamsink.transform.require import Settings, mapped, refuse
from streamsink.transform.rows import Mask, Rows, mask_of

TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")


class RegexRouter:
    """Names topics anew by a regular expression."""

    def __init__(self, settings: Settings) -> None:
        self._pattern = regex.compiled(settings["regex"])
        self._replacement = settings["replacement"]
        regex.check_replacement(self._pattern, self._replacement)

    def apply(self, rows: Rows) -> Rows:
        """The rows, routed."""
        names = rows.topics.dictionary.to_pylist()
        routed = [regex.replaced(self._pattern, self._replacement, name) for name in names]
        return _routed(rows, pa.array(routed, pa.string()).take(rows.topics.indices))


class TimestampRouter:
    """Puts the record's own time into the topic's name, in UTC."""

    def __init__(self, settings: Settings) -> None:
        self._topic_format = settings.get("topic.format") or "${topic}-${timestamp}"
        self._format = DateFormat(settings.get("timestamp.format") or "yyyyMMdd")

    def apply(self, rows: Rows) -> Rows:
        """The rows, routed."""
        refuse(mask_of(rows.timestamps.is_null()), "the record has no timestamp to route by")
        grain = self._format.grain_ms
        starts = pa.array(np.asarray(rows.timestamps) // grain * grain)
        times = mapped(starts, self._format.format, pa.string()).dictionary_encode()
        pairs = np.asarray(rows.topics.indices, np.int64) * len(times.dictionary) + np.asarray(times.indices)
        encoded = pa.array(pairs).dictionary_encode()
        names = []
        for pair in encoded.dictionary.to_pylist():
            topic, time = divmod(pair, len(times.dictionary))
            named = self._topic_format.replace("${topic}", rows.topics.dictionary[topic].as_py())
            names.append(named.replace("${timestamp}", times.dictionary[time].as_py()))
        return _routed(rows, pa.array(names, pa.string()).take(encoded.indices))


class Filter:
    """Drops every row it is given; it is its predicate that chooses."""

    def __init__(self, settings: Settings) -> None:
        """It has none."""

    def apply(self, rows: Rows) -> Rows:
        """No rows."""
        return rows.taken(np.zeros(0, np.int64))


def _routed(rows: Rows, topics: pa.StringArray) -> Rows:
    encoded = topics.dictionary_encode()
    wrong = [not TOPIC.fullmatch(name) or name in {".", ".."} for name in encoded.dictionary.to_pylist()]
    codes = np.asarray(encoded.indices)
    bad: Mask = np.asarray(wrong, bool)[codes] if wrong else np.zeros(0, bool)
    if bad.any():
        name = encoded.dictionary[int(codes[bad][0])].as_py()
        refuse(bad, f"{name[:260]!r} is no name of a topic: letters, digits, dots, dashes and underscores")
    return replace(rows, topics=encoded)
