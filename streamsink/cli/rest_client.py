"""Asks a worker's REST API, and puts what goes wrong into words. Prints nothing."""

from __future__ import annotations

import base64
import json
import os
from http import HTTPStatus
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from streamsink.errors import ConfigError, Problem, StreamsinkError, TerminalError, TransientError

DEFAULT_URL = "http://127.0.0.1:8083"
USER_VARIABLE = "STREAMSINK_USER"
TIMEOUT_S = 95.0
"""Longer than the worker's own bound on any request."""

_UNREACHED_HINT = "is a worker running there? --url says where its REST API listens"
_INVALID = "Connector configuration is invalid and contains the following"
_HINTS = {
    401: f"give user:password in {USER_VARIABLE}",
    404: "streamsink connectors list shows what there is",
    409: "create --replace changes one that is there; if connectors are changing hands, try again",
}


def connector_path(connector: str, *parts: str) -> str:
    """Make the path of a connector, or of something below it.

    Args:
        connector: The connector's name, which is quoted.
        *parts: Further parts of the path, put in as they are.
    """
    return "/".join(["/connectors", quote(connector, safe=""), *parts])


def fetch(url: str, path: str) -> Any:
    """GET one JSON document. Raises as `ask`.

    Args:
        url: The worker's, with user and password or without.
        path: Begins with a slash.

    Returns:
        The document.
    """
    return ask(url, "GET", path)


def ask(url: str, method: str, path: str, body: object = None) -> Any:
    """Send one request, and return the JSON that answers it.

    Args:
        url: The worker's. It may hold user and password, which otherwise come from the environment.
        method: The HTTP method.
        path: Begins with a slash; it may hold a query.
        body: Sent as JSON; None for no body.

    Returns:
        The document, None where the answer is empty.

    Raises:
        ConfigError: `url` is none, or the worker can't use a connector's configuration.
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
        raise _refused(_message(error), error.code) from None
    except (URLError, OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        reason = (reason.strerror if isinstance(reason, OSError) else None) or reason
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


def _refused(message: str, code: int) -> StreamsinkError:
    """What a worker's answer means; Connect lists what is wrong with a configuration between a head and a foot."""
    if code == HTTPStatus.BAD_REQUEST and message.startswith(_INVALID):
        pairs = [line.partition(": ") for line in message.splitlines()[1:-1]]
        return ConfigError([Problem(key, said) for key, _, said in pairs], hint="nothing was changed")
    return TerminalError(message, hint=_HINTS.get(code, ""))


def _message(error: HTTPError) -> str:
    try:
        return str(json.load(error)["message"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP {error.code} {error.reason}"
