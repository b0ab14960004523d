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

from streamsink.config.reading.clients import as_member
from streamsink.config.reading.guarantee import guarantee
from streamsink.config.reading.layout import layout_fingerprint
from streamsink.config.sink import ExactlyOnce, ExtractorKind, PartitionerKind, Profile, SinkConfig
from streamsink.consume.kafka import KafkaSliceConsumer
from streamsink.consume.protocol import RebalanceListener
from streamsink.consume.topic_ids import TopicIds
from streamsink.errors import StoreUnsafeError
from streamsink.observe.snapshot import TaskSnapshot
from streamsink.observe.traces import file_traces
from streamsink.partition.partitioner import make_partitioner
from streamsink.sink.admission import AdmittingDecoder
from streamsink.sink.archive_guard import ArchiveGuard
from streamsink.sink.bad_records import BadRecords
from streamsink.sink.column_shelf import StoreColumns
from streamsink.sink.core.machine import SinkMachine
from streamsink.sink.core.settings import MachineSettings
from streamsink.sink.dead_letters.objects import DeadLetterObjects
from streamsink.sink.dead_letters.protocol import AllDeadLetters, DeadLetters
from streamsink.sink.dead_letters.topic import DeadLetterTopic
from streamsink.sink.files import FileOrigin, TaskFiles
from streamsink.sink.lanes import LaneSorter
from streamsink.sink.look import Look
from streamsink.sink.output import make_output
from streamsink.sink.owner_guard import OwnerGuard, Writer
from streamsink.sink.schema_shelf import StoreShelf
from streamsink.sink.siblings import Siblings
from streamsink.sink.tally import Tally
from streamsink.sink.task import Connect, SinkTask
from streamsink.sink.topic_guard import TopicGuard
from streamsink.sink.transforming import with_transforms
from streamsink.sink.uploads import Uploads, upload_threads
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

OF_RESULTS = "At least once: what is stored again after a crash goes under its own name, with the same offset."

log = structlog.get_logger("streamsink.sink")


def run_sink_task(
    config: SinkConfig, *, task_id: int, stop: threading.Event, report: Callable[[TaskSnapshot], None]
) -> None:
    """Run one sink task until `stop` is set and everything it holds is stored and committed.

    Args:
        config: The connector's configuration.
        task_id: The task's number in its connector, from 0.
        stop: Ends the task once it is drained.
        report: Called with the task's state once a second and at its end.

    Raises:
        TransientError: A restart may help.
        TerminalError: It may not.
    """
    tune_process()
    store = open_store(config.archive_url, config.archive_options)
    try:
        task = build_task(config, task_id, store, partial(_connect, config, task_id))
        try:
            task.run(stop, report)
        finally:
            task.close()
    finally:
        store.close()


def _connect(config: SinkConfig, task_id: int, listener: RebalanceListener) -> KafkaSliceConsumer:
    return KafkaSliceConsumer(
        as_member(config.consumer, task_id),
        topics=config.topics,
        topics_regex=config.topics_regex,
        listener=listener,
        poll_records_max=config.poll_records_max,
        native=config.consumer_native,
    )


def tune_process() -> None:
    """Look for garbage seldom, and let freed row groups leave the process, which Arrow's pool and glibc's heap keep."""
    gc.set_threshold(*GC_THRESHOLD)
    pa.set_memory_pool(pa.system_memory_pool())
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BUFFER_BYTES)


