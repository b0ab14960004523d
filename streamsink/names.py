"""What tells records apart without holding any: topic partitions, and the envelope's column. Pure; needs no Arrow.

A worker knows these alone of `record.py`, and so does without Arrow, which takes some 20 MB.
"""

from __future__ import annotations

from dataclasses import dataclass

ENVELOPE = "_kafka"
"""Name of the struct column that keeps what Kafka knows of a record."""


@dataclass(frozen=True, slots=True, order=True)
class TopicPartition:
    """One partition of one topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        """Kafka's usual form, `topic-partition`."""
        return f"{self.topic}-{self.partition}"
