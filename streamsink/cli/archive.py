"""`streamsink archive`: lists, inspects, verifies and reads archives, for people and programs. Decides nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import orjson
from cyclopts import App, Parameter, validators
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from streamsink.archive.archive import Archive
from streamsink.archive.column_sql import Dialect, view
from streamsink.archive.columns import to_json as columns_json
from streamsink.archive.columns import topic_columns
from streamsink.archive.inspect import find_object, inspect_object
from streamsink.archive.listing import list_objects, sum_up
from streamsink.archive.open import open_archive
from streamsink.archive.own import own_folders
from streamsink.archive.owners import release_topic, topic_owners
from streamsink.archive.reindex import reindex as rebuild
from streamsink.archive.rows import json_lines
from streamsink.archive.sums import checksums
from streamsink.cli import archive_views as views
from streamsink.cli.column_views import print_columns
from streamsink.cli.sources import NO_CONNECTOR, Source

app = App(name="archive", help="List, inspect, verify and read an archive.")
app.command("streamsink.cli.verify:verify", name="verify", help="Read every object, and say what is wrong with it.")
app.command("streamsink.cli.audit:audit", name="audit", help="Compare a topic with its archive, record by record.")

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON document.")]
Options = Annotated[
    list[str],
    Parameter(name="--option", negative="", help="A store option, KEY=VALUE, as after archive.option.; repeatable."),
]
Topic = Annotated[str, Parameter(name="--topic", help="Only this topic.")]
COUNTED = validators.Number(gte=0)
Partition = Annotated[int | None, Parameter(name="--partition", validator=COUNTED, help="Only this partition.")]
Location = Annotated[str, Parameter(help="archive.url with topics.dir, or one object; not needed with --connector.")]


@app.command
def ls(
    archive: Location = "",
    /,
    *,
    objects: bool = False,
    everything: Annotated[
        bool, Parameter(name="--all", negative="", help="Also what lies under _streamsink/, by folder.")
    ] = False,
    topic: Topic = "",
    partition: Partition = None,
    source: Source = NO_CONNECTOR,
    json: Json = False,
) -> int:
    """List what an archive holds.

    Parameters
    ----------
    objects
        A line for each object, instead of one for each encoded partition.
    """
    with opened_archive(archive, source) as opened:
        listed = list_objects(opened, topic=topic, partition=partition)
        found = list(listed) if objects else []
        partitions = [] if objects else sum_up(listed)
        own = own_folders(opened) if everything else []
    if json:
        told = views.objects_json(found) if objects else views.partitions_json(partitions)
        views.print_json({**told, **(views.own_json(own) if everything else {})})
        return 0
    views.print_objects(found) if objects else views.print_partitions(partitions)
    if everything:
        views.print_own(own)
    return 0


@app.command
def inspect(
    archive: Location = "",
    object_name: Annotated[str, Parameter(name="OBJECT", help="Its name, as ls --objects shows it.")] = "",
    /,
    *,
    source: Source = NO_CONNECTOR,
    json: Json = False,
) -> int:
    """Look into one object: what it says of itself, its columns, its row groups, its first rows."""
    with opened_archive(archive, source) as opened:
        found = inspect_object(opened, find_object(opened, object_name))
    views.print_json(views.inspection_json(found)) if json else views.print_inspection(found)
    return 0


@app.command
def cat(
    archive: Location = "",
    /,
    *,
    topic: Topic = "",
    partition: Partition = None,
    limit: Annotated[int | None, Parameter(validator=COUNTED, help="How many rows at most.")] = None,
    text: Annotated[
        bool, Parameter(negative="", help="Show bytes as text where they are UTF-8, not as base64.")
    ] = False,
    source: Source = NO_CONNECTOR,
    json: Json = False,
) -> int:
    """Print the rows of an archive or of one object as JSON Lines, by topic, partition and offset."""
    with opened_archive(archive, source) as opened:
        found = json_lines(opened, topic=topic, partition=partition, limit=limit, text=text)
        if json:
            views.print_json({"rows": [orjson.Fragment(line) for lines in found for line in lines.splitlines()]})
            return 0
        for lines in found:
            sys.stdout.buffer.write(lines)
    return 0


@app.command
def sums(
    archive: Location = "",
    /,
    *,
    md5: Annotated[bool, Parameter(name="--md5", negative="", help="MD5 instead of SHA-256.")] = False,
    source: Source = NO_CONNECTOR,
    json: Json = False,
) -> int:
    """Print checksums for `sha256sum -c` and `rclone checksum`, with paths relative to the archive."""
    with opened_archive(archive, source) as opened:
        found = checksums(opened, "md5" if md5 else "sha256")
        if json:
            views.print_json(
                {"algorithm": "md5" if md5 else "sha256", "sums": {path: digest for digest, path in found}}
            )
            return 0
        for digest, path in found:
            print(f"{digest}  {path}")
    return 0


@app.command
def reindex(
    archive: Location = "",
    /,
    *,
    accept: Annotated[
        bool, Parameter(negative="", help="Record what differs or is gone as a loss, so that verify lists it as one.")
    ] = False,
    source: Source = NO_CONNECTOR,
    json: Json = False,
) -> int:
    """Add to the manifest what it lacks. Objects are read, never changed, and what was stored is never forgotten.

    Exit status 1 means that an object is damaged, gone, or not what the manifest says.
    """
    with opened_archive(archive, source) as opened, byte_progress("reading") as (started, advance):
        done = rebuild(opened, accept=accept, started=started, indexed=lambda result: advance(result.entry.size_bytes))
    views.print_json(views.reindexed_json(done)) if json else views.print_reindexed(done)
    return 0 if done.clean else 1


@app.command
def owner(
    archive: Location = "",
    /,
    *,
    release: Annotated[str, Parameter(help="Let the next connector that archives this topic here have it.")] = "",
    source: Source = NO_CONNECTOR,
    json: Json = False,
) -> int:
    """Tell which consumer group writes each topic, in which layout, and since when.

    Another group is refused under exactly.once=required, and warned of otherwise. Stop the connector that owns a topic
    before you release it: it is told of its new owner within a minute or two, not at once.
    """
    with opened_archive(archive, source) as opened:
        if release:
            release_topic(opened, release, now_s=time.time())
        found = topic_owners(opened)
    views.print_json(views.owners_json(found)) if json else views.print_owners(found)
    return 0


@app.command
def columns(
    archive: Location = "",
    /,
    *,
    topic: Annotated[str, Parameter(name="--topic", help="Whose columns.")],
    sql: Annotated[Dialect | None, Parameter(help="Print a view over its Parquet objects that joins variants.")] = None,
    source: Source = NO_CONNECTOR,
    json: Json = False,
) -> int:
    """List a topic's columns and variants, and how many values each has. All its objects are read."""
    with opened_archive(archive, source) as opened:
        found = topic_columns(opened, topic)
        where = source.place(archive)[0] if source.connector else archive
        place = f"{where.rstrip('/')}/{topic}".removeprefix("file://")
    if sql is None:
        views.print_json(columns_json(found)) if json else print_columns(found)
        return 0
    statement = view(found, sql, place)
    views.print_json({**columns_json(found), "sql": statement}) if json else print(statement)
    return 0


@contextmanager
def opened_archive(location: str, source: Source) -> Iterator[Archive]:
    """Open an archive as long as the command runs. Raises as `open_archive`.

    Args:
        location: What the command was given: a URL, a folder, or with a connector a path below its archive.
        source: The store's options, or the connector whose archive is meant.

    Yields:
        The archive. Its store is closed behind the block.
    """
    archive = open_archive(*source.place(location))
    try:
        yield archive
    finally:
        archive.store.close()


@contextmanager
def byte_progress(verb: str) -> Iterator[tuple[Callable[[int, int], None], Callable[[int], None]]]:
    """A bar on a terminal's stderr: what to call when the size of the work is known, and after each object."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[objects]} objects"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(verb, total=None, objects=0)
        left = [0]

        def started(objects: int, size_bytes: int) -> None:
            left[0] = objects
            bar.update(task, total=size_bytes, objects=objects)

        def advance(size_bytes: int) -> None:
            left[0] -= 1
            bar.update(task, advance=size_bytes, objects=left[0])

        yield started, advance
