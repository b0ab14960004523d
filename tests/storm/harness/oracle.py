"""Compares objects with the topic, record for record. Reads objects with pyarrow and fastavro, not with our code."""

import io
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import fastavro
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SHOWN_MAX = 12
HEADERS = pa.list_(pa.struct([pa.field("key", pa.string()), pa.field("value", pa.binary())]))
SCHEMA = pa.schema(
    [
        pa.field("offset", pa.int64()),
        pa.field("ms", pa.int64()),
        pa.field("kind", pa.int8()),
        pa.field("key", pa.binary()),
        pa.field("value", pa.binary()),
        pa.field("headers", HEADERS),
    ]
)
"""A record as both sides know it."""

Place = tuple[str, int]
"""A topic and a partition."""
_NAME = re.compile(r".*/(?P<topic>[^/+]+)\+(?P<partition>\d+)\+(?P<start>\d+)\.(\w+\.)?(parquet|avro)$")


@dataclass(frozen=True, slots=True)
class Truth:
    """What a `read_committed` reader saw of a partition, and which offsets of it must be stored.

    Records that compaction or retention took away may be stored, and must be right if they are.
    """

    seen: pa.Table
    required: np.ndarray


@dataclass(slots=True)
class Verdict:
    """What a comparison found, with offsets by place."""

    when: str
    records: int = 0
    lost: dict[Place, list[int]] = field(default_factory=dict)
    doubled: dict[Place, list[int]] = field(default_factory=dict)
    differing: dict[Place, list[int]] = field(default_factory=dict)
    beyond: dict[Place, list[int]] = field(default_factory=dict)
    examples: list[str] = field(default_factory=list)
    """Of each partition where some differ, one record."""

    @property
    def counts(self) -> dict[str, int]:
        """How many of each."""
        found = {name: sum(map(len, getattr(self, name).values())) for name in _WRONG}
        return {**found, "records": self.records}

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not any(getattr(self, name) for name in _WRONG)

    def lines(self) -> list[str]:
        """What is wrong, in words."""
        return [
            f"{self.when}: {name} in {topic}-{partition}: {len(offsets)} records, {_ranges(offsets)}"
            for name in _WRONG
            for (topic, partition), offsets in sorted(getattr(self, name).items())
        ] + self.examples[:3]


_WRONG = ("lost", "doubled", "differing", "beyond")


def compare(
    when: str,
    truths: Mapping[Place, Truth],
    stored: Mapping[Place, pa.Table],
    *,
    below: Mapping[Place, int] | None = None,
) -> Verdict:
    """Hold objects against topics.

    Args:
        when: What the verdict is called.
        truths: By partition.
        stored: All rows of all objects, by partition.
        below: Where only records below an offset must be stored, since the rest is on its way.
    """
    verdict = Verdict(when)
    for place in sorted({*truths, *stored}):
        truth = truths.get(place, Truth(SCHEMA.empty_table(), np.empty(0, np.int64)))
        rows = stored.get(place, SCHEMA.empty_table()).sort_by("offset")
        offsets = rows.column("offset").to_numpy()
        found, first = np.unique(offsets, return_index=True)
        seen = truth.seen.column("offset").to_numpy()
        required = truth.required if below is None else truth.required[truth.required < below.get(place, 0)]
        verdict.records += len(found) if below is None else 0
        _note(verdict.lost, place, np.setdiff1d(required, found))
        _note(verdict.beyond, place, np.setdiff1d(found, seen))
        _note(verdict.doubled, place, np.setdiff1d(np.arange(len(offsets)), first), offsets)
        both = np.intersect1d(found, seen)
        ours = rows.take(first[np.isin(found, both)])
        theirs = truth.seen.take(np.flatnonzero(np.isin(seen, both)))
        pairs = _differing(ours, theirs)
        _note(verdict.differing, place, np.array([mine["offset"] for mine, _ in pairs]))
        verdict.examples += [f"{place}: stored {mine}, the topic has {other}" for mine, other in pairs[:1]]
    return verdict


def _note(where: dict[Place, list[int]], place: Place, offsets: np.ndarray, through: np.ndarray | None = None) -> None:
    if len(offsets):
        where[place] = (offsets if through is None else through[offsets]).tolist()


def _differing(ours: pa.Table, theirs: pa.Table) -> list[tuple[dict, dict]]:
    ours, theirs = ours.combine_chunks(), theirs.combine_chunks()
    if ours.equals(theirs):
        return []
    pairs = zip(ours.to_pylist(), theirs.to_pylist(), strict=True)
    return [(mine, other) for mine, other in pairs if mine != other]


def _ranges(offsets: list[int]) -> str:
    """Runs of offsets, the first few of them."""
    runs: list[list[int]] = []
    for offset in offsets:
        if runs and offset == runs[-1][1] + 1:
            runs[-1][1] = offset
        else:
            runs.append([offset, offset])
    shown = ", ".join(f"{first}-{last}" if first != last else str(first) for first, last in runs[:SHOWN_MAX])
    return shown + (" ..." if len(runs) > SHOWN_MAX else "")


def rows_of(objects: Iterable[tuple[str, bytes]]) -> dict[Place, pa.Table]:
    """All records of all objects, by topic and partition; names that are no data objects are left out."""
    found: dict[Place, list[pa.Table]] = defaultdict(list)
    for name, data in objects:
        match = _NAME.match(name)
        if match is None:
            continue
        table = _parquet(data) if name.endswith(".parquet") else _avro(data)
        partitions = set(table.column("partition").to_pylist())
        assert partitions == {int(match["partition"])}, f"{name} holds records of partitions {partitions}"
        assert table.column("offset")[0].as_py() == int(match["start"]), f"{name} does not begin where its name says"
        found[match["topic"], int(match["partition"])].append(table.select(SCHEMA.names))
    return {place: pa.concat_tables(tables) for place, tables in found.items()}


def _parquet(data: bytes) -> pa.Table:
    table = pq.read_table(io.BytesIO(data), partitioning=None)
    about = table.column("_kafka").combine_chunks()
    field = dict(zip([each.name for each in about.type], about.flatten(), strict=True))
    value = field["value"] if "value" in field else table.column("value").combine_chunks()
    columns = [field["offset"], field["timestamp"].cast(pa.int64()), field["timestamp_type"], field["key"], value]
    made = pa.table([*columns, field["headers"].cast(HEADERS)], schema=SCHEMA)
    return made.append_column("partition", field["partition"])


def _avro(data: bytes) -> pa.Table:
    rows = list(_avro_rows(data))
    partitions = pa.array([row.pop("partition") for row in rows], pa.int32())
    return pa.Table.from_pylist(rows, SCHEMA).append_column("partition", partitions)


def _avro_rows(data: bytes) -> Iterator[dict]:
    for row in fastavro.reader(io.BytesIO(data)):
        about = row["_kafka"]
        yield {
            "partition": about["partition"],
            "offset": about["offset"],
            "ms": None if about["timestamp"] is None else round(about["timestamp"].timestamp() * 1000),
            "kind": about["timestamp_type"],
            "key": about["key"],
            "value": about["value"] if "value" in about else row["value"],
            "headers": about["headers"],
        }
