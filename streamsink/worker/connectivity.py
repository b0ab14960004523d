"""Tries to reach a configuration's store and brokers, in a separate process and within a bound."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from streamsink.config.reading.connector import parse_sink
from streamsink.config.sink import ExactlyOnce, SinkConfig
from streamsink.errors import ObjectMissingError, Problem, StreamsinkError, TerminalError, TransientError
from streamsink.observe.snapshot import TaskSnapshot
from streamsink.worker.child import Order, RunTask, TaskEnd, TaskSpec
from streamsink.worker.first_look import unreached
from streamsink.worker.offsets import REACHING
from streamsink.worker.process import TaskProcess

if TYPE_CHECKING:
    from streamsink.upload.protocol import Store

CHECK_S = 10.0
"""How long store and brokers have to answer, both at once."""

ASK_S = 8.0
CHECKS_MAX = 4
OWNERS_ASKED_MAX = 50
"""Of so many topics a check asks who owns them; the task asks for all."""

NAME_OF_NO_CONNECTOR = "__name_of_no_connector__"
"""Stands for the name that a configuration doesn't have yet."""

_SLOTS = threading.BoundedSemaphore(CHECKS_MAX)
"""Each check is a process: more of them at once than this wait, or are left out."""

_ABSENT = "_streamsink/probe/is-anybody-there"


@dataclass(frozen=True, slots=True)
class Reach:
    """The problems of reaching store and brokers, and warnings where they are reached."""

    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()


def check_reach(config: Mapping[str, str], worker: Mapping[str, str]) -> Reach:
    """Try the store and the brokers of a usable configuration.

    Args:
        config: The connector's flat map, secrets as references.
        worker: The worker's.

    Returns:
        Problems and warnings by key. Both are empty where everything answers, or where the check itself can't run.
    """
    deadline = time.monotonic() + CHECK_S
    if not _SLOTS.acquire(timeout=CHECK_S / 2):
        return Reach()
    processes: list[tuple[str, str, TaskProcess]] = []
    try:
        checks: list[tuple[str, str, RunTask]] = [
            (_store_key(config), "the store", reach_store),
            (_topics_key(config), "the brokers", reach_brokers),
        ]
        if config.get("consumer.native", "").strip().lower() == "true":
            checks.append(("consumer.native", "the native client", reach_native))
        for key, what, run in checks:
            processes.append((key, what, TaskProcess(TaskSpec("validate", 0, dict(config), dict(worker), run))))
        ends = [(key, what, end_of_check(process, deadline)) for key, what, process in processes]
    except (OSError, EOFError):
        ends = []
    finally:
        for _, _, process in processes:
            process.kill()
            process.reap()
        _SLOTS.release()
    return Reach(
        tuple(Problem(key, f"{what} can't be used: {_words(end)}") for key, what, (end, _) in ends if end.error_class),
        tuple(warning for _, _, (_, warning) in ends if warning),
    )


def reach_store(spec: TaskSpec, _stop: threading.Event, report: Callable[[TaskSnapshot], None]) -> None:
    """Ask the store about an object that does not exist, which takes credentials and bucket. Then ask about owners.

    Args:
        spec: The connector, secrets resolved.
        report: Told a warning where another group owns a topic.

    Raises:
        TransientError: It doesn't answer.
        TerminalError: It refuses, or another group owns a topic and the configuration requires exactly once.
    """
    from streamsink.upload.open import open_store  # noqa: PLC0415 (heavy; needed in its own process only)

    config, _ = parse_sink(spec.config, spec.worker)
    store = open_store(config.archive_url, config.archive_options)
    try:
        with suppress(ObjectMissingError):
            store.head(_ABSENT)
        if config.name != NAME_OF_NO_CONNECTOR and (said := owned_by_others(config, store)):
            if config.exactly_once is ExactlyOnce.REQUIRED:
                raise TerminalError(said)
            report(TaskSnapshot(warning=f"{said}: records may be stored twice"))
    finally:
        store.close()


