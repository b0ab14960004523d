"""A group member over confluent-kafka: slices out, commits with metadata in. Knows nothing of files and stores."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence

from confluent_kafka import KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as KafkaPartition

from streamsink.consume.assignments import FROM_THE_START, Assignment, Assignments
from streamsink.consume.commit_requests import CommitRequests
from streamsink.consume.failures import explain, failure_of
from streamsink.consume.group_client import group_client
from streamsink.consume.poll_size import PollSize
from streamsink.consume.protocol import (
    Done,
    Failure,
    Offsets,
    PolledEnd,
    ReadProgress,
    RebalanceListener,
    Refusals,
)
from streamsink.consume.reading import Run
from streamsink.consume.rebalance import Rebalances
from streamsink.consume.settings import committed_timeout_s, consumer_settings, start_at_end
from streamsink.consume.statistics import read_statistics
from streamsink.consume.subscription import Subscription
from streamsink.consume.trouble import Trouble
from streamsink.errors import StreamsinkError, TerminalError, TransientError
from streamsink.observe.snapshot import ClientSnapshot
from streamsink.record import RawSlice, TopicPartition

REQUEST_TIMEOUT_S = 5.0
"""For watermarks."""
CLOSE_TIMEOUT_S = 10.0
"""How long to wait for the broker once everything is revoked."""

log = logging.getLogger("streamsink.consume")


class KafkaSliceConsumer:
    """See `SliceConsumer`. One thread owns it; librdkafka's own threads fetch ahead.

    Args:
        properties: librdkafka's, with `bootstrap.servers` and `group.id`.
        topics: What to subscribe to, or empty with `topics_regex`.
        topics_regex: A regular expression over topic names, or "".
        listener: Hears of partitions coming and going.
        poll_records_max: Records one poll gives at most.
        native: Whether slices are made without Python's messages, by a client of our own over librdkafka.

    Raises:
        TerminalError: The client refuses the properties or isn't there, or `topics_regex` can't be read.
    """

    def __init__(
        self,
        properties: Mapping[str, str],
        *,
        topics: Sequence[str],
        topics_regex: str = "",
        listener: RebalanceListener,
        poll_records_max: int = 10_000,
        native: bool = False,
    ) -> None:
        settings, ignored = consumer_settings(properties)
        for key, why in ignored.items():
            log.warning("consumer.override.%s is ignored: %s", key, why)
        self._poll_size = PollSize(poll_records_max)
        self._assignments = Assignments()
        self._raised: BaseException | None = None
        self._trouble = Trouble()
        self._requests = CommitRequests()
        self._rebalances = Rebalances(
            self._assignments,
            listener,
            ended=self._requests.forget,
            at_end=start_at_end(properties),
            committed_timeout_s=committed_timeout_s(settings),
        )
        self._subscription = Subscription(topics, topics_regex)
        self._closed = False
        self._statistics: ClientSnapshot | None = None
        callbacks = {
            "error_cb": self._trouble.note,
            "stats_cb": self._on_statistics,
            "on_commit": self._on_commit,
        }
        self._client = group_client(native=native)
        self._consumer = self._client.make({**settings, **callbacks})

    def poll(self, *, timeout_s: float) -> tuple[list[RawSlice], list[PolledEnd]]:
        """See `SliceConsumer.poll`.

        What went wrong while consuming is raised by the next call, so that the records that came with it aren't lost.
        """
        self._raise_what_failed()
        self._requests.tell_overdue()
        self._keep_subscribed()
        try:
            reading = self._client.read(self._consumer, self._poll_size.records, timeout_s)
        except KafkaException as error:
            raise explain(error.args[0], doing="polling") from error
        ends: list[PolledEnd] = []
        self._take_events(reading.events, ends)
        if reading:
            self._trouble.passed()
        found = [self._slice(run) for run in reading.runs]
        slices = [slice_ for slice_ in found if slice_ is not None]
        self._poll_size.learn(slices)
        ends = [end for end in ends if self._is_end(end)]
        if not reading:
            self._trouble.raise_what_lasts(self._consumer)
        return slices, ends

    def _raise_what_failed(self) -> None:
        failed = self._rebalances.failed or self._raised
        self._rebalances.failed = self._raised = None
        if failed is not None:
            raise failed

    def _keep_subscribed(self) -> None:
        if self._rebalances.wants_anew or self._requests.fenced:
            self._rebalances.wants_anew = self._requests.fenced = False
            self._consumer.unsubscribe()
            self._subscription.forget()
        topics = self._subscription.change(self._consumer)
        if topics:
            self._consumer.subscribe(
                topics,
                on_assign=self._rebalances.assigned,
                on_revoke=self._rebalances.revoked,
                on_lost=self._rebalances.lost,
            )

    def _slice(self, run: Run) -> RawSlice | None:
        held = self._assignments.get(run.topic_partition)
        slice_ = None if held is None else run.slice_from(held.next_offset)
        if held is not None and slice_ is not None:
            held.moved(slice_.next_offset, at_end=False)
        return slice_

    def _is_end(self, end: PolledEnd) -> bool:
        """Whether an end is one still: records may have come with it."""
        held = self._assignments.get(end.topic_partition)
        if held is None or end.next_offset < held.next_offset:
            return False
        held.moved(end.next_offset, at_end=True)
        return True

    def _take_events(self, messages: Sequence[Message], ends: list[PolledEnd]) -> None:
        for message in messages:
            try:
                self._event(message, ends)
            except StreamsinkError as error:
                self._raised = self._raised or error

    def _event(self, message: Message, ends: list[PolledEnd]) -> None:
        """A message that is no record: the end of a partition, or an error."""
        error = message.error()
        assert error is not None
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        match error.code():
            case KafkaError._PARTITION_EOF:  # noqa: SLF001
                at = TopicPartition(topic or "", partition or 0)
                if offset is not None:
                    ends.append(PolledEnd(at, offset))
            case KafkaError._AUTO_OFFSET_RESET | KafkaError.OFFSET_OUT_OF_RANGE:  # noqa: SLF001
                raise self._overtaken(TopicPartition(topic or "", partition or 0))
            case KafkaError.UNKNOWN_TOPIC_OR_PART | KafkaError._UNKNOWN_TOPIC | KafkaError._UNKNOWN_PARTITION:  # noqa: SLF001
                self._trouble.missing(topic or "?", error, reading_others=bool(self._assignments))
            case _ if failure_of(error) in {Failure.AWAY, Failure.UNKNOWN_OUTCOME}:
                self._trouble.note(error)
            case _:
                raise explain(error, doing=f"reading {topic}-{partition}" if topic else "reading")

    def _overtaken(self, partition: TopicPartition) -> StreamsinkError:
        held = self._assignments.get(partition)
        at = FROM_THE_START if held is None else held.next_offset
        if at == FROM_THE_START:
            self._rebalances.wants_anew = True
            return TransientError(
                f"{partition}: its beginning has moved",
                hint="retention runs: what it removed can no longer be archived",
            )
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

    def commit(self, offsets: Offsets, *, done: Done) -> None:
        """See `SliceConsumer.commit`."""
        self._requests.send(self._consumer, offsets, done)

    def commit_and_wait(self, offsets: Offsets, *, timeout_s: float) -> Refusals:
        """See `SliceConsumer.commit_and_wait`."""
        return self._requests.send_and_wait(self._consumer, offsets, timeout_s)

    def _on_commit(self, error: KafkaError | None, partitions: list[KafkaPartition]) -> None:
        try:
            self._requests.answered(error, partitions)
        except Exception as raised:  # noqa: BLE001 - here it would cost the records of this poll; the next one raises it
            self._raised = self._raised or raised

    def pause(self, partitions: Iterable[TopicPartition]) -> None:
        """See `SliceConsumer.pause`."""
        chosen = self._assignments.pause(partitions)
        if not self._rebalances.starting:
            self._consumer.pause(_kafka_partitions(chosen))

    def resume(self, partitions: Iterable[TopicPartition]) -> None:
        """See `SliceConsumer.resume`."""
        chosen = self._assignments.resume(partitions)
        if not self._rebalances.starting:
            self._consumer.resume(_kafka_partitions(chosen))
            self._rebalances.begin_anew(self._consumer, chosen)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """See `SliceConsumer.seek`: librdkafka drops records fetched earlier, by version, even within a batch."""
        held = self._assignments.get(partition)
        if held is None:
            return
        if not self._rebalances.starting:
            try:
                self._set_position(KafkaPartition(partition.topic, partition.partition, offset), held)
            except KafkaException as error:
                raise explain(error.args[0], doing=f"seeking {partition} to {offset}") from error
        held.next_offset = offset
        held.waits()

    def _set_position(self, at: KafkaPartition, held: Assignment) -> None:
        """Read on from an offset.

        While librdkafka still asks where a new assignment begins, the answer would overtake a seek: assigned once more,
        the partition begins where it should.
        """
        if held.heard or self._rebalances.leaving:
            self._consumer.seek(at)
            return
        self._consumer.incremental_unassign([at])
        self._consumer.incremental_assign([at])
        if held.paused:
            self._consumer.pause([at])

    def rejoin(self) -> None:
        """See `SliceConsumer.rejoin`."""
        self._rebalances.wants_anew = True

    def progress(self) -> Mapping[TopicPartition, ReadProgress]:
        """See `SliceConsumer.progress`."""
        now_s = time.monotonic()
        return {
            partition: ReadProgress(
                next_offset=None if held.next_offset == FROM_THE_START else held.next_offset,
                end_offset=self._cached_end(partition),
                at_end=held.at_end,
                paused=held.paused,
                silent_s=now_s - held.heard_at_s,
            )
            for partition, held in self._assignments
        }

    def end_offsets(self, partitions: Iterable[TopicPartition]) -> Mapping[TopicPartition, int]:
        """See `SliceConsumer.end_offsets`."""
        found = {partition: self._cached_end(partition) for partition in partitions}
        return {partition: end for partition, end in found.items() if end is not None}

    def _cached_end(self, partition: TopicPartition) -> int | None:
        try:
            _, high = self._consumer.get_watermark_offsets(
                KafkaPartition(partition.topic, partition.partition), cached=True
            )
        except KafkaException:
            return None
        return high if high >= 0 else None

    def _on_statistics(self, text: str) -> None:
        self._statistics = read_statistics(text)

    def statistics(self) -> ClientSnapshot | None:
        """See `SliceConsumer.statistics`."""
        return self._statistics

    def close(self) -> None:
        """See `SliceConsumer.close`: revokes all held partitions first, so that the listener can store and commit.

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
            while self._assignments and time.monotonic() < deadline_s:
                self._consumer.poll(0.1)
        except KafkaException as error:
            log.debug("the group was left already: %s", error)


def _kafka_partitions(partitions: Iterable[TopicPartition]) -> list[KafkaPartition]:
    return [KafkaPartition(at.topic, at.partition) for at in partitions]
