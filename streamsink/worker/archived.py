"""Finds what an archive holds of partitions from an offset on, in a separate process and within a bound."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from streamsink.config.reading.connector import parse_sink
from streamsink.config.reading.layout import layout_fingerprint
from streamsink.names import TopicPartition
from streamsink.observe.snapshot import TaskSnapshot
from streamsink.worker.child import TaskSpec
from streamsink.worker.connectivity import end_of_check
from streamsink.worker.process import TaskProcess

TELL_S = 15.0
"""How long the store has to tell."""

PARTITIONS_TOLD_MAX = 20
"""Of more partitions than this no more is told."""

RANGES_TOLD_MAX = 3

Wanted = Sequence[tuple[str, int, int]]
"""Topics, partitions and offsets."""


def tell_archived(config: Mapping[str, str], worker: Mapping[str, str], wanted: Wanted) -> str:
    """Say in a sentence what is archived already of partitions, from given offsets on. It goes behind an answer.

    Args:
        config: The connector's flat map, secrets as references.
        worker: The worker's.
        wanted: Where its group was set to.

    Returns:
        Nothing where nothing is archived.
    """
    run = partial(_tell, tuple(wanted[:PARTITIONS_TOLD_MAX]))
    process = TaskProcess(TaskSpec("offsets", 0, dict(config), dict(worker), run))
    try:
        end, told = end_of_check(process, time.monotonic() + TELL_S)
    finally:
        process.kill()
        process.reap()
    if end.error_class:
        return f". What of this is archived already could not be found out: {end.message}"
    left = len(wanted) - PARTITIONS_TOLD_MAX
    more = f"; {left} more partitions were not looked at" if left > 0 else ""
    return f". Archived already from there on, and not stored again: {told}{more}" if told else ""


def _tell(wanted: Wanted, spec: TaskSpec, _stop: threading.Event, report: Callable[[TaskSnapshot], None]) -> None:
    from streamsink.sink.core.stored_ranges import Ranges  # noqa: PLC0415 (heavy; needed in its own process only)
    from streamsink.sink.look import Look  # noqa: PLC0415
    from streamsink.upload.open import open_store  # noqa: PLC0415

    config, _ = parse_sink(spec.config, spec.worker)
    store = open_store(config.archive_url, config.archive_options)
    told: list[str] = []
    try:
        look = Look(store, config.naming, layout_fingerprint(config), routed=bool(config.transforms))
        for topic, number, offset in wanted:
            objects = list(look.objects(TopicPartition(topic, number), offset))
            ranges = Ranges.of((max(offset, one.first_offset), one.last_offset) for one in objects)
            if objects:
                told.append(f"{topic}-{number}: {_words(ranges.firsts.tolist(), ranges.lasts.tolist())}")
    finally:
        store.close()
    report(TaskSnapshot(warning="; ".join(told)))


def _words(firsts: list[int], lasts: list[int]) -> str:
    pairs = [f"{first} to {last}" for first, last in zip(firsts, lasts, strict=True)]
    if len(pairs) > RANGES_TOLD_MAX:
        return f"{', '.join(pairs[:RANGES_TOLD_MAX])} and {len(pairs) - RANGES_TOLD_MAX} more ranges up to {lasts[-1]}"
    return ", ".join(pairs)
