"""Lists of partitions on both sides of C's border. A list of ours ends with its context, whatever happens in it.

One that paused partitions, or sought in them, holds them: were it not destroyed, the client's end would wait for ever.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaError, TopicPartition

from streamsink.consume.native.library import Library


class ToldPartition(TopicPartition):
    """A partition as librdkafka tells of it; the error of confluent-kafka's own class can't be set."""

    __slots__ = ("error",)

    error: KafkaError | None


@contextmanager
def partition_list(library: Library, partitions: Iterable[TopicPartition]) -> Iterator[Any]:
    """Make a list of partitions, with their offsets and metadata, and destroy it afterwards.

    Args:
        library: librdkafka.
        partitions: What it holds.
    """
    held = list(partitions)
    made = library.topic_partition_list_new(len(held))
    try:
        for at in held:
            added = library.topic_partition_list_add(made, at.topic.encode(), at.partition).contents
            added.offset = at.offset
            if at.metadata is not None:
                # confluent-kafka commits the final NUL as well, and reads on until it meets one.
                metadata = at.metadata.encode() + b"\0"
                # The list frees it with librdkafka's own allocator.
                added.metadata = library.mem_malloc(None, len(metadata))
                ctypes.memmove(added.metadata, metadata, len(metadata))
                added.metadata_size = len(metadata)
        yield made
    finally:
        library.topic_partition_list_destroy(made)


def told_partitions(library: Library, told: Any) -> list[TopicPartition]:
    """Copy what a list holds.

    Args:
        library: librdkafka.
        told: A pointer to a list, or to nothing.
    """
    if not told:
        return []
    return [_copy(library, told.contents.elems[at]) for at in range(told.contents.cnt)]


def _copy(library: Library, told: Any) -> TopicPartition:
    # Of confluent-kafka's metadata the final NUL is a part.
    metadata = ctypes.string_at(told.metadata, told.metadata_size).partition(b"\0")[0] if told.metadata else b""
    made = ToldPartition(told.topic.decode(), told.partition, told.offset, metadata=metadata.decode(errors="replace"))
    made.error = error_of(library, told.err) if told.err else None
    return made


def error_of(library: Library, code: int, text: str = "") -> KafkaError:
    """confluent-kafka's error for a code.

    Args:
        library: librdkafka.
        code: One that is none of success.
        text: What is known beyond the code's own words.
    """
    return KafkaError(code, text or library.err2str(code).decode())
