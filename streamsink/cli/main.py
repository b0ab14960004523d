"""The command line: reads it, runs a command, says how it ended. Imports each command's code only when it runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import cyclopts
from cyclopts import App

from streamsink import __version__
from streamsink.cli.program import ABOUT, COMMANDS, HELP_FLAGS, READER_LEFT, VERSION_FLAGS
from streamsink.errors import ConfigError, StreamsinkError

DONE, FAILED, WRONG_USAGE, INTERRUPTED = 0, 1, 2, 130

app = App(
    name="streamsink",
    help=ABOUT,
    version=__version__,
    version_flags=VERSION_FLAGS,
    help_flags=HELP_FLAGS,
    help_format="plaintext",
)
for _name, (_code, _help) in COMMANDS.items():
    app.command(_code, name=_name, help=_help)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and say how it ended: 0 done, 1 failed, 2 wrong usage or configuration."""
    try:
        result = app(list(arguments), exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except cyclopts.CycloptsError as error:
        command = " ".join([str(app.name[0]), *(error.command_chain or ())])
        return _end(WRONG_USAGE, f"{_one_line(error)} ({command} --help shows the usage)")
    except ConfigError as error:
        return _end(WRONG_USAGE, *_lines(error))
    except StreamsinkError as error:
        return _end(FAILED, _one_line(error))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has seen enough (`| head`); what Python flushes at its exit goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_LEFT
    return result if isinstance(result, int) else DONE


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _lines(error: ConfigError) -> list[str]:
    """One line for each key, and what can be done about all of them."""
    if len(error.problems) < 2:
        return [_one_line(error)]
    each = [" ".join(f"{problem.key}: {problem.message}".split()) for problem in error.problems]
    return [*each, *([error.hint] if error.hint else [])]


def _end(status: int, *lines: str) -> int:
    for line in lines:
        print(f"streamsink: {line}", file=sys.stderr)
    return status
