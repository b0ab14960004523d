"""`streamsink database`: snapshots into archives and back, for people and programs. Decides nothing."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import App, Parameter, validators

from streamsink.archive.archive import Archive
from streamsink.archive.open import open_archive, parse_options
from streamsink.cli import database_views as views
from streamsink.cli.archive import Json
from streamsink.cli.archive_views import print_json
from streamsink.cli.bars import bar
from streamsink.cli.stopping import INTERRUPTED, stopping
from streamsink.config.keys.store import OPTIONS, PREFIX
from streamsink.config.secrets import Redactor, resolve
from streamsink.database.frames import find_snapshots
from streamsink.database.open import open_database
from streamsink.database.protocol import Database
from streamsink.database.restore import choose_snapshot, chosen_tables, forecast, restore_snapshot
from streamsink.database.restore_topics import TopicRestored, TopicsReport, restore_topics, topics_of_tables
from streamsink.database.settings import OWN_KEYS
from streamsink.database.snapshot import SnapshotJob, take_snapshot
from streamsink.errors import ConfigError, Problem
from streamsink.observe.log import configure

OWN_PREFIX = "database.option."

app = App(name="database", help="Take snapshots of databases into an archive, and restore them.")

DatabaseUrl = Annotated[str, Parameter(name="DATABASE", help="Its URL, for example mongodb://reader@host:27017/shop.")]
ArchiveUrl = Annotated[str, Parameter(name="ARCHIVE", help="archive.url with topics.dir.")]
Tables = Annotated[list[str], Parameter(name="--table", negative="", help="Only this table; repeatable.")]
Options = Annotated[
    list[str],
    Parameter(
        name="--option",
        negative="",
        help="KEY=VALUE: an option of the archive's store where it has one of that name, else of the database; "
        "archive.option.KEY and database.option.KEY say which. ${env:NAME} stands for a secret; repeatable.",
    ),
]


@app.command
def snapshot(
    database: DatabaseUrl,
    archive: ArchiveUrl,
    /,
    *,
    table: Tables = [],  # noqa: B006 - cyclopts copies it
    option: Options = [],  # noqa: B006
    rate: Annotated[float | None, Parameter(validator=validators.Number(gt=0))] = None,
    prefix: str = "db",
    format_: Annotated[str, Parameter(name="--format")] = "parquet",
    setting: Annotated[list[str], Parameter(name="--set", negative="")] = [],  # noqa: B006
    json: Json = False,
) -> int:
    """Take a consistent snapshot of a database into an archive. A killed one goes on where the database allows it.

    Parameters
    ----------
    rate
        Rows a second at most.
    prefix
        What the topics' names begin with: PREFIX.DATABASE.TABLE.
    format_
        parquet, avro, jsonl or raw.
    setting
        A sink connector's key, KEY=VALUE, as rotate.size.bytes; repeatable.
    """
    given = _settings(setting)
    store_options, database_options = _options(archive, option)
    job = SnapshotJob(
        archive,
        store_options,
        url=database,
        prefix=prefix,
        tables=tuple(dict.fromkeys(table)),
        rate=rate,
        given={**given, "format.class": format_},
    )
    opened = open_database(database, database_options)
    with stopping() as stop, bar("reading rows") as report:
        done = take_snapshot(job, opened, stop=stop, report=lambda reached: report(reached.rows, reached.rows_total))
    print_json(views.snapshot_json(done)) if json else views.print_snapshot(done)
    return 0 if done.totals is not None else INTERRUPTED


@app.command
def ls(archive: ArchiveUrl, /, *, option: Options = [], json: Json = False) -> int:  # noqa: B006
    """List an archive's snapshots of databases, the unfinished ones too."""
    store_options, _ = _options(archive, option)
    opened = open_archive(archive, store_options)
    try:
        found = find_snapshots(opened)
    finally:
        opened.store.close()
    print_json(views.snapshots_json(found)) if json else views.print_snapshots(found)
    return 0


@app.command
def restore(
    archive: ArchiveUrl,
    database: DatabaseUrl,
    /,
    *,
    snapshot: str = "",
    table: Tables = [],  # noqa: B006
    option: Options = [],  # noqa: B006
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    json: Json = False,
) -> int:
    """Restore a snapshot into a database that has no such tables, and compare. Exit status 1: not equal.

    An archive without snapshots may have topics that Debezium wrote, PREFIX.DATABASE.TABLE: their rows' last state is
    restored then.

    Parameters
    ----------
    snapshot
        Its id, as `ls` shows it; else the newest finished one.
    dry_run
        Say what would be restored, and change nothing.
    """
    store_options, database_options = _options(archive, option)
    target = open_database(database, database_options)
    opened = open_archive(archive, store_options)
    try:
        if not snapshot and not find_snapshots(opened):
            return _restore_topics(opened, target, database, table, dry_run=dry_run, json=json)
        framed = choose_snapshot(opened, target.name, snapshot)
        tables = chosen_tables(framed, list(dict.fromkeys(table)))
        if dry_run:
            done = forecast(framed, tables)
        else:
            with stopping() as stop, bar("restoring rows") as report:
                done = restore_snapshot(opened, framed, tables, target, stop=stop, report=report)
    finally:
        opened.store.close()
    print_json(views.restored_json(done)) if json else views.print_restored(done)
    return INTERRUPTED if done.stopped else 0 if done.equal else 1


def _restore_topics(
    archive: Archive, target: Database, url: str, tables: list[str], *, dry_run: bool, json: bool
) -> int:
    topics = topics_of_tables(archive, list(dict.fromkeys(tables)))
    if dry_run:
        done = TopicsReport([TopicRestored(topic, name) for topic, name in topics.items()])
    else:
        documents = url.startswith("mongodb")
        with stopping() as stop, bar("applying records") as report:
            done = restore_topics(archive, topics, target, documents=documents, stop=stop, report=report)
    print_json(views.topics_json(done)) if json else views.print_topics(done)
    return INTERRUPTED if done.stopped else 0


def _settings(texts: list[str]) -> dict[str, str]:
    given = parse_options(texts)
    problems = [Problem(key, "is decided by the snapshot itself") for key in given if key in OWN_KEYS]
    if problems:
        raise ConfigError(problems)
    return given


def _options(archive: str, texts: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """The store's options and the database's, secrets looked up; from here on logs keep them out."""
    scheme = archive.partition("://")[0] if "://" in archive else "file"
    known = {key.name.removeprefix(PREFIX) for key in OPTIONS.get(scheme, ())}
    of_store: dict[str, str] = {}
    of_database: dict[str, str] = {}
    for text in texts:
        own = text.startswith(OWN_PREFIX)
        ((key, value),) = parse_options([text.removeprefix(OWN_PREFIX)]).items()
        to_store = text.startswith(PREFIX) or (key in known and not own)
        (of_store if to_store else of_database)[key] = value
    resolved = resolve(of_store), resolve(of_database)
    redactor = Redactor()
    for options in resolved:
        redactor.learn(options)
    configure("WARNING", redactor, stream=sys.stderr)
    return resolved
