"""Asks a worker's REST API about its connectors and prints the answers. Changes nothing."""

from __future__ import annotations

import json
import sys
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Literal
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit
from urllib.request import urlopen

from streamsink.errors import ConfigError, Problem, TerminalError, TransientError

if TYPE_CHECKING:
    from rich.table import Table

TIMEOUT_S = 30.0
PIPE_COLUMNS = 200
_UNREACHED_HINT = "is a worker running there? --url says where its REST API listens"


def list_all(url: str, *, as_json: bool) -> int:
    """Print every connector with its state and its tasks'."""
    answer = fetch(url, "/connectors?expand=status&expand=info")
    if as_json:
        _print_json(answer)
        return 0
    table = _table("connector", "type", "state", "tasks", "reason")
    for name, both in sorted(answer.items()):
        status = both["status"]
        states = " ".join(f"{task['id']}:{task['state']}" for task in status["tasks"])
        table.add_row(name, status["type"], status["connector"]["state"], states, _reason(status))
    _print_table(table)
    return 0


def ask(question: Literal["show", "config", "status"], url: str, connector: str, *, as_json: bool) -> int:
    """Print what `question` asks of one connector."""
    path = f"/connectors/{quote(connector, safe='')}"
    match question:
        case "config":
            config = fetch(url, f"{path}/config")
            _print_json(config) if as_json else _print_config(config)
        case "status":
            status = fetch(url, f"{path}/status")
            _print_json(status) if as_json else _print_status(status)
        case "show":
            info, status = fetch(url, path), fetch(url, f"{path}/status")
            if as_json:
                _print_json({"info": info, "status": status})
            else:
                _print_status(status)
                print()
                _print_config(info["config"])
    return 0


def fetch(url: str, path: str) -> Any:
    """GET one JSON document.

    Raises:
        ConfigError: `url` is none.
        TransientError: Nobody answers there.
        TerminalError: The worker answers with an error, or something else answers.
    """
    if not _is_http(url):
        raise ConfigError([Problem("--url", f"{url!r} is no http URL")], hint="write it as http://HOST:PORT")
    try:
        with urlopen(f"{url.rstrip('/')}{path}", timeout=TIMEOUT_S) as response:  # noqa: S310 (http, as just checked)
            return json.load(response)
    except HTTPError as error:
        raise TerminalError(_message(error), hint="streamsink connectors list shows what there is") from None
    except (URLError, OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise TransientError(f"no worker answers at {url}: {reason}", hint=_UNREACHED_HINT) from None
    except ValueError:
        raise TerminalError(f"what answers at {url} is no Kafka Connect", hint=_UNREACHED_HINT) from None


def _is_http(url: str) -> bool:
    try:
        return urlsplit(url).scheme in {"http", "https"}
    except ValueError:
        return False


def _message(error: HTTPError) -> str:
    try:
        return str(json.load(error)["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {error.code} {error.reason}"


def _reason(status: dict[str, Any]) -> str:
    """The first thing that is wrong, on one line."""
    return next(filter(None, map(_first_line, (status["connector"], *status["tasks"]))), "")


def _first_line(part: dict[str, Any]) -> str:
    """What is wrong with a connector or a task; the frames that follow are for `--json`."""
    return str(part.get("trace") or part.get("retrying") or "").partition("\n")[0]


def _print_json(document: Any) -> None:
    print(json.dumps(document, indent=2, sort_keys=True))


def _print_config(config: dict[str, str]) -> None:
    for key, value in sorted(config.items()):
        print(f"{key}: {value}")


def _print_status(status: dict[str, Any]) -> None:
    table = _table("task", "state", "worker", "reason")
    connector = status["connector"]
    table.add_row(status["name"], connector["state"], connector["worker_id"], _first_line(connector))
    for task in status["tasks"]:
        table.add_row(f"{status['name']}-{task['id']}", task["state"], task["worker_id"], _first_line(task))
    _print_table(table)


def _table(*columns: str) -> Table:
    from rich import box  # noqa: PLC0415 (only people need tables)
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _print_table(table: Table) -> None:
    from rich.console import Console  # noqa: PLC0415

    width = None if sys.stdout.isatty() else PIPE_COLUMNS
    Console(width=width, markup=False, highlight=False).print(table)
