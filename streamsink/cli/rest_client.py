"""Asks a worker's REST API, and puts what goes wrong into words. Prints nothing."""

from __future__ import annotations

import base64
import json
import os
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from streamsink.errors import ConfigError, Problem, TerminalError, TransientError

DEFAULT_URL = "http://127.0.0.1:8083"
USER_VARIABLE = "STREAMSINK_USER"
TIMEOUT_S = 95.0
"""Longer than the worker's own bound on any request."""

_UNREACHED_HINT = "is a worker running there? --url says where its REST API listens"
_HINTS = {
    401: f"give user:password in {USER_VARIABLE}",
    404: "streamsink connectors list shows what there is",
    409: "try again, or another name",
}


def connector_path(connector: str, *parts: str) -> str:
    """The path of a connector, or of something below it."""
    return "/".join(["/connectors", quote(connector, safe=""), *parts])


def fetch(url: str, path: str) -> Any:
    """GET one JSON document; the same errors as `ask`."""
    return ask(url, "GET", path)


def ask(url: str, method: str, path: str, body: object = None) -> Any:
    """Send one request, and return the JSON that answers it, None where nothing does.

    Raises:
        ConfigError: `url` is none.
        TransientError: Nobody answers there.
        TerminalError: The worker answers with an error, or something else answers.
    """
    at = _split(url)
    host = f"[{at.hostname}]" if ":" in (at.hostname or "") else at.hostname or ""
    bare = urlunsplit((at.scheme, host + (f":{at.port}" if at.port else ""), at.path, "", "")).rstrip("/")
    data = None if body is None else json.dumps(body).encode()
    request = Request(f"{bare}{path}", data=data, method=method)  # noqa: S310 (http or https, as just checked)
    if data is not None:
        request.add_header("Content-Type", "application/json")
    user = f"{unquote(at.username)}:{unquote(at.password or '')}" if at.username else os.environ.get(USER_VARIABLE, "")
    if user:
        request.add_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
    try:
        with urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
            text = response.read()
            return json.loads(text) if text else None
    except HTTPError as error:
        raise TerminalError(_message(error), hint=_HINTS.get(error.code, "")) from None
    except (URLError, OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise TransientError(f"no worker answers at {bare}: {reason}", hint=_UNREACHED_HINT) from None
    except ValueError:
        raise TerminalError(f"what answers at {bare} is no Kafka Connect", hint=_UNREACHED_HINT) from None


def _split(url: str) -> SplitResult:
    try:
        at = urlsplit(url)
        usable = at.scheme in {"http", "https"} and bool(at.hostname) and (at.port is None or at.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError([Problem("--url", f"{url!r} is no http URL")], hint="write it as http://HOST:PORT")
    return at


def _message(error: HTTPError) -> str:
    try:
        return str(json.load(error)["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {error.code} {error.reason}"
