"""Gives every row its encoded partition, a path made of its topic partition, fields and time. Pure: no clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.config.reading.fieldless import fieldless
from streamsink.config.sink import ExtractorKind, PartitionerKind, Partitioning, SinkConfig
from streamsink.errors import ConfigError, Problem
from streamsink.partition import safe_path
from streamsink.partition.calendar import Zone, truncated
from streamsink.partition.fields import field_texts
from streamsink.partition.pattern import Pattern, PatternError
from streamsink.partition.plugin import PluginPartitioner
from streamsink.partition.protocol import Partitioner
from streamsink.partition.times import field_times, record_times
from streamsink.partition.tombstones import TombstonesApart
from streamsink.record import ENVELOPE, DecodedSlice

_TIMED = {PartitionerKind.TIME, PartitionerKind.HOURLY, PartitionerKind.DAILY, PartitionerKind.FIELD_TIME}
EMPTY = "%00"
"""A part of a path that would have no letters."""
NO_SCHEMA = "schema_name=null"
_BY_FIELD = {PartitionerKind.FIELD, PartitionerKind.FIELD_TIME}


@dataclass(frozen=True, slots=True)
class Names:
    """Path parts of many rows: the distinct ones, and which of them each row has."""

    codes: npt.NDArray[np.int32]
    texts: list[str]


def make_partitioner(config: SinkConfig) -> Partitioner:
    """The partitioner a configuration asks for.

    Raises:
        ConfigError: A zone, pattern, duration or list of fields can't be used.
    """
    made = _make(config)
    folder = "" if config.siblings is None else config.siblings.tombstones
    return TombstonesApart(made, folder) if folder else made


def _make(config: SinkConfig) -> Partitioner:
    rules = config.partitioning
    if rules.kind is PartitionerKind.PLUGIN:
        return PluginPartitioner(rules)
    problems: list[Problem] = []
    if rules.kind in _BY_FIELD and not rules.fields:
        problems.append(Problem("partition.field.name", "names no field"))
    problems += fieldless(config)
    clock = _path_clock(rules, problems) if rules.kind in _TIMED else None
    if problems:
        raise ConfigError(problems)
    return SinkPartitioner(rules, clock)


class PathClock:
    """Turns times into the path of their bucket: one look-up a quarter of an hour, one formatting a bucket."""

    def __init__(self, pattern: Pattern, zone: Zone, duration_ms: int, delimiter: str) -> None:
        self._pattern = pattern
        self._zone = zone
        self._duration_ms = duration_ms
        self._delimiter = delimiter

    def names(self, times_ms: npt.NDArray[np.int64]) -> Names:
        """The path of each time's bucket."""
        buckets = pa.array(truncated(self._zone.local_ms(times_ms), self._duration_ms)).dictionary_encode()
        return Names(np.asarray(buckets.indices), [self._text(local) for local in buckets.dictionary.to_pylist()])

    def _text(self, local_ms: int) -> str:
        text = self._pattern.format(self._zone.moment(local_ms))
        return text[: -len(self._delimiter)] if self._delimiter and text.endswith(self._delimiter) else text


