"""`streamsink stores`: tries a store before an operator trusts it. Prints; finds out nothing itself."""

from __future__ import annotations

import dataclasses
from typing import Annotated

from cyclopts import App, Parameter, validators
from rich.console import Console
from rich.table import Table

from streamsink.archive.open import parse_options
from streamsink.cli.archive import Json, Options
from streamsink.cli.archive_views import print_json
from streamsink.upload.check import Report, check_store, findings
from streamsink.upload.open import open_store

MEGABYTE = 1_000_000

app = App(name="stores", help="Find out what a store can do.")


@app.command
def check(
    url: Annotated[str, Parameter(help="The store, as archive.url has it.")],
    /,
    *,
    option: Options = [],  # noqa: B006 - cyclopts copies it
    size_mb: Annotated[
        int,
        Parameter(name="--size-mb", validator=validators.Number(gte=1, lte=1000), help="Megabytes to write and read."),
    ] = 16,
    rounds: Annotated[
        int | None,
        Parameter(
            name="--rounds",
            validator=validators.Number(gte=1, lte=100_000),
            help="How often writers race; else until two have won one name, for at most half a minute.",
        ),
    ] = None,
    json: Json = False,
) -> int:
    """Use a store and tell what it can do: create atomically or not, metadata, latency, throughput.

    What it writes lies below `_streamsink/check` and is removed. Exit status 1 means that exactly.once=required can't
    be had there.
    """
    options = parse_options(option)
    with Console(stderr=True).status("opening the store") as shown:
        report = check_store(
            lambda: open_store(url, options), size_bytes=size_mb * MEGABYTE, rounds=rounds, stage=shown.update
        )
    if json:
        print_json({**dataclasses.asdict(report), "exactly_once": report.exactly_once})
    else:
        _print(report)
    return 0 if report.exactly_once else 1


def _print(report: Report) -> None:
    table = Table(title=report.url, title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for one in findings(report):
        colour = {True: "green", False: "red", None: "default"}[one.good]
        table.add_row(one.question, f"[{colour}]{one.answer}[/]")
    Console().print(table)
