"""Imported last by the fork server: does once what each task would do anew. Starts no thread, may not know a task.

A page that a task writes is its alone, so 50 idle tasks are as large as what they write. Python's collector writes to
each object that it looks at: what the fork server has is taken out of its sight. What is done here, a task finds done:
tables that reading a configuration fills, and what librdkafka and its OpenSSL set up with a process's first client.
"""

from __future__ import annotations

import gc
from contextlib import suppress

from confluent_kafka import Consumer, KafkaException

from streamsink.config.reading.connector import parse_sink
from streamsink.errors import StreamsinkError

_SINK = {
    "name": "any",
    "connector.class": "streamsink.ArchiveSink",
    "topics": "any",
    "archive.url": "file:///",
    "value.converter": "json",
    "archive.value": "columns",
}


def prepare() -> None:
    """Do it. librdkafka's threads have ended when this returns, for a fork takes none of them along."""
    # What fails here fails in a task as well, which can say so.
    with suppress(StreamsinkError, KafkaException):
        parse_sink(_SINK, {"bootstrap.servers": "127.0.0.1:1"})
        Consumer({"group.id": "any", "log_level": 0}).close()
    gc.collect()
    gc.freeze()


prepare()
