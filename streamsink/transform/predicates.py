"""Connect's predicates: which rows a transform is for. Pure."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from streamsink.java import regex
from streamsink.transform.headers import opened
from streamsink.transform.require import Settings
from streamsink.transform.rows import Rows


class HasHeaderKey:
    """Rows with a header of a name."""

    def __init__(self, settings: Settings) -> None:
        self._name = settings["name"]

    def test(self, rows: Rows) -> pa.BooleanArray:
        """Whether each row has it."""
        lengths, flat = opened(rows.headers)
        owners = np.repeat(np.arange(len(rows)), lengths)
        has = np.zeros(len(rows), bool)
        has[owners[np.asarray(flat.field("key").to_pylist(), object) == self._name]] = True
        return pa.array(has)


class RecordIsTombstone:
    """Rows without a value."""

    def __init__(self, settings: Settings) -> None:
        """It has none."""

    def test(self, rows: Rows) -> pa.BooleanArray:
        """Whether each row's value is null."""
        return rows.value.array.is_null()


class TopicNameMatches:
    """Rows whose topic, as routed so far, a regular expression matches as a whole."""

    def __init__(self, settings: Settings) -> None:
        self._pattern = regex.compiled(settings["pattern"])

    def test(self, rows: Rows) -> pa.BooleanArray:
        """Whether each row's topic matches."""
        matching = [self._pattern.fullmatch(name) is not None for name in rows.topics.dictionary.to_pylist()]
        return pa.array(matching, pa.bool_()).take(rows.topics.indices)
