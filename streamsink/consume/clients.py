"""Makes Kafka's clients: a setting that librdkafka refuses is an error with a hint. Asks no broker anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from confluent_kafka import KafkaException

from streamsink.consume.quiet import librdkafka_log
from streamsink.errors import TerminalError

Client = TypeVar("Client")

HINT = "look at the keys for Kafka's clients: security.protocol, sasl.* and ssl.*, and at the files they name"


def make_client(kind: Callable[..., Client], settings: Mapping[str, Any], *, hint: str = HINT) -> Client:
    """A client of Kafka.

    Args:
        kind: confluent-kafka's class: `Consumer`, `Producer` or `AdminClient`.
        settings: In librdkafka's words.
        hint: Where to look if they can't be used.

    Raises:
        TerminalError: librdkafka refuses the settings, or can't read a file that they name.
    """
    try:
        return kind({**settings}, logger=librdkafka_log())
    except KafkaException as error:
        raise TerminalError(f"a Kafka client can't be made: {error.args[0].str()}", hint=hint) from error
    except (TypeError, ValueError) as error:
        raise TerminalError(f"a Kafka client can't be made: {error}", hint=hint) from error
