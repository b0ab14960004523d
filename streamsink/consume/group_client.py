"""The two clients that a group's member can read with: confluent-kafka's, and one of our own. Reads nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from confluent_kafka import Consumer, KafkaException

from streamsink.consume.native.client import NativeConsumer
from streamsink.consume.quiet import librdkafka_log
from streamsink.consume.reading import Reading
from streamsink.consume.slices import read_messages
from streamsink.errors import TerminalError


@dataclass(frozen=True, slots=True)
class GroupClient:
    """How a client is made, and how it reads.

    `make` takes librdkafka's settings and confluent-kafka's callbacks; `read` takes the client, how many messages it
    takes at most and how long it waits for the first one.
    """

    make: Callable[[Mapping[str, Any]], Consumer]
    read: Callable[[Consumer, int, float], Reading]


def group_client(*, native: bool) -> GroupClient:
    """Choose a client.

    Args:
        native: Whether messages become slices without Python's objects in between.
    """
    return GroupClient(_make_native, _read_natively) if native else GroupClient(_make, read_messages)


def _make(config: Mapping[str, Any]) -> Consumer:
    return _made(lambda: Consumer({**config}, logger=librdkafka_log()))


def _make_native(config: Mapping[str, Any]) -> Consumer:
    # It has all methods of confluent-kafka's client that are used here.
    return _made(lambda: cast("Consumer", NativeConsumer(config, logger=librdkafka_log())))


def _read_natively(consumer: Consumer, count: int, timeout_s: float) -> Reading:
    return cast("NativeConsumer", consumer).read(count, timeout_s)


def _made(make: Callable[[], Consumer]) -> Consumer:
    try:
        return make()
    except KafkaException as error:
        raise TerminalError(f"the consumer can't be made: {error.args[0].str()}", hint="look at consumer.*") from error
