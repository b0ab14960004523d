"""The commits of a simulated group member that are on their way. The world decides what becomes of each.

Fault model. A commit is taken, refused, taken with its reply lost, or never answered and taken later all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from streamsink.consume.protocol import Done, Failure, Offsets, Refusal, Refusals
from streamsink.errors import TerminalError, TransientError
from streamsink.record import TopicPartition
from streamsink.testing.broker import SimBroker
from streamsink.testing.clock import SimClock

OVERDUE_S = 60.0
"""When an asynchronous commit without an answer is told to have an unknown outcome."""

Generations = Mapping[TopicPartition, int]


class CommitFate(StrEnum):
    """The ways in which a commit may end."""

    TAKEN = ""
    BEFORE = "before"
    """Refused for now, not taken."""
    AFTER = "after"
    """Taken, but its outcome is said to be unknown."""
    NEVER = "never"
    """Not answered; taken later, or not."""
    DENIED = "denied"
    """Refused until an operator has helped."""


@dataclass(slots=True)
class SentCommit:
    """A commit on its way to the group."""

    offsets: Offsets
    generations: Generations
    done: Done
    sent_at_s: float
    told: bool = False
    """Whether its outcome was said to be unknown."""
    ended: bool = False
    """Whether the group has taken or refused it, without an answer so far."""


class SimCommits:
    """One member's commits.

    Args:
        member: Who commits.
        broker: Takes them, or not.
        clock: Says when an answer is overdue.
    """

    def __init__(self, member: int, broker: SimBroker, clock: SimClock) -> None:
        self.sent: list[SentCommit] = []
        self._member = member
        self._broker = broker
        self._clock = clock
        self._answers: list[tuple[SentCommit, Refusals]] = []

    def send(self, offsets: Offsets, generations: Generations, done: Done) -> None:
        """Begin a commit. Nobody waits for it.

        Args:
            offsets: What is committed, by topic partition.
            generations: The generation in which each partition was assigned.
            done: Told the outcome, in the poll behind its end.
        """
        self.sent.append(SentCommit(dict(offsets), generations, done, self._clock.monotonic_s()))

    def answers(self) -> list[tuple[SentCommit, Refusals]]:
        """Take the answers that have come since the last call, and errors for commits that are overdue."""
        now = self._clock.monotonic_s()
        for commit in self.sent:
            if not commit.told and now - commit.sent_at_s > OVERDUE_S:
                commit.told = True
                unknown = Refusal(Failure.UNKNOWN_OUTCOME, TransientError("no answer", hint="wait"))
                self._answers.append((commit, dict.fromkeys(commit.offsets, unknown)))
        self.sent = [commit for commit in self.sent if not (commit.told and commit.ended)]
        answers, self._answers = self._answers, []
        return answers

    def finish(self, index: int, fate: CommitFate) -> None:
        """End a commit that is on its way. Nothing more happens to one that was taken without an answer.

        Args:
            index: Its place among those on their way.
            fate: Whether it is taken, and whether its answer comes.
        """
        commit = self.sent[index]
        if commit.ended:
            return
        refused = self.carry_out(commit.offsets, commit.generations, fate)
        if fate is CommitFate.NEVER and not commit.told:
            commit.ended = True
            return
        del self.sent[index]
        if not commit.told:
            self._answers.append((commit, refused))

    def carry_out(self, offsets: Offsets, generations: Generations, fate: CommitFate) -> Refusals:
        """Have the group take or refuse a commit.

        Args:
            offsets: What is committed, by topic partition.
            generations: The generation in which each partition was assigned.
            fate: What becomes of the commit. Its answer may be lost after it was taken.

        Returns:
            The refusals by topic partition; a partition that was committed is not in it.
        """
        refused: dict[TopicPartition, Refusal] = {}
        for partition, at in offsets.items():
            if fate is CommitFate.BEFORE:
                refused[partition] = Refusal(Failure.BUSY, TransientError("the coordinator loads", hint="wait"))
            elif fate is CommitFate.DENIED:
                refused[partition] = Refusal(Failure.DENIED, TerminalError("denied", hint="allow it"))
            elif not self._broker.commit(
                partition, self._member, generations.get(partition, -1), at.offset or 0, at.metadata
            ):
                refused[partition] = Refusal(Failure.REBALANCING, TransientError("another generation", hint="wait"))
            elif fate is not CommitFate.TAKEN:
                unknown = TransientError("the reply was lost", hint="wait")
                refused[partition] = Refusal(Failure.UNKNOWN_OUTCOME, unknown)
        return refused
