"""Turns raw slices into lane runs: decodes, partitions, groups. Holds no records between slices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from streamsink.decode.envelope import PUT_STAGE, bad_record
from streamsink.decode.protocol import Decoder
from streamsink.errors import DecodeError, PartitionError
from streamsink.partition.protocol import Partitioner
from streamsink.record import BadRecord, DecodedSlice, RawSlice
from streamsink.sink.core.events import LaneRun, Polled
from streamsink.sink.core.open_file import Lane

NO_TIME_MS = -1

_HINT = "errors.tolerance=all skips such records, errors.deadletterqueue.topic.name keeps them"


@dataclass(frozen=True, slots=True)
class LaneRows:
    """A lane run's payload for the shell: the rows, and their record times (`NO_TIME_MS` where unknown)."""

    rows: pa.RecordBatch
    times_ms: npt.NDArray[np.int64]


def cut_slice(raw: RawSlice, bytes_max: int) -> Iterator[RawSlice]:
    """Split a slice into halves until each part is small enough.

    Args:
        raw: The slice.
        bytes_max: The bytes of all values in a part; a part of one row may have more.
    """
    rows = raw.rows.num_rows
    if rows <= 1 or raw.value_bytes <= bytes_max:
        yield raw
        return
    half = rows // 2
    middle = raw.rows.column("offset")[half].as_py()
    before = tuple(record for record in raw.bad if record.offset < middle)
    low = RawSlice(raw.topic_partition, raw.start, middle, raw.rows.slice(0, half), before)
    high = RawSlice(raw.topic_partition, middle, raw.next_offset, raw.rows.slice(half), raw.bad[len(before) :])
    yield from cut_slice(low, bytes_max)
    yield from cut_slice(high, bytes_max)


class LaneSorter:
    """Decodes a slice and sorts its rows by lane.

    Args:
        decoder: Bytes to rows.
        partitioner: Rows to encoded partitions.
        with_times: Whether rotation by record time needs each row's time.
        tolerant: Whether bad records are left out; else the first one is raised.
    """

    def __init__(self, decoder: Decoder, partitioner: Partitioner, *, with_times: bool, tolerant: bool = False) -> None:
        self._decoder = decoder
        self._partitioner = partitioner
        self._with_times = with_times
        self._tolerant = tolerant
        self._schemas: dict[bytes, str] = {}

    def sort(self, raw: RawSlice, *, now_ms: int) -> tuple[Polled, tuple[BadRecord, ...]]:
        """Decode a slice, and sort its rows by lane.

        Args:
            raw: The slice.
            now_ms: Unix time in milliseconds, for a partitioner by wall clock.

        Returns:
            The slice as the machine takes it, and the records that could not be decoded, in offset order.

        Raises:
            TransientError: A Schema Registry can't be asked now.
            DecodeError: A bad record, and none is tolerated.
        """
        bad = list(raw.bad)
        if bad and not self._tolerant:
            raise refusal(bad[0], _HINT)
        runs: list[LaneRun] = []
        for part in self._decoder.parts(raw):
            decoded = self._decoder.decode(part)
            bad += decoded.bad
            for kept, paths in self._with_paths(part, decoded, now_ms, bad):
                runs += self._runs(kept, paths)
        bad.sort(key=attrgetter("offset"))
        return Polled(raw.topic_partition, raw.start, raw.next_offset, tuple(runs)), tuple(bad)

    def _with_paths(
        self, raw: RawSlice, decoded: DecodedSlice, now_ms: int, bad: list[BadRecord]
    ) -> Iterator[tuple[DecodedSlice, str | pa.DictionaryArray]]:
        """The rows that have a path, and theirs; the others go to `bad`."""
        if not decoded.rows.num_rows:
            return
        try:
            paths = self._partitioner.encode(decoded, now_ms=now_ms)
        except PartitionError as error:
            faults, hint, fault = dict(error.rows), error.hint, error.message
        else:
            yield decoded, paths
            return
        count = decoded.rows.num_rows
        if not faults and count > 1:
            for rows in (np.arange(count // 2), np.arange(count // 2, count)):
                yield from self._with_paths(raw, decoded.take(pa.array(rows)), now_ms, bad)
            return
        faults = faults or {0: fault}
        offsets = decoded.offsets.take(pa.array(sorted(faults)))
        places = np.searchsorted(raw.rows.column("offset").to_numpy(), offsets.to_numpy()).tolist()
        told = [
            bad_record(raw, place, stage=PUT_STAGE, error=fault)
            for place, (_, fault) in zip(places, sorted(faults.items()), strict=True)
        ]
        if not self._tolerant:
            raise refusal(told[0], hint or _HINT)
        bad += told
        left = np.setdiff1d(np.arange(decoded.rows.num_rows), np.array(sorted(faults)))
        yield from self._with_paths(raw, decoded.take(pa.array(left)), now_ms, bad)

    def _runs(self, decoded: DecodedSlice, paths: str | pa.DictionaryArray) -> Iterator[LaneRun]:
        offsets = decoded.offsets.to_numpy(zero_copy_only=False)
        known = decoded.timestamps
        times_ms = (known.fill_null(NO_TIME_MS) if known.null_count else known).to_numpy(zero_copy_only=False)
        schema = self._schema_name(decoded.rows.schema)
        lanes, codes = self._lanes(decoded, paths)
        if codes is None:
            yield self._run(lanes[0], schema, offsets, LaneRows(decoded.rows, times_ms))
            return
        for code in np.unique(codes):
            chosen = np.flatnonzero(codes == code)
            # Copied, so that a lane with few rows does not keep its slice's whole memory alive.
            rows = LaneRows(decoded.rows.take(pa.array(chosen)), times_ms[chosen])
            yield self._run(lanes[code], schema, offsets[chosen], rows)

    def _lanes(
        self, decoded: DecodedSlice, encoded: str | pa.DictionaryArray
    ) -> tuple[list[Lane], npt.NDArray[np.int64] | None]:
        """The lanes there are, and which one each row is in; None where there is but one."""
        if isinstance(encoded, str):
            paths, codes = [encoded], None
        else:
            paths = encoded.dictionary.to_pylist()
            codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        topics = [""]
        if decoded.topics is not None:
            source = decoded.topic_partition.topic
            topics = ["" if name == source else name for name in decoded.topics.dictionary.to_pylist()]
            if len(topics) > 1:
                routed = decoded.topics.indices.to_numpy(zero_copy_only=False).astype(np.int64) * len(paths)
                codes = routed if codes is None else codes + routed
        return [Lane(path, decoded.schema_tag, topic) for topic in topics for path in paths], codes

    def _run(self, lane: Lane, schema: str, offsets: npt.NDArray[np.int64], rows: LaneRows) -> LaneRun:
        return LaneRun(lane, schema, offsets, rows.times_ms if self._with_times else None, rows)

    def _schema_name(self, schema: pa.Schema) -> str:
        """A name that differs with anything in the schema; Arrow's own equality passes over metadata."""
        return self._schemas.setdefault(schema.serialize().to_pybytes(), f"schema-{len(self._schemas) + 1}")


def refusal(record: BadRecord, hint: str) -> DecodeError:
    """The error that stops a task at a bad record, where none is tolerated.

    Args:
        record: The bad record.
        hint: The next step for an operator.
    """
    return DecodeError(f"{record.stage}: {record.topic_partition}@{record.offset}: {record.error}", hint=hint)
