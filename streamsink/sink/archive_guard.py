"""Makes sure that a partition's topic is the archive's and ours to write, before anything of it is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from streamsink.consume.protocol import CommittedOffset
from streamsink.record import TopicPartition
from streamsink.sink.core.ledger import CommitMetadata
from streamsink.sink.core.partition_state import PartitionState
from streamsink.sink.owner_guard import OwnerGuard
from streamsink.sink.topic_guard import TopicGuard


class ArchiveGuard:
    """Joins ids, policies and owners of topics. Every call asks brokers and store, so none is made in a callback.

    Args:
        topics: Keeps topics apart that have had one name.
        owners: Lets one group at a time write a topic; None where objects of two groups never meet.
        layout: The task's own.
    """

    def __init__(self, topics: TopicGuard, owners: OwnerGuard | None, layout: str) -> None:
        self._topics = topics
        self._owners = owners
        self._layout = layout

    def check(self, arrived: Mapping[TopicPartition, CommittedOffset]) -> None:
        """Make sure that these may be written.

        Raises:
            TransientError: Brokers or store don't answer.
            TerminalError: A topic was made anew, or another group writes it.
        """
        self._topics.check({partition.topic for partition in arrived})
        if self._owners is not None:
            self._owners.check(_any_of_topic((name, self._open(at.metadata)) for name, at in arrived.items()))

    def check_again(self, held: Mapping[TopicPartition, PartitionState]) -> None:
        """Check again what is written now, as `check` does, if the last check was a while ago.

        Raises:
            TransientError: Brokers or store don't answer.
            TerminalError: A topic was made anew, or another group writes it.
        """
        self._topics.check_again({partition.topic for partition in held})
        if self._owners is not None:
            said = ((name, state.layout_before is not None) for name, state in held.items())
            self._owners.check_again(_any_of_topic(said))

    def compacted(self, topics: Iterable[str]) -> set[str]:
        """The topics among these that are compacted, or may be.

        Raises:
            TransientError: Brokers don't answer.
        """
        return self._topics.compacted(topics)

    def _open(self, metadata: str) -> bool:
        """Whether a commit leaves open which records were stored under another layout."""
        said = CommitMetadata.decode(metadata)
        return said is not None and said.layout != self._layout and (bool(said.ahead) or not said.drained)


def _any_of_topic(told: Iterable[tuple[TopicPartition, bool]]) -> dict[str, bool]:
    topics: dict[str, bool] = {}
    for partition, said in told:
        topics[partition.topic] = topics.get(partition.topic, False) or said
    return topics
