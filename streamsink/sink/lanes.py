"""Raw slices become lane runs: decode, partition, group. Holds no records between slices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from streamsink.batch.file import Lane
from streamsink.decode.protocol import Decoder
from streamsink.partition.protocol import Partitioner
from streamsink.record import BadRecord, DecodedSlice, RawSlice
from streamsink.sink.events import LaneRun, Polled

NO_TIME_MS = -1


@dataclass(frozen=True, slots=True)
class LaneRows:
    """What a lane run carries for the shell: the rows, and their record times (`NO_TIME_MS` where unknown)."""

    rows: pa.RecordBatch
    times_ms: npt.NDArray[np.int64]


def cut_slice(raw: RawSlice, bytes_max: int) -> Iterator[RawSlice]:
    """Split a slice into halves until each part holds at most `bytes_max` bytes, or one row."""
    rows = raw.rows.num_rows
    if rows <= 1 or raw.value_bytes <= bytes_max:
        yield raw
        return
    half = rows // 2
    middle = raw.rows.column("offset")[half].as_py()
    yield from cut_slice(RawSlice(raw.topic_partition, raw.start, middle, raw.rows.slice(0, half)), bytes_max)
    yield from cut_slice(RawSlice(raw.topic_partition, middle, raw.next_offset, raw.rows.slice(half)), bytes_max)


class LaneSorter:
    """Decodes a slice and sorts its rows by lane.

    Args:
        decoder: Bytes to rows.
        partitioner: Rows to encoded partitions.
        with_times: Whether rotation by record time needs each row's time.
    """

    def __init__(self, decoder: Decoder, partitioner: Partitioner, *, with_times: bool) -> None:
        self._decoder = decoder
        self._partitioner = partitioner
        self._with_times = with_times
        self._schemas: dict[bytes, str] = {}

    def sort(self, raw: RawSlice, *, now_ms: int) -> tuple[Polled, tuple[BadRecord, ...]]:
        """The slice as the machine wants it, and the records that could not be decoded.

        Raises:
            TransientError: A Schema Registry can't be asked now.
            DecodeError: A bad record, and none is tolerated.
            TerminalError: A record lacks what its path needs.
        """
        parts = [self._decoder.decode(part) for part in self._decoder.parts(raw)]
        runs = tuple(run for decoded in parts if decoded.rows.num_rows for run in self._runs(decoded, now_ms))
        bad = [record for decoded in parts for record in decoded.bad]
        if len(parts) > 1:
            bad.sort(key=attrgetter("offset"))
        return Polled(raw.topic_partition, raw.start, raw.next_offset, runs), tuple(bad)

    def _runs(self, decoded: DecodedSlice, now_ms: int) -> Iterator[LaneRun]:
        offsets = decoded.offsets.to_numpy(zero_copy_only=False)
        times_ms = decoded.timestamps.fill_null(NO_TIME_MS).to_numpy(zero_copy_only=False)
        schema = self._schema_name(decoded.rows.schema)
        lanes, codes = self._lanes(decoded, self._partitioner.encode(decoded, now_ms=now_ms))
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
