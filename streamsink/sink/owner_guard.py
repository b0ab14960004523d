"""Lets one group at a time write a topic into an archive, and notes who it is and in which layout. Reads no records.

The first writer of a topic becomes its owner, also of an archive that was made before owners were noted. Whether
records of another layout may be stored without a commit is the machine's to judge, by the partitions' own commits: here
a new layout is noted once no partition's commit leaves that open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from streamsink.clock import SYSTEM_CLOCK, Clock
from streamsink.errors import TerminalError
from streamsink.upload.owner import Owner, OwnerRecord, Owners, how_to_release, of_another, utc_text
from streamsink.upload.protocol import Store

LOOK_AGAIN_S = 60.0
"""How often to look whether a topic has another owner now, one topic at a time."""

ATTEMPTS = 10
"""Others who write records of one topic at the same time."""

log = structlog.get_logger("streamsink.sink")


@dataclass(frozen=True, slots=True)
class Writer:
    """Who wants to write: a consumer group, in a layout. `strict` ends the task where another group owns a topic."""

    group: str
    layout: str
    strict: bool


class OwnerGuard:
    """Knows who owns the topics that a task writes.

    Args:
        store: The archive's.
        topics_dir: What objects' names begin with.
        writer: This task's connector.
        warn: Is told of each topic that another group owns, where that is let pass.
        clock: Tells the time.
    """

    def __init__(
        self,
        store: Store,
        topics_dir: str,
        writer: Writer,
        warn: Callable[[str, str], None],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._owners = Owners(store, topics_dir)
        self._place = (store.url, topics_dir)
        self._writer = writer
        self._warn = warn
        self._clock = clock
        self._look_at_s: dict[str, float] = {}

    def check(self, topics: Mapping[str, bool]) -> None:
        """Own these topics, or see that another group does. Asks the store: not within a callback.

        Args:
            topics: Each with whether a partition's commit leaves open what another layout has stored.

        Raises:
            TransientError: The store doesn't answer.
            TerminalError: Another group owns one, and that must not be.
        """
        now = self._clock.monotonic_s()
        for topic, open_layout in topics.items():
            if self._look_at_s.get(topic, now) <= now:
                self._own(topic, open_layout=open_layout, take_released=True)
                self._look_at_s[topic] = now + LOOK_AGAIN_S

    def check_again(self, topics: Mapping[str, bool]) -> None:
        """Check the topic whose last check is longest ago, as `check` does, if that was a while.

        Raises:
            TransientError: The store doesn't answer.
            TerminalError: Another group owns it, and that must not be.
        """
        now = self._clock.monotonic_s()
        self._look_at_s = {topic: self._look_at_s.get(topic, now) for topic in topics}
        topic = min(topics, key=lambda topic: self._look_at_s[topic], default=None)
        if topic is not None and self._look_at_s[topic] <= now:
            self._look_at_s[topic] = now + LOOK_AGAIN_S
            # A topic that was released while we write it is left to whom it was released for.
            self._own(topic, open_layout=topics[topic], take_released=False)

    def _own(self, topic: str, *, open_layout: bool, take_released: bool) -> None:
        found = self._owners.newest(topic)
        for _ in range(ATTEMPTS):
            if found is not None and (found.owner.released and not take_released):
                return
            if found is not None and not found.owner.released and self._stays(topic, found, open_layout=open_layout):
                return
            found = self._note(topic, 1 if found is None else found.number + 1)
        raise TerminalError(
            f"the owner of topic {topic} changed {ATTEMPTS} times while it was looked at",
            hint="let one connector at a time archive a topic here",
        )

    def _stays(self, topic: str, found: OwnerRecord, *, open_layout: bool) -> bool:
        """Whether there is nothing to write: the record is right, or not ours to change."""
        owner, writer = found.owner, self._writer
        if owner.group != writer.group:
            said, hint = of_another(topic, owner, writer.group), how_to_release(*self._place, topic)
            if writer.strict:
                raise TerminalError(said, hint=hint)
            self._warn(topic, f"{said}: records may be stored twice ({hint})")
            return True
        self._warn(topic, "")
        return owner.layout == writer.layout or open_layout

    def _note(self, topic: str, number: int) -> OwnerRecord:
        owner = Owner(self._writer.group, self._writer.layout, utc_text(self._clock.wall_s()))
        written = self._owners.append(topic, number, owner)
        if written.owner == owner:
            log.info("owner noted", topic=topic, group=owner.group, layout=owner.layout)
        return written
