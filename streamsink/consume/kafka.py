"""A group member over confluent-kafka: slices out, commits with metadata in. Knows nothing of files and stores."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
)
from confluent_kafka import TopicPartition as KafkaPartition

from streamsink.consume.commits import Commits, Done
from streamsink.consume.failures import AWAY, explain
from streamsink.consume.protocol import CommittedOffset, PolledEnd, RebalanceListener
from streamsink.consume.quiet import librdkafka_log
from streamsink.consume.settings import consumer_settings, start_at_end
from streamsink.consume.slices import group_messages, raw_slice
from streamsink.consume.statistics import read_statistics
from streamsink.consume.subscription import Subscription
from streamsink.consume.trouble import Trouble
from streamsink.errors import StreamsinkError, TerminalError, TransientError
from streamsink.observe.snapshot import ClientSnapshot
from streamsink.record import RawSlice, TopicPartition

REQUEST_TIMEOUT_S = 15.0
"""For committed offsets and watermarks."""
COMMITTED_TIMEOUT_S = 30.0
"""How long a coordinator may be busy when partitions are assigned, before the group is joined anew."""
CLOSE_TIMEOUT_S = 10.0
"""How long to wait for the broker once everything is revoked."""

_ERROR = Message.error

log = logging.getLogger("streamsink.consume")


class KafkaSliceConsumer:
    """See `SliceConsumer`. One thread owns it; librdkafka's own threads fetch ahead.

    Args:
        properties: librdkafka's, with `bootstrap.servers` and `group.id`.
        topics: What to subscribe to, or empty with `topics_regex`.
        topics_regex: A regular expression over topic names, or "".
        listener: Hears of partitions coming and going.
        poll_records_max: Records one poll gives at most.

    Raises:
        TerminalError: librdkafka refuses the properties, or `topics_regex` can't be read.
    """

    def __init__(
        self,
        properties: Mapping[str, str],
        *,
        topics: Sequence[str],
        topics_regex: str = "",
        listener: RebalanceListener,
        poll_records_max: int = 10_000,
    ) -> None:
        settings, ignored = consumer_settings(properties)
        for key in ignored:
            log.warning("consumer.override.%s is ignored: the sink's promise rests on its own value", key)
        self._at_end = start_at_end(properties)
        self._listener = listener
        self._poll_records_max = poll_records_max
        self._next: dict[TopicPartition, int] = {}
        self._raised: BaseException | None = None
        self._trouble = Trouble()
        self._commits = Commits()
        self._subscription = Subscription(topics, topics_regex)
        self._rejoin = False
        self._closed = False
        self._statistics: ClientSnapshot | None = None
        callbacks = {
            "error_cb": self._trouble.note,
            "stats_cb": self._on_statistics,
            "on_commit": self._on_commit,
        }
        config: dict[str, Any] = {**settings, **callbacks}
        try:
            self._consumer = Consumer(config, logger=librdkafka_log())
        except KafkaException as error:
            raise TerminalError(
                f"the consumer can't be made: {error.args[0].str()}", hint="look at consumer.*"
            ) from error

    def poll(self, *, timeout_s: float) -> tuple[list[RawSlice], list[PolledEnd]]:
        """See `SliceConsumer.poll`.

        What went wrong while consuming is raised by the next call, so that the records that came with it aren't lost.
        """
        if self._raised is not None:
            raised, self._raised = self._raised, None
            raise raised
        self._keep_subscribed()
        try:
            messages = self._consumer.consume(self._poll_records_max, timeout_s)
        except KafkaException as error:
            raise explain(error.args[0], doing="polling") from error
        ends: list[PolledEnd] = []
        records = messages
        if any(map(_ERROR, messages)):
            records = [message for message in messages if message.error() is None]
            self._take_events([message for message in messages if message.error() is not None], ends)
        if messages:
            self._trouble.passed()
        slices = [self._slice(partition, group) for partition, group in group_messages(records).items()]
        ends = [end for end in ends if end.next_offset >= self._next[end.topic_partition]]
        self._next.update((end.topic_partition, end.next_offset) for end in ends)
        if not messages:
            self._trouble.raise_what_lasts(self._consumer)
        return [slice_ for slice_ in slices if slice_ is not None], ends

    def _keep_subscribed(self) -> None:
        if self._rejoin:
            self._rejoin = False
            self._consumer.unsubscribe()
            self._subscription.forget()
        topics = self._subscription.change(self._consumer)
        if topics:
            self._consumer.subscribe(
                topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
            )

    def _slice(self, partition: TopicPartition, messages: list[Message]) -> RawSlice | None:
        start = self._next.get(partition)
        if start is None:
            return None
        first = messages[0].offset() or 0
        slice_ = raw_slice(partition, first if start < 0 else start, messages)
        self._next[partition] = slice_.next_offset
        return slice_

    def _take_events(self, messages: list[Message], ends: list[PolledEnd]) -> None:
        for message in messages:
            try:
                self._event(message, ends)
            except StreamsinkError as error:
                self._raised = self._raised or error

    def _event(self, message: Message, ends: list[PolledEnd]) -> None:
        """What is not a record: the end of a partition, or an error."""
        error = message.error()
        assert error is not None
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        match error.code():
            case KafkaError._PARTITION_EOF:  # noqa: SLF001
                at = TopicPartition(topic or "", partition or 0)
                if at in self._next and offset is not None:
                    ends.append(PolledEnd(at, offset))
            case KafkaError._AUTO_OFFSET_RESET | KafkaError.OFFSET_OUT_OF_RANGE:  # noqa: SLF001
                raise self._overtaken(TopicPartition(topic or "", partition or 0))
            case KafkaError.UNKNOWN_TOPIC_OR_PART | KafkaError._UNKNOWN_TOPIC | KafkaError._UNKNOWN_PARTITION:  # noqa: SLF001
                self._trouble.missing(topic or "?", error, reading_others=bool(self._next))
            case code if code in AWAY:
                self._trouble.note(error)
            case _:
                raise explain(error, doing=f"reading {topic}-{partition}" if topic else "reading")

    def _overtaken(self, partition: TopicPartition) -> StreamsinkError:
        at = self._next.get(partition, -1)
        if at < 0:
            self._rejoin = True
            return TransientError(f"{partition}: its beginning has moved", hint="retention runs; this is tried again")
        try:
            low, high = self._consumer.get_watermark_offsets(
                KafkaPartition(partition.topic, partition.partition), timeout=REQUEST_TIMEOUT_S
            )
        except KafkaException:
            low, high = -1, -1
        lost = f"retention has removed {low - at} records" if 0 <= at < low else "the topic has been made anew"
        return TerminalError(
            f"{partition}: the next offset to archive is {at}, but the broker has {low} to {high}: {lost}",
            hint="to go on without them, stop the connector and set the group's offset to what the broker still has",
        )

    def _on_assign(self, consumer: Consumer, partitions: list[KafkaPartition]) -> None:
        try:
            committed = _committed(consumer, partitions)
            start_offset = OFFSET_END if self._at_end else OFFSET_BEGINNING
            found: dict[TopicPartition, CommittedOffset] = {}
            starts: list[KafkaPartition] = []
            for at in committed:
                partition = TopicPartition(at.topic, at.partition)
                known = at.offset >= 0
                found[partition] = CommittedOffset(at.offset if known else None, at.metadata or "")
                self._next[partition] = at.offset if known else -1
                starts.append(KafkaPartition(at.topic, at.partition, at.offset if known else start_offset))
            consumer.incremental_assign(starts)
            self._listener.assigned(found)
        except KafkaException as error:
            self._raised = explain(error.args[0], doing="taking over partitions")
            self._rejoin = True
        except TransientError as error:
            self._raised = error
            self._rejoin = True
        except Exception as error:  # noqa: BLE001 - librdkafka's callback would swallow it; poll raises it
            self._raised = error

    def _on_revoke(self, consumer: Consumer, partitions: list[KafkaPartition]) -> None:
        self._leave(consumer, partitions, self._listener.revoked)

    def _on_lost(self, consumer: Consumer, partitions: list[KafkaPartition]) -> None:
        self._leave(consumer, partitions, self._listener.lost)

    def _leave(
        self,
        consumer: Consumer,
        partitions: list[KafkaPartition],
        tell: Callable[[Iterable[TopicPartition]], None],
    ) -> None:
        leaving = [TopicPartition(at.topic, at.partition) for at in partitions]
        try:
            tell(leaving)
        except Exception as error:  # noqa: BLE001 - as above
            self._raised = error
        finally:
            for partition in leaving:
                self._next.pop(partition, None)
        try:
            consumer.incremental_unassign(partitions)
        except KafkaException as error:
            log.debug("partitions were gone already: %s", error)

    def commit(self, offsets: Mapping[TopicPartition, CommittedOffset], *, done: Done | None) -> None:
        """See `SliceConsumer.commit`."""
        if done is None:
            self._commits.wait(self._consumer, offsets)
        else:
            self._commits.send(self._consumer, offsets, done)

    def _on_commit(self, error: KafkaError | None, partitions: list[KafkaPartition]) -> None:
        try:
            self._commits.answered(error, partitions)
        except Exception as raised:  # noqa: BLE001 - here it would cost the records of this poll; the next one raises it
            self._raised = self._raised or raised

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """See `SliceConsumer.pause`."""
        self._consumer.pause(self._held(partitions))

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        """See `SliceConsumer.resume`."""
        self._consumer.resume(self._held(partitions))

    def _held(self, partitions: Iterable[TopicPartition]) -> list[KafkaPartition]:
        return [KafkaPartition(at.topic, at.partition) for at in partitions if at in self._next]

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """See `SliceConsumer.seek`: librdkafka drops what it fetched before, by version, even within a batch."""
        try:
            self._consumer.seek(KafkaPartition(partition.topic, partition.partition, offset))
        except KafkaException as error:
            raise explain(error.args[0], doing=f"seeking {partition} to {offset}") from error
        self._next[partition] = offset

    def end_offsets(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        """See `SliceConsumer.end_offsets`."""
        ends: dict[TopicPartition, int] = {}
        for partition in partitions:
            try:
                _, high = self._consumer.get_watermark_offsets(
                    KafkaPartition(partition.topic, partition.partition), cached=True
                )
            except KafkaException:
                continue
            if high >= 0:
                ends[partition] = high
        return ends

    def _on_statistics(self, text: str) -> None:
        self._statistics = read_statistics(text)

    def statistics(self) -> ClientSnapshot | None:
        """See `SliceConsumer.statistics`."""
        return self._statistics

    def close(self) -> None:
        """See `SliceConsumer.close`: revokes what is held first, so that the listener can store and commit.

        librdkafka's own close waits for answers as long as a broker keeps it waiting, hence the thread.
        """
        if self._closed:
            return
        self._closed = True
        self._revoke_all()
        closing = threading.Thread(target=self._consumer.close, name="close-consumer", daemon=True)
        closing.start()
        closing.join(CLOSE_TIMEOUT_S)
        if closing.is_alive():
            log.warning("the broker does not answer; the group drops this member when its session ends")
        if self._raised is not None:
            log.warning("while leaving the group: %s", self._raised)

    def _revoke_all(self) -> None:
        """Leave the group with the callbacks on this thread; what polling still gives will be read again."""
        try:
            self._consumer.unsubscribe()
            deadline_s = time.monotonic() + CLOSE_TIMEOUT_S
            while self._next and time.monotonic() < deadline_s:
                self._consumer.poll(0.1)
        except KafkaException as error:
            log.debug("the group was left already: %s", error)


def _committed(consumer: Consumer, partitions: list[KafkaPartition]) -> list[KafkaPartition]:
    """What the group has committed; a coordinator that moves or loads is asked again, for a while.

    Raises:
        TransientError: It did not answer in time.
        TerminalError: It refuses to.
    """
    deadline_s = time.monotonic() + COMMITTED_TIMEOUT_S
    while True:
        try:
            found = consumer.committed(partitions, timeout=REQUEST_TIMEOUT_S) if partitions else []
            failed = next((at.error for at in found if at.error is not None), None)
            if failed is None:
                return found
            error = explain(failed, doing="reading committed offsets")
        except KafkaException as raised:
            error = explain(raised.args[0], doing="reading committed offsets")
        if isinstance(error, TerminalError) or time.monotonic() > deadline_s:
            raise error
        time.sleep(0.3)
