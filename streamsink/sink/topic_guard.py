"""Keeps two topics of one name apart, since names follow from offsets; knows which are compacted. Reads no records."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping

import structlog

from streamsink.clock import SYSTEM_CLOCK, Clock
from streamsink.errors import AlreadyExistsError, ObjectMissingError, TerminalError
from streamsink.upload.protocol import Store

ASK_AGAIN_S = 60.0
"""How often to look whether a topic was made anew under a running task."""

AskTopicIds = Callable[[Iterable[str]], Mapping[str, str]]
AskCompacted = Callable[[Iterable[str]], Mapping[str, bool]]

log = structlog.get_logger("streamsink.sink")


class TopicGuard:
    """Knows which topic, by id, an archive holds under a name: one small object a topic, written by the first task.

    Args:
        store: The archive's.
        topics_dir: What objects' names begin with.
        ask: Tells topics' ids; a topic without one is not guarded.
        ask_compacted: Tells whether topics are compacted; those it leaves out are taken for compacted.
        clock: Tells the time.
    """

    def __init__(
        self,
        store: Store,
        topics_dir: str,
        ask: AskTopicIds,
        ask_compacted: AskCompacted,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._clock = clock
        self._store = store
        self._folder = f"_streamsink/topic/{topics_dir.strip('/') or '.root'}"
        self._ask = ask
        self._ask_compacted = ask_compacted
        self._unknown: set[str] = set()
        self._known: dict[str, str] = {}
        self._ask_at_s = 0.0

    def check(self, topics: Iterable[str]) -> None:
        """Make sure that these topics are those the archive holds. Asks brokers and store: not within a callback.

        Raises:
            TransientError: Brokers or store don't answer.
            TerminalError: One is not; nothing of it must be stored here.
        """
        self._ask_at_s = self._clock.monotonic_s() + ASK_AGAIN_S
        for topic, topic_id in self._ask(topics).items():
            archived = self._known.get(topic) or self._archived(topic, topic_id)
            if archived != topic_id:
                raise TerminalError(
                    f"topic {topic} was made anew: the archive holds one of id {archived}, this one's is {topic_id}",
                    hint="offsets begin again, so give the connector another topics.dir or archive.url for the new "
                    f"one; or move the old objects away, and {self._name(topic)} with them",
                )
            self._known[topic] = topic_id

    def check_again(self, topics: Iterable[str]) -> None:
        """Check again, as `check` does, if the last check was a while ago."""
        if self._clock.monotonic_s() >= self._ask_at_s:
            self.check(topics)

    def compacted(self, topics: Iterable[str]) -> set[str]:
        """The topics among these that are compacted, or may be. Asks brokers, so never call it in a callback.

        Raises:
            TransientError: Brokers don't answer.
        """
        names = set(topics)
        told = self._ask_compacted(names)
        unknown = names - told.keys()
        for topic in sorted(unknown - self._unknown):
            log.warning(
                "brokers don't tell whether the topic is compacted: its objects are listed at each start that follows "
                "no clean stop",
                topic=topic,
                hint="allow DescribeConfigs on the topic to have this done for compacted topics alone",
            )
        self._unknown |= unknown
        return unknown | {topic for topic in names & told.keys() if told[topic]}

    def _name(self, topic: str) -> str:
        return f"{self._folder}/{topic}.json"

    def _archived(self, topic: str, topic_id: str) -> str:
        """The id that the archive has noted for a topic; where it has none, this one is noted."""
        name = self._name(topic)
        try:
            return _read(self._store.get(name))
        except ObjectMissingError:
            pass
        try:
            self._store.create(name, json.dumps({"topic": topic, "topic_id": topic_id}).encode(), {})
        except AlreadyExistsError:
            return _read(self._store.get(name))
        log.info("topic noted", topic=topic, topic_id=topic_id)
        return topic_id


def _read(data: bytes) -> str:
    return str(json.loads(data)["topic_id"])
