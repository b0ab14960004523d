"""Builds a sink task from its configuration: the only place where the stages are chosen and joined."""

from __future__ import annotations

import ctypes
import gc
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from functools import partial

import pyarrow as pa
import structlog

from streamsink.config.clients import as_member
from streamsink.config.guarantee import guarantee
from streamsink.config.layout import layout_fingerprint
from streamsink.config.sink import ExactlyOnce, ExtractorKind, PartitionerKind, SinkConfig
from streamsink.consume.kafka import KafkaSliceConsumer
from streamsink.consume.topic_ids import ask_topic_ids
from streamsink.encode.formats import make_format
from streamsink.errors import StoreUnsafeError
from streamsink.observe.snapshot import TaskSnapshot
from streamsink.observe.traces import file_traces
from streamsink.partition.partitioner import make_partitioner
from streamsink.sink.bad_records import BadRecords
from streamsink.sink.dead_letter import DeadLetterTopic
from streamsink.sink.dead_letter_objects import DeadLetterObjects
from streamsink.sink.dead_letters import AllDeadLetters, DeadLetters
from streamsink.sink.files import FileOrigin, TaskFiles
from streamsink.sink.lanes import LaneSorter
from streamsink.sink.machine import MachineSettings, SinkMachine
from streamsink.sink.schema_shelf import StoreShelf
from streamsink.sink.tally import Tally
from streamsink.sink.task import SinkTask
from streamsink.sink.topic_guard import TopicGuard
from streamsink.sink.transforming import with_transforms
from streamsink.sink.uploads import Uploads
from streamsink.upload.open import open_store
from streamsink.upload.probe import probe_create
from streamsink.upload.protocol import Store

FILES_SHARE = 0.3
"""Of `memory.bytes.max`, what files may take; the rest is the process itself, the fetch queue and rows in work."""

GC_THRESHOLD = (200_000, 20, 100)
"""Messages live for one poll and hold no cycles; looking for some among them took a third of the task's time."""

M_MMAP_THRESHOLD = -3
LARGE_BUFFER_BYTES = 2 * 1024 * 1024
"""glibc's mallopt(3): buffers from this size on are given back to the system when freed."""

OF_RESULTS = "At least once: what is stored again after a crash goes under a name of its own, with the same offset."

log = structlog.get_logger("streamsink.sink")


def run_sink_task(
    config: SinkConfig, *, task_id: int, stop: threading.Event, report: Callable[[TaskSnapshot], None]
) -> None:
    """Run one sink task until `stop` is set and everything it holds is stored and committed.

    Raises:
        TransientError: A restart may help.
        TerminalError: It may not.
    """
    tune_process()
    store = open_store(config.archive_url, config.archive_options)
    try:
        task = build_task(config, task_id, store)
        consumer = KafkaSliceConsumer(
            as_member(config.consumer, task_id),
            topics=config.topics,
            topics_regex=config.topics_regex,
            listener=task,
            poll_records_max=config.poll_records_max,
        )
        task.consumer = consumer
        try:
            task.run(stop, report)
        finally:
            consumer.close()
            task.close()
    finally:
        store.close()


def tune_process() -> None:
    """Look for garbage seldom, and let freed row groups leave the process, which Arrow's pool and glibc's heap keep."""
    gc.set_threshold(*GC_THRESHOLD)
    pa.set_memory_pool(pa.system_memory_pool())
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BUFFER_BYTES)


def build_task(config: SinkConfig, task_id: int, store: Store, *, results: bool = False) -> SinkTask:
    """Join the stages; the consumer is set afterwards, since it needs the task to listen.

    Args:
        config: The task's configuration.
        task_id: Its number.
        store: Where objects go.
        results: The rows are what an app made of a topic, perhaps otherwise when it makes them again: no other writer's
            object is ever taken over, and there is no topic of their name to ask Kafka about.

    Raises:
        StoreUnsafeError: The store doesn't create atomically and `exactly.once=required`.
    """
    atomic = probe_create(store)
    if not atomic and config.exactly_once is ExactlyOnce.REQUIRED:
        raise StoreUnsafeError(
            f"{store.url} does not create atomically: a second create of one name succeeded",
            hint="use a store that honours If-None-Match, or set exactly.once=preferred to store at least once",
        )
    said = OF_RESULTS if results else guarantee(config, atomic_create=atomic)
    log.info("task starts", store=store.url, guarantee=said)
    layout = layout_fingerprint(config)
    instance = uuid.uuid4().hex[:12]
    origin = FileOrigin(
        writer=f"{config.name}-{task_id}-{instance}",
        layout=layout,
        naming=config.naming,
        name_suffix="" if atomic and not results else f"w{instance}",
    )
    format_ = make_format(config.encoding, config.rotation)
    deterministic = atomic and not _looks_at_the_clock(config)
    machine = SinkMachine(
        MachineSettings(
            rotation=config.rotation,
            layout=layout,
            layout_strict=config.exactly_once is ExactlyOnce.REQUIRED and deterministic,
            memory_bytes_max=int(config.memory_bytes_max * FILES_SHARE),
            uploads_max=config.upload_threads,
            retry_timeout_s=config.upload_retry_timeout_ms / 1000,
            drain_timeout_s=config.drain_timeout_ms / 1000,
        )
    )
    return SinkTask(
        config,
        machine=machine,
        sorter=LaneSorter(
            with_transforms(config, StoreShelf(store)),
            make_partitioner(config),
            with_times=config.rotation.interval_ms is not None,
        ),
        files=TaskFiles(format_, origin),
        uploads=Uploads(store, config.upload_threads, keeps_footer=format_.keeps_footer),
        bad_records=BadRecords(config.errors, _dead_letters(config, task_id, origin.writer)),
        tally=Tally(said, file_traces(config.name, task_id)),
        guard=TopicGuard(
            store, config.naming.topics_dir, no_ids if results else partial(ask_topic_ids, config.consumer)
        ),
    )


def no_ids(_topics: Iterable[str]) -> Mapping[str, str]:
    """Ids of topics that Kafka doesn't have: none."""
    return {}


def _looks_at_the_clock(config: SinkConfig) -> bool:
    untimed = {PartitionerKind.DEFAULT, PartitionerKind.FIELD, PartitionerKind.USERS}
    timed = config.partitioning.kind not in untimed
    return timed and config.partitioning.extractor is ExtractorKind.WALLCLOCK


def _dead_letters(config: SinkConfig, task_id: int, writer: str) -> DeadLetters | None:
    errors = config.errors
    places: list[DeadLetters] = []
    if errors.dead_letter_topic:
        topic = DeadLetterTopic(
            config.producer,
            errors.dead_letter_topic,
            with_headers=errors.dead_letter_headers,
            connector=config.name,
            task_id=task_id,
            replication_factor=errors.dead_letter_replication_factor,
        )
        places.append(topic)
    if errors.dead_letter_url:
        store = open_store(errors.dead_letter_url, errors.dead_letter_options)
        places.append(DeadLetterObjects(store, connector=config.name, task_id=task_id, writer=writer))
    return AllDeadLetters(places) if places else None
