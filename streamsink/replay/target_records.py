"""Measures the records to be sent, for the target's settings to be held against. Sends nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from streamsink.replay.plan import ReplayPlan, Selection
from streamsink.replay.stream import PartitionStream
from streamsink.replay.target_settings import RecordFacts, UnfitSetting

LIMIT_BYTES_USUAL = 1_048_588
"""The brokers' own `max.message.bytes`. Records are only measured beforehand where a topic takes less."""
RECORD_BYTES = 100
"""What a batch of one record adds to key and value, at most, but for headers."""


def facts_of(plan: ReplayPlan, selection: Selection) -> RecordFacts:
    """Gather what is known of the objects' records, without reading one.

    Args:
        plan: The objects to replay.
        selection: Which records. Its window of time narrows the range.

    Returns:
        Oldest and newest time in milliseconds, None where no object tells, and the bytes of the largest partition's
        objects.
    """
    found = [one.candidate.about for partition in plan.partitions for one in partition.objects]
    least = [about.timestamp_min_ms for about in found if about and about.timestamp_min_ms is not None]
    most = [about.timestamp_max_ms for about in found if about and about.timestamp_max_ms is not None]
    oldest_ms, newest_ms = min(least, default=None), max(most, default=None)
    if oldest_ms is not None and selection.from_ms is not None:
        oldest_ms = max(oldest_ms, selection.from_ms)
    if newest_ms is not None and selection.until_ms is not None:
        newest_ms = min(newest_ms, selection.until_ms - 1)
    sizes = [sum(one.candidate.size_bytes for one in partition.objects) for partition in plan.partitions]
    return RecordFacts(oldest_ms, newest_ms, max(sizes, default=0))


def needs_look(settings: Mapping[str, str]) -> bool:
    """Whether only the records themselves tell that a topic takes them: they are read twice then."""
    return "compact" in settings.get("cleanup.policy", "") or _limit_bytes(settings) < LIMIT_BYTES_USUAL


def look_at_records(streams: Iterable[PartitionStream], settings: Mapping[str, str]) -> list[UnfitSetting]:
    """Read all records, and find records that the topic would refuse: without a key, or too large.

    Args:
        streams: One for each source partition.
        settings: The topic's settings by name.

    Returns:
        The settings that refuse a record, each with one that doesn't.

    Raises:
        TransientError: The store can't be read now.
        TerminalError: Records can't be read.
    """
    keyless, largest_bytes = 0, 0
    for stream in streams:
        for batch in stream.batches():
            keyless += batch.records.column("key").null_count
            largest_bytes = max(largest_bytes, _largest_bytes(batch.records))
    found: list[UnfitSetting] = []
    policy = settings.get("cleanup.policy", "")
    if keyless and "compact" in policy:
        reason = f"{keyless:,} records have no key, and the broker refuses such records"
        found.append(UnfitSetting("cleanup.policy", policy, "delete", reason))
    limit_bytes = _limit_bytes(settings)
    if largest_bytes > limit_bytes:
        reason = f"the largest record has {largest_bytes:,} bytes, and the broker refuses larger batches"
        found.append(UnfitSetting("max.message.bytes", str(limit_bytes), str(2 * largest_bytes), reason))
    return found


def _largest_bytes(records: pa.RecordBatch) -> int:
    if not records.num_rows:
        return 0
    sizes = [pc.binary_length(records.column(name)).fill_null(0) for name in ("key", "value")]
    return int(pc.max(pc.add(*sizes)).as_py()) + RECORD_BYTES


def _limit_bytes(settings: Mapping[str, str]) -> int:
    text = settings.get("max.message.bytes", "")
    return int(text) if text.isdecimal() else LIMIT_BYTES_USUAL
