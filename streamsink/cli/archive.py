"""`streamsink archive`: lists, inspects, verifies and reads archives, for people and programs. Decides nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import orjson
from cyclopts import App, Parameter, validators
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from streamsink.archive.archive import Archive, open_archive, parse_options
from streamsink.archive.inspect import find_object, inspect_object
from streamsink.archive.listing import list_objects, sum_up
from streamsink.archive.reindex import reindex as rebuild
from streamsink.archive.rows import json_lines
from streamsink.archive.sums import checksums
from streamsink.archive.verify import verify_archive
from streamsink.cli import archive_views as views

app = App(name="archive", help="List, inspect, verify and read an archive.")

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print one JSON document.")]
Options = Annotated[
    list[str],
    Parameter(name="--option", negative="", help="A store option, KEY=VALUE, as after archive.option.; repeatable."),
]
Topic = Annotated[str, Parameter(name="--topic", help="Only this topic.")]
COUNTED = validators.Number(gte=0)
Partition = Annotated[int | None, Parameter(name="--partition", validator=COUNTED, help="Only this partition.")]
Location = Annotated[str, Parameter(help="archive.url with topics.dir, or one object.")]


@app.command
def ls(
    archive: Location,
    /,
    *,
    objects: bool = False,
    topic: Topic = "",
    partition: Partition = None,
    option: Options = [],  # noqa: B006 - cyclopts copies it
    json: Json = False,
) -> int:
    """List what an archive holds.

    Parameters
    ----------
    objects
        A line for each object, instead of one for each encoded partition.
    """
    with _opened(archive, option) as opened:
        listed = list_objects(opened, topic=topic, partition=partition)
        if objects:
            found = list(listed)
            views.print_json(views.objects_json(found)) if json else views.print_objects(found)
        else:
            partitions = sum_up(listed)
            views.print_json(views.partitions_json(partitions)) if json else views.print_partitions(partitions)
    return 0


@app.command
def inspect(
    archive: Location,
    object_name: Annotated[str, Parameter(name="OBJECT", help="Its name, as ls --objects shows it.")] = "",
    /,
    *,
    option: Options = [],  # noqa: B006
    json: Json = False,
) -> int:
    """Look into one object: what it says of itself, its columns, its row groups, its first rows."""
    with _opened(archive, option) as opened:
        found = inspect_object(opened, find_object(opened, object_name))
    views.print_json(views.inspection_json(found)) if json else views.print_inspection(found)
    return 0


@app.command
def verify(
    archive: Location,
    /,
    *,
    topic: Topic = "",
    partition: Partition = None,
    option: Options = [],  # noqa: B006
    json: Json = False,
) -> int:
    """Read every object, and check sums, ranges, counts and order, and that no offset is stored twice.

    Offsets that are in no object are listed as holes: aborted transactions, compaction and retention leave them.
    Exit status 1 means that an object is corrupt, gone, or overlaps another.
    """
    with _opened(archive, option) as opened, _progress("verifying") as (started, advance):
        verdict = verify_archive(
            opened,
            topic=topic,
            partition=partition,
            started=started,
            checked=lambda result: advance(result.entry.size_bytes),
        )
    views.print_json(views.verdict_json(verdict)) if json else views.print_verdict(verdict)
    return 0 if verdict.sound else 1


@app.command
def cat(
    archive: Location,
    /,
    *,
    topic: Topic = "",
    partition: Partition = None,
    limit: Annotated[int | None, Parameter(validator=COUNTED, help="How many rows at most.")] = None,
    text: Annotated[
        bool, Parameter(negative="", help="Show bytes as text where they are UTF-8, not as base64.")
    ] = False,
    option: Options = [],  # noqa: B006
    json: Json = False,
) -> int:
    """Print the rows of an archive or of one object as JSON Lines, by topic, partition and offset."""
    with _opened(archive, option) as opened:
        found = json_lines(opened, topic=topic, partition=partition, limit=limit, text=text)
        if json:
            views.print_json({"rows": [orjson.Fragment(line) for lines in found for line in lines.splitlines()]})
            return 0
        for lines in found:
            sys.stdout.buffer.write(lines)
    return 0


@app.command
def sums(
    archive: Location,
    /,
    *,
    md5: Annotated[bool, Parameter(name="--md5", negative="", help="MD5 instead of SHA-256.")] = False,
    option: Options = [],  # noqa: B006
    json: Json = False,
) -> int:
    """Print checksums for `sha256sum -c` and `rclone checksum`, with paths relative to the archive."""
    with _opened(archive, option) as opened:
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
def reindex(archive: Location, /, *, option: Options = [], json: Json = False) -> int:  # noqa: B006
    """Rebuild the manifest from the data. Objects are read, never changed."""
    with _opened(archive, option) as opened, _progress("reading") as (started, advance):
        done = rebuild(opened, started=started, indexed=lambda entry: advance(entry.size_bytes))
    views.print_json(views.reindexed_json(done)) if json else views.print_reindexed(done)
    return 1 if done.left_out else 0


@contextmanager
def _opened(location: str, option: list[str]) -> Iterator[Archive]:
    archive = open_archive(location, parse_options(option))
    try:
        yield archive
    finally:
        archive.store.close()


@contextmanager
def _progress(verb: str) -> Iterator[tuple[Callable[[int, int], None], Callable[[int], None]]]:
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