class SinkPartitioner:
    """Partitions for one sink task; made by `make_partitioner`."""

    def __init__(self, rules: Partitioning, clock: PathClock | None) -> None:
        self._rules = rules
        self._clock = clock

    @property
    def deterministic(self) -> bool:
        """False where the wall clock decides."""
        return self._clock is None or self._rules.extractor is not ExtractorKind.WALLCLOCK

    def encode(self, rows: DecodedSlice, *, now_ms: int) -> str | pa.DictionaryArray:
        """The encoded partition of every row; see `Partitioner`."""
        paths = self._paths(rows, now_ms)
        if not self._rules.schema_affix:
            return paths
        if isinstance(paths, str):
            return self._with_affix(paths)
        named = pa.array([self._with_affix(path) for path in paths.dictionary.to_pylist()], pa.string())
        return pa.DictionaryArray.from_arrays(paths.indices, named)

    def _with_affix(self, path: str) -> str:
        """Confluent's folder of the schema's name, which values without a schema have none of."""
        parts = (NO_SCHEMA, path) if self._rules.schema_affix == "PREFIX" else (path, NO_SCHEMA)
        return self._rules.directory_delim.join(parts)

    def _paths(self, rows: DecodedSlice, now_ms: int) -> str | pa.DictionaryArray:
        by_key = self._rules.by_key
        if (self._rules.kind is PartitionerKind.DEFAULT and not by_key) or len(rows.offsets) == 0:
            return f"partition={rows.topic_partition.partition}"
        parts: list[Names | str] = [_keys(rows)] if by_key else []
        if self._rules.kind in _BY_FIELD:
            parts += [self._field(rows, name) for name in self._rules.fields]
        if self._clock is not None:
            parts.append(self._time(rows, self._clock, now_ms))
        return _combined(parts, self._rules.directory_delim)

    def _field(self, rows: DecodedSlice, name: str) -> Names | str:
        delimiter = self._rules.directory_delim
        label = "" if self._rules.values_alone else f"{safe_path.encode(name, delimiter=delimiter)}="
        texts = field_texts(rows, name)
        if isinstance(texts, str):
            return safe_path.component(f"{label}{texts}")
        values = texts.dictionary.to_pylist()
        encoded = [safe_path.component(f"{label}{safe_path.encode(value, delimiter=delimiter)}") for value in values]
        if not label:
            encoded = [text or EMPTY for text in encoded]
        return Names(np.asarray(texts.indices), encoded)

    def _time(self, rows: DecodedSlice, clock: PathClock, now_ms: int) -> Names | str:
        match self._rules.extractor:
            case ExtractorKind.WALLCLOCK:
                return clock.names(np.array([now_ms], np.int64)).texts[0]
            case ExtractorKind.RECORD:
                return clock.names(record_times(rows))
            case ExtractorKind.RECORD_FIELD:
                return clock.names(field_times(rows, self._rules.timestamp_field))


def _keys(rows: DecodedSlice) -> Names:
    """Keys as folders, `null` where there is none."""
    keys = pc.struct_field(rows.rows.column(ENVELOPE), "key").fill_null(b"null").dictionary_encode()
    texts = [key.decode(errors="replace") for key in keys.dictionary.to_pylist()]
    return Names(np.asarray(keys.indices), [safe_path.component(safe_path.encode(text)) or EMPTY for text in texts])


def _path_clock(rules: Partitioning, problems: list[Problem]) -> PathClock | None:
    pattern = _pattern(rules, problems)
    zone = None
    try:
        zone = Zone(rules.timezone)
    except ValueError as error:
        problems.append(Problem("timezone", str(error)))
    if rules.duration_ms <= 0:
        problems.append(Problem("partition.duration.ms", "must be positive for a time partitioner"))
    if pattern is None or zone is None or problems:
        return None
    clock = PathClock(pattern, zone, rules.duration_ms, rules.directory_delim)
    sample = clock.names(np.array([0], np.int64)).texts[0]
    if not sample or any(part in {".", ".."} for part in sample.replace("\\", "/").split("/")) or "\0" in sample:
        problems.append(Problem("path.format", f"gives the path {sample!r}, which is not inside the archive"))
    return clock


def _pattern(rules: Partitioning, problems: list[Problem]) -> Pattern | None:
    try:
        pattern = Pattern(rules.path_format)
    except PatternError as error:
        problems.append(Problem("path.format", str(error)))
        return None
    if pattern.has_text and not rules.locale.lower().startswith("en"):
        problems.append(Problem("locale", "only English names of months and days are known; use their numbers"))
    return pattern


def _combined(parts: Sequence[Names | str], delimiter: str) -> str | pa.DictionaryArray:
    """All parts of each row, joined; each distinct combination once."""
    codes: npt.NDArray[np.int32] | None = None
    texts = [""]
    for position, part in enumerate(parts):
        names = Names(np.zeros(1, np.int32), [part]) if isinstance(part, str) else part
        gap = delimiter if position else ""
        if len(names.texts) == 1:
            texts = [f"{text}{gap}{names.texts[0]}" for text in texts]
        elif codes is None:
            codes, texts = names.codes, [f"{texts[0]}{gap}{text}" for text in names.texts]
        else:
            pairs = pa.array(codes.astype(np.int64) * len(names.texts) + names.codes).dictionary_encode()
            split = [divmod(pair, len(names.texts)) for pair in pairs.dictionary.to_pylist()]
            codes = np.asarray(pairs.indices)
            texts = [f"{texts[left]}{gap}{names.texts[right]}" for left, right in split]
    if codes is None:
        return texts[0]
    merged = pa.array(texts, pa.string()).dictionary_encode()
    if len(merged.dictionary) == 1:
        return str(merged.dictionary[0].as_py())
    if len(merged.dictionary) < len(texts):
        codes = np.asarray(merged.indices)[codes]
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), merged.dictionary)
