"""The command line: which commands there are, and how they end. Imports each command's code only when it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import cyclopts
from cyclopts import App, Parameter

from streamsink import __version__
from streamsink.errors import ConfigError, StreamsinkError

DONE, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130
READER_LEFT = 141
"""What a shell shows for any program whose reader left."""

app = App(
    name="streamsink",
    help="Archive Kafka topics into Parquet, Avro, JSON Lines and raw objects, each record exactly once.",
    version=__version__,
    version_flags=["--version"],
    help_flags=["--help", "-h"],
)
app.command(
    "streamsink.cli.connectors:app",
    name="connectors",
    help="Ask a running worker about its connectors, and have it change them.",
)
app.command("streamsink.cli.archive:app", name="archive", help="List, inspect, verify and read an archive.")
app.command("streamsink.cli.replay:replay", name="replay", help="Put archived records back, byte for byte.")
app.command("streamsink.cli.stores:app", name="stores", help="Find out what a store can do.")
app.command(
    "streamsink.cli.demo:demo", name="demo", help="See it work, from topic to verified archive, without any service."
)


@app.command
def worker(
    *,
    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
    connectors: Path | None = None,
) -> int:
    """Run connectors until stopped.

    Parameters
    ----------
    config
        The worker's configuration: a flat map in YAML, JSON or properties.
    connectors
        Folder with one file for each connector, watched for changes.
    """
    from streamsink.cli.worker import run_worker  # noqa: PLC0415 (loads what other commands don't need)

    return run_worker(config, connectors)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and say how it ended: 0 done, 1 failed, 2 wrong usage or configuration."""
    try:
        result = app(list(arguments), exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except cyclopts.CycloptsError as error:
        return _end(WRONG_USAGE, f"{_one_line(error)} (streamsink --help shows the usage)")
    except ConfigError as error:
        return _end(WRONG_USAGE, _one_line(error))
    except StreamsinkError as error:
        return _end(FAILED, _one_line(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read has seen enough (`| head`); what Python flushes at its exit goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_LEFT
    return result if isinstance(result, int) else DONE


def main() -> None:
    """The `streamsink` program."""
    sys.exit(run(sys.argv[1:]))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _end(status: int, line: str) -> int:
    print(f"streamsink: {line}", file=sys.stderr)
    return status
