"""An archive as a Faust stream: its records in order, decoded as a topic's would be. Changes nothing in the archive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from faust.exceptions import DecodeError as FaustDecodeError
from faust.types import CodecArg, StreamT, TopicT

from streamsink.archive.open import open_archive
from streamsink.errors import ConfigError, DecodeError, Problem
from streamsink.faust.history import Choice, HistoryRow, history
from streamsink.faust.sink import ArchiveSink

Time = datetime | str | int
"""A `datetime`, ISO 8601 text, or milliseconds since the epoch; without a zone, UTC."""

ROWS_AT_ONCE = 500
"""Rows read on another thread before the loop goes on with them."""


@dataclass(frozen=True, slots=True)
class ArchivedRecord:
    """One archived record, its key and value decoded as its topic's are."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int | None
    key: Any
    value: Any
    headers: tuple[tuple[str, bytes | None], ...]


def archive_stream(
    archive: str | ArchiveSink,
    *,
    topic: TopicT,
    name: str = "",
    since: Time | None = None,
    until: Time | None = None,
    partitions: Collection[int] | None = None,
    options: Mapping[str, str] | None = None,
    value_serializer: CodecArg = None,
) -> StreamT[Any]:
    """A Faust stream of archived values, typed by a topic's models; no topic is read.

    Each offset comes once, in order within its partition; partitions are interleaved by time. Tombstones are left out:
    a stream that isn't a topic's has no way to show them.

    Args:
        archive: Where the archive is (`archive.url`, with or without `topics.dir`), or the sink that writes it.
        topic: Whose models and codecs decode it.
        name: The archive's name for the topic, where it is another one.
        since: Only records from this time on.
        until: Only records before this time.
        partitions: Only these.
        options: The store's options, as `--option` takes them.
        value_serializer: The codec of archived values, where it isn't the topic's.

    Returns:
        The stream. It ends with the archive's last record.

    Raises:
        ConfigError: A time can't be read.
    """
    records = archive_records(
        archive,
        topic=topic,
        name=name,
        since=since,
        until=until,
        partitions=partitions,
        options=options,
        value_serializer=value_serializer,
    )
    return topic.app.stream(_values(records))


async def _values(records: AsyncIterator[ArchivedRecord]) -> AsyncIterator[Any]:
    async for record in records:
        if record.value is not None:
            yield record.value


def archive_records(
    archive: str | ArchiveSink,
    *,
    topic: TopicT,
    name: str = "",
    since: Time | None = None,
    until: Time | None = None,
    partitions: Collection[int] | None = None,
    options: Mapping[str, str] | None = None,
    value_serializer: CodecArg = None,
) -> AsyncIterator[ArchivedRecord]:
    """Read an archive as `archive_stream` does, with keys, times, headers and tombstones.

    Read errors are raised while iterating.

    Args:
        archive: Where the archive is (`archive.url`, with or without `topics.dir`), or the sink that writes it.
        topic: Its models and codecs decode keys and values.
        name: The archive's name for the topic, where it is another one.
        since: Only records from this time on; None for the first.
        until: Only records before this time; None for no end.
        partitions: Only these; None for all.
        options: The store's options, as `--option` takes them. A sink has its own.
        value_serializer: The codec of archived values, where it isn't the topic's.

    Returns:
        The records, each offset once, in order within its partition.

    Raises:
        ConfigError: A time can't be read.
    """
    source = topic.get_topic_name()
    if isinstance(archive, ArchiveSink):
        name = name or archive.archived_name(source)
        url, options = archive.config.archive_url, archive.config.archive_options
    else:
        url = archive
    choice = Choice(
        topic=name or source,
        since_ms=_milliseconds("since", since),
        until_ms=_milliseconds("until", until),
        partitions=None if partitions is None else frozenset(partitions),
    )
    return _read(url, dict(options or {}), choice, topic, value_serializer)


async def _read(
    url: str, options: Mapping[str, str], choice: Choice, topic: TopicT, codec: CodecArg
) -> AsyncIterator[ArchivedRecord]:
    opened = await asyncio.to_thread(open_archive, url, options)
    try:
        rows = history(opened, choice)
        while chunk := await asyncio.to_thread(lambda: list(islice(rows, ROWS_AT_ONCE))):
            for row in chunk:
                yield _decode(row, choice.topic, topic, codec)
    finally:
        opened.store.close()


def _decode(row: HistoryRow, name: str, topic: TopicT, codec: CodecArg) -> ArchivedRecord:
    serializers = topic.app.serializers
    schema = topic.schema
    key, value = row.key, row.value
    try:
        decoded_key = serializers.loads_key(schema.key_type, key, serializer=schema.key_serializer) if key else key
        decoded = None
        if value is not None:
            loads = "json" if row.is_json else codec or schema.value_serializer
            decoded = serializers.loads_value(schema.value_type, value, serializer=loads)
    except FaustDecodeError as error:
        raise DecodeError(
            f"{name}-{row.partition} at offset {row.offset} is not what the topic's models say: {error}",
            hint="give archive_stream a topic with the models and codecs of the time, or value_serializer",
        ) from error
    return ArchivedRecord(name, row.partition, row.offset, row.timestamp_ms, decoded_key, decoded, row.headers)


def _milliseconds(name: str, time: Time | None) -> int | None:
    if time is None or isinstance(time, int):
        return time
    try:
        at = time if isinstance(time, datetime) else datetime.fromisoformat(time)
    except ValueError as error:
        raise ConfigError([Problem(name, f"{time!r} is no time: {error}")]) from None
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
