"""The `streamsink` program: answers `--help` and `--version` at once, and has all else done. Imports little."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap

from streamsink import __version__

ABOUT = "Archive Kafka topics into Parquet, Avro, JSON Lines and raw objects, each record exactly once."
HELP_FLAGS, VERSION_FLAGS = ("--help", "-h"), ("--version",)
READER_LEFT = 141
"""What a shell shows for any program whose reader left."""
COMMANDS = {
    "archive": ("streamsink.cli.archive:app", "List, inspect, verify and read an archive."),
    "connectors": (
        "streamsink.cli.connectors:app",
        "Ask a running worker about its connectors, and have it change them.",
    ),
    "database": ("streamsink.cli.database:app", "Take snapshots of databases into an archive, and restore them."),
    "demo": ("streamsink.cli.demo:demo", "See it work, from topic to verified archive, without any service."),
    "replay": ("streamsink.cli.replay:replay", "Put archived records back, byte for byte."),
    "stores": ("streamsink.cli.stores:app", "Find out what a store can do."),
    "top": ("streamsink.cli.top:top", "Watch a worker's connectors in the terminal."),
    "worker": ("streamsink.cli.start:worker", "Run connectors until stopped."),
}
"""Each command's code and what it does."""
_FLAGS = {"--help (-h)": "Display this message and exit.", "--version": "Display application version."}


def main() -> None:
    """The `streamsink` program."""
    arguments = sys.argv[1:]
    if not arguments or (len(arguments) == 1 and arguments[0] in HELP_FLAGS):
        sys.exit(_say(overview(shutil.get_terminal_size().columns)))
    if arguments in [[flag] for flag in VERSION_FLAGS]:
        sys.exit(_say(__version__))
    if arguments[0] == "worker" and not {*HELP_FLAGS} & {*arguments}:
        from streamsink.worker.fork_server import leave_out_script, warm_up  # noqa: PLC0415 (no other has tasks)

        leave_out_script()
        # First of all: what tasks import and what the worker imports is loaded side by side.
        warm_up()
    from streamsink.cli.main import run  # noqa: PLC0415 (takes longer than all of the above)

    status = run(arguments)
    if arguments[0] == "worker":
        # A Kafka client whose broker is away would hold the interpreter's own end for good.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def _say(text: str) -> int:
    """Print, and give the exit status: a reader may have left (`| head`)."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # What Python flushes at its exit goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_LEFT
    return 0


def overview(columns: int) -> str:
    """What `streamsink --help` prints: as the library for command lines does, in a quarter of the time.

    Args:
        columns: How wide the terminal is.
    """
    told = {name: what for name, (_, what) in COMMANDS.items()} | _FLAGS
    names = max(map(len, told))
    room = columns - names - 6
    lines = ["Usage: streamsink COMMAND", "", *textwrap.wrap(ABOUT, columns), ""]
    lines.append(f"╭─ Commands {'─' * (columns - 13)}╮")
    for name, what in told.items():
        for number, part in enumerate(textwrap.wrap(what, room)):
            lines.append(f"│ {'' if number else name:{names}}  {part:{room}} │")
    lines.append(f"╰{'─' * (columns - 2)}╯")
    return "\n".join(lines)
