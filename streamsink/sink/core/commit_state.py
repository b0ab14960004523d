"""Keeps one partition's commits: the last one taken, the one on its way, and when the next is due. Pure."""

from __future__ import annotations

from dataclasses import dataclass

COMMIT_INTERVAL_S = 1.0
"""How often progress that stores nothing (holes, dropped records) is committed."""

Commit = tuple[int, str]
"""An offset and its metadata."""


@dataclass(slots=True)
class CommitState:
    """One partition's commits; at most one is on its way.

    `claimed`: the group has taken a commit of ours under the present layout, so uploads may begin.
    """

    committed: Commit | None = None
    committing: Commit | None = None
    claimed: bool = False
    urgent: bool = False
    next_at_s: float | None = None
    attempts: int = 0
    failing_since_s: float | None = None

    def due(self, now: float, *, frontier: int, leaving: bool) -> bool:
        """Say whether to commit now. Where only the frontier has moved, the wait for the next commit begins.

        Args:
            now: Monotonic time in seconds.
            frontier: The smallest offset that is not stored.
            leaving: Whether the partition is being released, so that nothing waits for the interval.
        """
        if self.committing is not None:
            return False
        due = self.next_at_s is not None and self.next_at_s <= now
        retry_waits = self.attempts > 0 and not due
        if retry_waits or not (due or self.urgent or leaving):
            moved = self.committed is not None and frontier != self.committed[0]
            if self.next_at_s is None and moved:
                self.next_at_s = now + COMMIT_INTERVAL_S
            return False
        self.next_at_s = None
        self.urgent = False
        return True

    def taken(self, commit: Commit) -> bool:
        """Whether it was the one on its way: the group has it now."""
        if self.committing != commit:
            return False
        self.committed, self.committing = commit, None
        self.attempts, self.failing_since_s = 0, None
        return True

    def failed(self, now: float) -> int:
        """Note that the commit on its way was not taken, and give how many have failed in a row."""
        self.committing = None
        self.attempts += 1
        self.failing_since_s = now if self.failing_since_s is None else self.failing_since_s
        return self.attempts
