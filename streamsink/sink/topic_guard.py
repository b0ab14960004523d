"""Keeps two topics of one name apart: names follow from offsets, so the second would seem stored. Reads no records."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping

import structlog

from streamsink.errors import AlreadyExistsError, ObjectMissingError, TerminalError
from streamsink.upload.protocol import Store

ASK_AGAIN_S = 60.0
"""How often to look whether a topic was made anew under a running task."""

AskTopicIds = Callable[[Iterable[str]], Mapping[str, str]]

log = structlog.get_logger("streamsink.sink")


class TopicGuard:
    """Knows which topic, by id, an archive holds under a name: one small object a topic, written by the first task.

    Args:
        store: The archive's.
        topics_dir: What objects' names begin with.
        ask: Tells topics' ids; those that brokers have none for are not guarded.
    """

    def __init__(self, store: Store, topics_dir: str, ask: AskTopicIds) -> None:
        self._store = store
        self._folder = f"_streamsink/topic/{topics_dir.strip('/') or '.root'}"
        self._ask = ask
        self._known: dict[str, str] = {}
        self._ask_at_s = 0.0

    def check(self, topics: Iterable[str]) -> None:
        """Make sure that these topics are those the archive holds.

        Raises:
            TransientError: Brokers or store don't answer.
            TerminalError: One is not; nothing of it must be stored here.
        """
        self._ask_at_s = time.monotonic() + ASK_AGAIN_S
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
        """As `check`, if that was a while ago."""
        if time.monotonic() >= self._ask_at_s:
            self.check(topics)

    def _name(self, topic: str) -> str:
        return f"{self._folder}/{topic}.json"

    def _archived(self, topic: str, topic_id: str) -> str:
        """The id the archive has for a topic: what is noted, else, from now on, this one."""
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
