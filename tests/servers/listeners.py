"""A group member for tests: notes what its consumer tells it, and gathers what it reads."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from streamsink.consume.kafka import KafkaSliceConsumer
from streamsink.consume.protocol import CommittedOffset, RebalanceListener, SliceConsumer
from streamsink.errors import TransientError
from streamsink.record import RawSlice, TopicPartition


class Listener:
    """A consumer's listener that remembers. `on_assigned` and `on_revoked` run inside the callbacks.

    Args:
        make: Makes the consumer that tells it.
    """

    def __init__(self, make: Callable[[RebalanceListener], SliceConsumer]) -> None:
        self.held: dict[TopicPartition, CommittedOffset] = {}
        self.assignments: list[set[TopicPartition]] = []
        self.revocations: list[set[TopicPartition]] = []
        self.losses: list[set[TopicPartition]] = []
        self.slices: dict[TopicPartition, list[RawSlice]] = defaultdict(list)
        self.ends: dict[TopicPartition, int] = {}
        self.on_assigned: Callable[[Mapping[TopicPartition, CommittedOffset]], None] = lambda _: None
        self.on_revoked: Callable[[set[TopicPartition]], None] = lambda _: None
        self.consumer = make(self)

    def assigned(self, committed: Mapping[TopicPartition, CommittedOffset]) -> None:
        self.held.update(committed)
        if committed:
            self.assignments.append(set(committed))
        self.on_assigned(committed)

    def revoked(self, partitions: Iterable[TopicPartition]) -> None:
        leaving = set(partitions)
        self.revocations.append(leaving)
        self.on_revoked(leaving)
        for partition in leaving:
            self.held.pop(partition, None)

    def lost(self, partitions: Iterable[TopicPartition]) -> None:
        leaving = set(partitions)
        self.losses.append(leaving)
        for partition in leaving:
            self.held.pop(partition, None)

    def poll(self, timeout_s: float = 0.2) -> tuple[list[RawSlice], list]:
        slices, ends = self.consumer.poll(timeout_s=timeout_s)
        for slice_ in slices:
            assert slice_.topic_partition in self.held
            self.slices[slice_.topic_partition].append(slice_)
        for end in ends:
            self.ends[end.topic_partition] = end.next_offset
        return slices, ends

    def poll_until(self, done: Callable[[], object], *, timeout_s: float = 30, patient: bool = False) -> None:
        """Poll until something is so; a patient member polls on where a broker is away."""
        deadline = time.monotonic() + timeout_s
        while not done():
            assert time.monotonic() < deadline, f"not so after {timeout_s} s; holds {self.held}, ends {self.ends}"
            try:
                self.poll()
            except TransientError:
                if not patient:
                    raise

    def commit(self, offsets: Mapping[TopicPartition, CommittedOffset]) -> None:
        """Commit, and wait for it."""
        assert self.consumer.commit_and_wait(offsets, timeout_s=10) == {}

    def rows(self, partition: TopicPartition) -> list[dict]:
        """Everything read of one partition."""
        return [row for slice_ in self.slices[partition] for row in slice_.rows.to_pylist()]

    def offsets(self, partition: TopicPartition) -> list[int]:
        """The offsets read of one partition."""
        return [offset for slice_ in self.slices[partition] for offset in slice_.rows.column("offset").to_pylist()]


class Member(Listener):
    """A member of a group on a real broker."""

    def __init__(
        self,
        bootstrap: str,
        group: str,
        topics: Iterable[str] = (),
        *,
        regex: str = "",
        native: bool = False,
        **properties,
    ) -> None:
        settings = {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "log_level": "0",
            **{key.replace("_", "."): value for key, value in properties.items()},
        }
        super().__init__(
            lambda listener: KafkaSliceConsumer(
                settings,
                topics=list(topics),
                topics_regex=regex,
                listener=listener,
                poll_records_max=1000,
                native=native,
            )
        )
