"""One partition's look before writing: asks once for stored ranges, and keeps them while they matter. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from streamsink.sink.core import effects as do
from streamsink.sink.core.events import Looked, LookFailed
from streamsink.sink.core.ledger import CommitMetadata
from streamsink.sink.core.outages import Outages
from streamsink.sink.core.retries import Dependency
from streamsink.sink.core.stored_ranges import StoredRanges

if TYPE_CHECKING:
    from streamsink.sink.core.partition_state import PartitionState


@dataclass(slots=True)
class Looking:
    """A partition's wait to learn what is stored, and what it has learned.

    `asked` is the look that is on its way, `next_at_s` when to ask again. `dropped_from` is where reading must go on,
    since slices that come meanwhile are not taken.
    """

    wanted: bool = False
    asked: int | None = None
    next_at_s: float | None = None
    attempts: int = 0
    failing_since_s: float | None = None
    dropped_from: int | None = None
    stored: StoredRanges | None = None

    def assigned(self, said: CommitMetadata | None, layout: str, offset: int | None, *, compacted: bool) -> None:
        """Decide from the group's commit whether the partition must look before it writes.

        A commit that isn't ours for this layout says nothing of what is stored beyond it.
        One of ours may have objects beyond it unless it is `drained`. Creates meet them by their names, but for a
        compacted topic: the record that an object is named by may have vanished.

        Args:
            said: The commit's metadata; None where there is none of ours.
            layout: The present layout's fingerprint.
            offset: The committed offset; None where nothing is committed.
            compacted: Whether the topic is compacted, or may be.
        """
        if said is None:
            self.wanted = True
        elif said.layout == layout:
            self.wanted = offset is not None and (said.look >= offset or (compacted and not said.drained))
        else:
            self.wanted = bool(said.ahead) or not said.drained or said.look >= 0

    def drop(self, start: int) -> None:
        """A slice came too early."""
        self.dropped_from = start if self.dropped_from is None else min(start, self.dropped_from)

    def failed(self, now: float) -> int:
        """Note that the look failed, and give how many have in a row."""
        self.asked = None
        self.attempts += 1
        self.failing_since_s = now if self.failing_since_s is None else self.failing_since_s
        return self.attempts

    def looked(self, stored: StoredRanges) -> None:
        """Keep the stored ranges that were found."""
        self.wanted, self.asked, self.failing_since_s = False, None, None
        self.stored = stored if stored.last >= 0 else None

    def passed(self, frontier: int) -> int:
        """Forget stored ranges once the frontier has passed all; give the last stored offset, -1 where none is left."""
        if self.stored is not None and self.stored.last < frontier:
            self.stored = None
        return -1 if self.stored is None else self.stored.last


class Looks:
    """All partitions' looks: asked for when they are due, tried again when they fail.

    Args:
        outages: Hear of the store's failures.
        emit: Takes the effects.
    """

    def __init__(self, outages: Outages, emit: Callable[[do.Effect], None]) -> None:
        self._outages = outages
        self._emit = emit
        self._ids = count(1)

    def due(self, partition: PartitionState, now: float) -> None:
        """Ask what is stored from where a partition stands, if it waits for that and no look is on its way.

        Args:
            partition: An assigned partition, whether or not it waits for a look.
            now: Monotonic time in seconds.
        """
        looking = partition.looking
        waits = looking.asked is not None or (looking.next_at_s is not None and looking.next_at_s > now)
        if not looking.wanted or waits or partition.release_deadline_s is not None:
            return
        looking.asked, looking.next_at_s = next(self._ids), None
        offset = partition.ledger.position if partition.ledger else 0
        self._emit(do.Look(partition.topic_partition, looking.asked, offset))

    def answered(self, looking: Looking, event: Looked) -> bool:
        """Say whether an answer is for the look that the partition waits for; one of an earlier assignment is not.

        Args:
            looking: The partition's.
            event: The answer.
        """
        self._outages.works(Dependency.STORE)
        return looking.asked == event.look_id

    def failed(self, looking: Looking, event: LookFailed, now: float) -> bool:
        """Note that a look failed; it is made again later.

        Args:
            looking: The partition's.
            event: The failure.
            now: Monotonic time in seconds.

        Returns:
            Whether the store has been away for too long.
        """
        delay_s = self._outages.delay_s(Dependency.STORE, looking.failed(now), event.look_id, event.error)
        looking.next_at_s = now + delay_s
        assert looking.failing_since_s is not None
        return self._outages.failed(Dependency.STORE, event.error, delay_s, now=now, since_s=looking.failing_since_s)
