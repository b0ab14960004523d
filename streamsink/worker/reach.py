"""Tries whether a configuration's store and brokers can be reached, in a process of its own, within a bound."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from streamsink.config.connector import parse_sink
from streamsink.errors import ObjectMissingError, Problem, StreamsinkError, TransientError
from streamsink.observe.snapshot import TaskSnapshot
from streamsink.worker.child import Order, TaskEnd, TaskSpec
from streamsink.worker.offsets import REACHING
from streamsink.worker.process import TaskProcess

CHECK_S = 10.0
"""How long store and brokers have to answer, both at once."""

ASK_S = 8.0
CHECKS_MAX = 4

_SLOTS = threading.BoundedSemaphore(CHECKS_MAX)
"""Each check is a process: more of them at once than this wait, or are left out."""

_ABSENT = "_streamsink/probe/is-anybody-there"


def check_reach(config: Mapping[str, str], worker: Mapping[str, str]) -> list[Problem]:
    """What is wrong with reaching the store and the brokers of a usable configuration.

    Args:
        config: The connector's flat map, secrets as references.
        worker: The worker's.
    """
    deadline = time.monotonic() + CHECK_S
    if not _SLOTS.acquire(timeout=CHECK_S / 2):
        return []
    processes: list[tuple[str, str, TaskProcess]] = []
    try:
        for key, what, run in (
            (_store_key(config), "the store", reach_store),
            (_topics_key(config), "the brokers", reach_brokers),
        ):
            processes.append((key, what, TaskProcess(TaskSpec("validate", 0, dict(config), dict(worker), run))))
        ends = [(key, what, _end(process, deadline)) for key, what, process in processes]
    except (OSError, EOFError):
        ends = []
    finally:
        for _, _, process in processes:
            process.kill()
            process.reap()
        _SLOTS.release()
    return [Problem(key, f"{what} can't be used: {_words(end)}") for key, what, end in ends if end.error_class]


def reach_store(spec: TaskSpec, _stop: threading.Event, _report: Callable[[TaskSnapshot], None]) -> None:
    """Ask the store about an object that does not exist: that takes the credentials and the bucket."""
    from streamsink.upload.open import open_store  # noqa: PLC0415 (heavy; needed in a process of its own only)

    config, _ = parse_sink(spec.config, spec.worker)
    store = open_store(config.archive_url, config.archive_options)
    try:
        store.head(_ABSENT)
    except ObjectMissingError:
        pass
    finally:
        store.close()


def reach_brokers(spec: TaskSpec, _stop: threading.Event, _report: Callable[[TaskSnapshot], None]) -> None:
    """Ask the brokers, as the connector's consumer would, which topics there are."""
    from confluent_kafka import KafkaException  # noqa: PLC0415 (heavy)
    from confluent_kafka.admin import AdminClient  # noqa: PLC0415

    config, _ = parse_sink(spec.config, spec.worker)
    properties = {key: value for key, value in config.consumer.items() if key.startswith(REACHING)}
    try:
        topics = AdminClient({**properties, "log_level": "0"}).list_topics(timeout=ASK_S).topics
    except KafkaException as error:
        raise TransientError(f"{error.args[0].str()}", hint="see bootstrap.servers and how to log in") from None
    missing = [topic for topic in config.topics if topic not in topics]
    if missing:
        raise TransientError(f"there is no topic {', '.join(missing)}", hint="make it, or correct topics")


def _end(process: TaskProcess, deadline: float) -> TaskEnd:
    """How a check ended; what takes too long has not been reached."""
    silent = StreamsinkError(f"it did not answer within {CHECK_S:.0f} s")
    try:
        while process.connection.poll(max(0.0, deadline - time.monotonic())):
            message = process.connection.recv()
            if isinstance(message, TaskEnd):
                process.order(Order.STOP)
                return message
    except (EOFError, OSError):
        silent = StreamsinkError("its check ended without a word")
    return TaskEnd("Unreached", silent.message, "", silent.message)


def _words(end: TaskEnd) -> str:
    return f"{end.message} ({end.hint})" if end.hint else end.message


def _store_key(config: Mapping[str, str]) -> str:
    names = ("archive.url", "s3.bucket.name", "gcs.bucket.name", "azblob.container.name", "aws.s3.bucket.name")
    return next((name for name in names if config.get(name)), "archive.url")


def _topics_key(config: Mapping[str, str]) -> str:
    return "topics" if config.get("topics", "").strip() else "topics.regex"