def build_task(
    config: SinkConfig,
    task_id: int,
    store: Store,
    connect: Connect,
    *,
    results: bool = False,
    in_kafka: bool = True,
) -> SinkTask:
    """Join the stages.

    Args:
        config: The task's configuration.
        task_id: Its number.
        store: Where objects go.
        connect: Makes the consumer.
        results: The rows are an app's results, which may differ when the app makes them again: no other writer's
            object is ever taken over, and there is no topic of their name to ask Kafka about.
        in_kafka: Whether Kafka has topics of these names, whose ids and policies can be asked for.

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
    format_ = make_output(config)
    siblings = None if config.siblings is None else Siblings(config, format_.extension, StoreShelf(store))
    origin = FileOrigin(
        writer=f"{config.name}-{task_id}-{instance}",
        layout=layout,
        naming=config.naming,
        name_suffix="" if atomic and not results else f"w{instance}",
        siblings="" if siblings is None else siblings.endings,
    )
    tally = Tally(said, file_traces(config.name, task_id))
    deterministic = atomic and not _looks_at_the_clock(config)
    machine = SinkMachine(
        MachineSettings(
            rotation=config.rotation,
            layout=layout,
            layout_strict=config.exactly_once is ExactlyOnce.REQUIRED and deterministic,
            look_before_writing=not results,
            memory_bytes_max=int(config.memory_bytes_max * FILES_SHARE),
            uploads_max=config.upload_threads,
            retry_timeout_s=config.upload_retry_timeout_ms / 1000,
            drain_timeout_s=config.drain_timeout_ms / 1000,
        )
    )
    return SinkTask(
        config,
        connect,
        machine=machine,
        sorter=LaneSorter(
            AdmittingDecoder(
                with_transforms(config, StoreShelf(store), _column_shelf(config, store, results=results)),
                format_,
                tolerant=config.errors.tolerate_all,
                transformed=bool(config.transforms),
            ),
            make_partitioner(config),
            with_times=config.rotation.interval_ms is not None,
            tolerant=config.errors.tolerate_all,
        ),
        files=TaskFiles(format_, origin, None if siblings is None else siblings.tombstones(config.rotation)),
        uploads=Uploads(
            store,
            upload_threads(config.upload_threads),
            keeps_footer=format_.keeps_footer,
            look=Look(
                store,
                config.naming,
                layout,
                by_lane=not _looks_at_the_clock(config),
                routed=bool(config.transforms),
                complete=None if siblings is None else siblings.complete,
            ),
            complete=None if siblings is None else siblings.complete,
        ),
        bad_records=BadRecords(config.errors, _dead_letters(config, task_id, origin.writer)),
        tally=tally,
        guard=_guard(config, store, tally, layout, results=results, in_kafka=in_kafka),
    )


def _guard(
    config: SinkConfig, store: Store, tally: Tally, layout: str, *, results: bool, in_kafka: bool
) -> ArchiveGuard:
    """Results need no owner: each object has a name that no other writer gives, and an app can't wait for the store."""
    topics_dir = config.naming.topics_dir
    if results:
        return ArchiveGuard(TopicGuard(store, topics_dir, no_ids, none_compacted), None, layout)
    writer = Writer(config.consumer["group.id"], layout, config.exactly_once is ExactlyOnce.REQUIRED)
    if in_kafka:
        kafka = TopicIds(config.consumer)
        topics = TopicGuard(store, topics_dir, kafka, kafka.compacted)
    else:
        topics = TopicGuard(store, topics_dir, no_ids, none_compacted)
    return ArchiveGuard(
        topics,
        OwnerGuard(store, topics_dir, writer, tally.warned),
        layout,
    )


def _column_shelf(config: SinkConfig, store: Store, *, results: bool) -> StoreColumns | None:
    """Where the archive keeps column sets; None where another product's objects are written, or an app's results.

    A slice waits for its column set by being read again, which an app's results can't be.
    """
    return None if results or config.profile is not Profile.NATIVE else StoreColumns(store, config.naming.topics_dir)


def none_compacted(topics: Iterable[str]) -> Mapping[str, bool]:
    """Topics that Kafka doesn't have lose no records."""
    return dict.fromkeys(topics, False)


def no_ids(_topics: Iterable[str]) -> Mapping[str, str]:
    """Ids of topics that Kafka doesn't have: none."""
    return {}


def _looks_at_the_clock(config: SinkConfig) -> bool:
    untimed = {PartitionerKind.DEFAULT, PartitionerKind.FIELD, PartitionerKind.PLUGIN}
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