def owned_by_others(config: SinkConfig, store: Store) -> str:
    """Say which topics another consumer group archives at the same place; "" where there are none.

    Args:
        config: Its topics are looked at; with `topics.regex` all matching topics that have an owner.
        store: The archive's.

    Raises:
        TransientError: The store doesn't answer.
        TerminalError: It refuses.
    """
    from streamsink.upload.owner import Owners, how_to_release, of_another  # noqa: PLC0415 (heavy)

    topics_dir, group = config.naming.topics_dir, config.consumer["group.id"]
    owners = Owners(store, topics_dir)
    topics: Iterable[str] = config.topics
    if config.topics_regex:
        pattern = re.compile(config.topics_regex)
        topics = [topic for topic in owners.topics() if pattern.fullmatch(topic)]
    for topic in islice(topics, OWNERS_ASKED_MAX):
        found = owners.newest(topic)
        if found is not None and not found.owner.released and found.owner.group != group:
            return f"{of_another(topic, found.owner, group)} ({how_to_release(store.url, topics_dir, topic)})"
    return ""


def reach_brokers(spec: TaskSpec, _stop: threading.Event, _report: Callable[[TaskSnapshot], None]) -> None:
    """Ask the brokers, as the connector's consumer would, which topics there are.

    Args:
        spec: The connector, secrets resolved.

    Raises:
        TransientError: They don't answer within `ASK_S`, or a topic is missing.
    """
    from confluent_kafka import KafkaException  # noqa: PLC0415 (heavy)
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415

    from streamsink.consume.clients import make_client  # noqa: PLC0415

    config, _ = parse_sink(spec.config, spec.worker)
    properties = {key: value for key, value in config.consumer.items() if key.startswith(REACHING)}
    # A client would take its whole time to say less.
    reasons = unreached(properties.get("bootstrap.servers", ""))
    if reasons:
        hint = "is Kafka running, and bootstrap.servers right?"
        raise TransientError(f"no broker can be reached: {reasons}", hint=hint)
    try:
        topics = make_client(AdminClient, {**properties, "log_level": "0"}).list_topics(timeout=ASK_S).topics
    except KafkaException as error:
        raise TransientError(
            error.args[0].str(), hint="see how to log in: security.protocol, sasl.* and ssl.*"
        ) from None
    missing = [topic for topic in config.topics if topic not in topics]
    if missing:
        raise TransientError(f"there is no topic {', '.join(missing)}", hint="make it, or correct topics")


def reach_native(_spec: TaskSpec, _stop: threading.Event, _report: Callable[[TaskSnapshot], None]) -> None:
    """Open the libraries that `consumer.native` takes.

    Raises:
        TerminalError: One is missing, or can't be used.
    """
    from streamsink.consume.native.library import open_libraries  # noqa: PLC0415 (heavy)

    open_libraries()


def end_of_check(process: TaskProcess, deadline: float) -> tuple[TaskEnd, str]:
    """Wait for a check's end. A check that takes too long has not been reached.

    Args:
        process: A short one, which reports at most one snapshot.
        deadline: Monotonic time in seconds.

    Returns:
        The end, and its warning, "" for none.
    """
    warning = ""
    silent = StreamsinkError("it did not answer in time")
    try:
        while process.connection.poll(max(0.0, deadline - time.monotonic())):
            message = process.connection.recv()
            if isinstance(message, TaskEnd):
                process.order(Order.STOP)
                return message, warning
            if isinstance(message, TaskSnapshot):
                warning = message.warning
    except (EOFError, OSError):
        silent = StreamsinkError("its check ended without a word")
    return TaskEnd("Unreached", silent.message, "", silent.message), warning


def _words(end: TaskEnd) -> str:
    return f"{end.message} ({end.hint})" if end.hint else end.message


def _store_key(config: Mapping[str, str]) -> str:
    names = ("archive.url", "s3.bucket.name", "gcs.bucket.name", "azblob.container.name", "aws.s3.bucket.name")
    return next((name for name in names if config.get(name)), "archive.url")


def _topics_key(config: Mapping[str, str]) -> str:
    return "topics" if config.get("topics", "").strip() else "topics.regex"
