"""A group's client over librdkafka's C API: the form of confluent-kafka's `Consumer`, as far as it is used here.

`read` takes the place of `consume`: messages become Arrow columns in the native library, and no object of Python's.
Calls, callbacks and errors are those of confluent-kafka, so that `KafkaSliceConsumer` can have either. Only what
`rdkafka.h` documents is called, on a handle of our own.
"""

from __future__ import annotations

import ctypes
import logging
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from streamsink.consume.native import library as c
from streamsink.consume.native.batches import BatchReader
from streamsink.consume.native.callbacks import Callbacks, taken_error
from streamsink.consume.native.partitions import error_of, partition_list, told_partitions
from streamsink.consume.reading import Reading

CALLBACKS = ("error_cb", "stats_cb", "on_commit")
_FIRST = "plugin.library.paths"
"""Set before all others, since plugins know further settings."""


@dataclass(frozen=True, slots=True)
class KnownTopics:
    """The topics of a cluster, by name."""

    topics: frozenset[str]


class NativeConsumer:
    """See confluent-kafka's `Consumer`. One thread owns it, but that `close` may run on another one.

    Args:
        config: librdkafka's settings, and the callbacks of `CALLBACKS`.
        logger: Gets librdkafka's log.

    Raises:
        TerminalError: librdkafka or the native library isn't there.
        KafkaException: librdkafka refuses the settings.
    """

    def __init__(self, config: Mapping[str, Any], *, logger: logging.Logger) -> None:
        self._library, native = c.open_libraries()
        self._reader = BatchReader(self._library, native)
        self.listeners: dict[str, Callable[..., None]] = {name: config[name] for name in CALLBACKS if name in config}
        """Who hears what: `CALLBACKS`, and those of the subscription."""
        self._callbacks = Callbacks(self._library, logger)
        self._callbacks.listen(self)
        self._handle: int | None = self._new(config)
        self._library.set_log_queue(self._handle, None)
        self._library.poll_set_consumer(self._handle)
        self._queue: int = self._library.queue_get_consumer(self._handle)
        self._abandoned = weakref.finalize(self, _abandon, self._library, self._handle, self._queue, self._callbacks)
        self._abandoned.atexit = False

    def _new(self, config: Mapping[str, Any]) -> int:
        conf = self._library.conf_new()
        text = ctypes.create_string_buffer(c.TEXT_BYTES)
        handle: int | None = None
        try:
            self._configure(conf, config)
            handle = self._library.new(c.CONSUMER, conf, text, len(text))
        finally:
            # A client that was made has taken it over.
            if not handle:
                self._library.conf_destroy(conf)
        if not handle:
            raise _refused(b"Failed to create consumer: " + text.value)
        return handle

    def _configure(self, conf: int, config: Mapping[str, Any]) -> None:
        text = ctypes.create_string_buffer(c.TEXT_BYTES)
        # The log comes with polling, as all callbacks do.
        settings = {**config, "log.queue": "true"}
        for key in sorted(settings.keys() - CALLBACKS, key=lambda key: key != _FIRST):
            if self._library.conf_set(conf, key.encode(), str(settings[key]).encode(), text, len(text)) != c.CONF_OK:
                raise _refused(text.value)
        self._callbacks.register(conf)

    def read(self, count: int, timeout_s: float) -> Reading:
        """Take messages, as `consume` does, and make runs of them. What a callback raises comes after what was read.

        Args:
            count: How many at most.
            timeout_s: How long to wait for the first one.

        Raises:
            TerminalError: They can't be read.
        """
        self._open()
        self._callbacks.raise_kept()
        reading = self._reader.read(self._queue, count, _milliseconds(timeout_s))
        if not reading:
            self._callbacks.raise_kept()
        return reading

    def poll(self, timeout_s: float) -> None:
        """Run callbacks; a message that comes meanwhile is dropped.

        Args:
            timeout_s: How long to wait.
        """
        message = self._library.consumer_poll(self._open(), _milliseconds(timeout_s))
        if message:
            self._library.message_destroy(message)
        self._callbacks.raise_kept()

    def subscribe(self, topics: list[str], **listeners: Callable[..., None]) -> None:
        """Join the group for these topics.

        Args:
            topics: By name.
            listeners: `on_assign`, `on_revoke` and `on_lost`, called with this client and partitions.

        Raises:
            KafkaException: librdkafka refuses.
        """
        with self._list(TopicPartition(topic) for topic in topics) as wanted:
            self._check(self._library.subscribe(self._open(), wanted), "Failed to set subscription")
        self.listeners.update(listeners)

    def unsubscribe(self) -> None:
        """Leave the group, with the next polls.

        Raises:
            KafkaException: librdkafka refuses.
        """
        self._check(self._library.unsubscribe(self._open()), "Failed to remove subscription")

    def incremental_assign(self, partitions: Iterable[TopicPartition]) -> None:
        """Read further partitions from their offsets on.

        Raises:
            KafkaException: librdkafka refuses.
        """
        self._callbacks.changed = True
        with self._list(partitions) as added:
            self._check_object(self._library.incremental_assign(self._open(), added))

    def incremental_unassign(self, partitions: Iterable[TopicPartition]) -> None:
        """Read partitions no more.

        Raises:
            KafkaException: librdkafka refuses.
        """
        self._callbacks.changed = True
        with self._list(partitions) as gone:
            self._check_object(self._library.incremental_unassign(self._open(), gone))

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """Let partitions rest.

        Raises:
            KafkaException: librdkafka refuses.
        """
        with self._list(partitions) as resting:
            self._check(self._library.pause_partitions(self._open(), resting), "Failed to pause partitions")

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        """Read partitions on.

        Raises:
            KafkaException: librdkafka refuses.
        """
        with self._list(partitions) as read_on:
            self._check(self._library.resume_partitions(self._open(), read_on), "Failed to resume partitions")

    def seek(self, at: TopicPartition) -> None:
        """Read a partition from its offset on.

        Raises:
            KafkaException: It can't be sought in.
        """
        with self._list([at]) as sought:
            self._check_object(self._library.seek_partitions(self._open(), sought, -1))
            self._check(sought.contents.elems[0].err, f"Failed to seek to offset {at.offset}")

    def commit(self, *, offsets: Iterable[TopicPartition], asynchronous: bool) -> None:
        """Send a commit, whose answer `on_commit` hears.

        Args:
            offsets: What to commit, with metadata.
            asynchronous: Always true here.

        Raises:
            KafkaException: It could not be sent.
        """
        with self._list(offsets) as sent:
            self._check(self._library.commit(self._open(), sent, int(asynchronous)), "Commit failed")

    def committed(self, partitions: Iterable[TopicPartition], timeout: float) -> list[TopicPartition]:
        """Ask for the group's commits.

        Args:
            partitions: Whose.
            timeout: In seconds.

        Raises:
            KafkaException: There is no answer.
        """
        with self._list(partitions) as asked:
            code = self._library.committed(self._open(), asked, _milliseconds(timeout))
            self._check(code, "Failed to get committed offsets")
            return told_partitions(self._library, asked)

    def get_watermark_offsets(
        self, at: TopicPartition, *, timeout: float = -1.0, cached: bool = False
    ) -> tuple[int, int]:
        """Look up where a partition begins and ends.

        Args:
            at: The partition.
            timeout: In seconds, for asking.
            cached: Whether not to ask, but to say what was heard last.

        Returns:
            Its first offset, and its end.

        Raises:
            KafkaException: There is no answer.
        """
        low, high = ctypes.c_int64(), ctypes.c_int64()
        asked = (self._open(), at.topic.encode(), at.partition, low, high)
        if cached:
            code = self._library.get_watermark_offsets(*asked)
        else:
            code = self._library.query_watermark_offsets(*asked, _milliseconds(timeout))
        self._check(code, "Failed to get watermark offsets")
        return low.value, high.value

    def list_topics(self, *, timeout: float) -> KnownTopics:
        """The cluster's topics.

        Args:
            timeout: In seconds.

        Raises:
            KafkaException: There is no answer.
        """
        told = ctypes.POINTER(c.CMetadata)()
        self._check(self._library.metadata(self._open(), 1, None, told, _milliseconds(timeout)), "")
        try:
            found = told.contents
            return KnownTopics(frozenset(found.topics[at].topic.decode() for at in range(found.topic_cnt)))
        finally:
            self._library.metadata_destroy(told)

    def close(self) -> None:
        """Leave the group, and end the client; may wait as long as the brokers do."""
        if self._handle is None:
            return
        # From here on the client's end is this call's, also if it never returns.
        self._abandoned.detach()
        self._library.consumer_close(self._handle)
        handle, self._handle = self._handle, None
        self._library.queue_destroy(self._queue)
        self._library.destroy(handle)
        self._callbacks.raise_kept()

    def _open(self) -> int:
        if self._handle is None:
            raise RuntimeError("the consumer is closed")
        return self._handle

    def _list(self, partitions: Iterable[TopicPartition]) -> AbstractContextManager[Any]:
        return partition_list(self._library, partitions)

    def _check(self, code: int, failed: str) -> None:
        if code:
            words = error_of(self._library, code).str()
            raise KafkaException(error_of(self._library, code, f"{failed}: {words}" if failed else words))

    def _check_object(self, error: int | None) -> None:
        if error:
            raise taken_error(self._library, error)


def _refused(why: bytes) -> KafkaException:
    return KafkaException(KafkaError(KafkaError._INVALID_ARG, why.decode(errors="replace")))  # noqa: SLF001


def _milliseconds(seconds: float) -> int:
    return -1 if seconds < 0 else int(seconds * 1000)


def _abandon(library: c.Library, handle: int, queue: int, _callbacks: Callbacks) -> None:
    """End a client that nobody has closed; until then its callbacks are kept alive."""
    library.queue_destroy(queue)
    library.destroy_flags(handle, c.DESTROY_WITHOUT_CLOSE)
