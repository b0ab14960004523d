"""Bars on a terminal's stderr for long commands. Counts nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

Bar = Callable[[int, int | None], None]
"""Told how many are done, and of how many; None where that isn't known."""


@contextmanager
def bar(verb: str) -> Iterator[Bar]:
    """Show a bar with the rate and the time left.

    Args:
        verb: What is done, for example `reading rows`.

    Yields:
        A function that is told how many are done, and how many there are, None while that isn't known.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn(verb),
        BarColumn(),
        TaskProgressColumn(show_speed=True),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task("", total=None)

        def report(done: int, total: int | None) -> None:
            shown.update(task, completed=done, total=total)

        yield report
