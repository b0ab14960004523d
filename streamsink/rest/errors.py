"""Gives every error Connect's JSON body, and refuses bodies that are too large. Knows no connector."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from streamsink.errors import (
    BadRequestError,
    ConfigError,
    ForbiddenError,
    NameTakenError,
    NotFoundError,
    RebalanceError,
    RequestError,
    StreamsinkError,
)
from streamsink.rest.bodies import invalid

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES_MAX = 1024 * 1024
DISCARD_BYTES_MAX = 64 * 1024 * 1024
DISCARD_S = 5.0
BODY_S = 20.0
"""How long a body may take to come."""

STATUSES: dict[type[RequestError], HTTPStatus] = {
    NotFoundError: HTTPStatus.NOT_FOUND,
    NameTakenError: HTTPStatus.CONFLICT,
    RebalanceError: HTTPStatus.CONFLICT,
    BadRequestError: HTTPStatus.BAD_REQUEST,
    ForbiddenError: HTTPStatus.FORBIDDEN,
}
"""What is none of these is a 500."""


class ErrorBody(BaseModel):
    """Connect's body of every error."""

    error_code: int
    message: str


_DESCRIPTIONS = {
    400: "The request can't be used",
    401: "Who are you?",
    403: "Forbidden by the worker's configuration",
    404: "There is no such thing",
    405: "Not with this method",
    408: "The body came too slowly",
    409: "It exists already, or connectors are changing hands: try again",
    413: "The body is too large",
    415: "The body is no JSON",
    429: "Too many requests",
    500: "It failed, or did not happen in time",
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": text} for status, text in _DESCRIPTIONS.items()
}
"""For the description of the API."""

_log = structlog.get_logger(__name__)


def error_response(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Make Connect's error body.

    Args:
        status: The HTTP status; it is also the body's `error_code`.
        message: One line for the operator.
        headers: More headers; None for none.
    """
    return JSONResponse({"error_code": status, "message": message}, status_code=status, headers=headers)


def install(app: FastAPI) -> None:
    """Make `app` answer every error as Connect does."""
    app.add_exception_handler(StreamsinkError, _ours)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(Exception, _unexpected)


async def _http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    # What the router raises by itself has the bare phrase as its detail; Connect's server says it in these words.
    message = f"HTTP {error.status_code} {phrase}" if error.detail == phrase else str(error.detail)
    return error_response(error.status_code, message, dict(error.headers or {}))


async def _ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StreamsinkError)
    if isinstance(error, ConfigError):
        error = invalid([f"{problem.key}: {problem.message}" for problem in error.problems])
    status = next((status for kind, status in STATUSES.items() if isinstance(error, kind)), None)
    if status is None:
        _log.warning("request failed", method=request.method, path=request.url.path, error=str(error))
    return error_response(status or HTTPStatus.INTERNAL_SERVER_ERROR, str(error))


async def _invalid_request(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problems = "; ".join(f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors())
    return error_response(HTTPStatus.BAD_REQUEST, problems)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    _log.error("request failed", method=request.method, path=request.url.path, error=repr(error))
    return error_response(HTTPStatus.INTERNAL_SERVER_ERROR, f"{type(error).__name__}; the worker's log says more")


class _BodyTooLargeError(HTTPException):
    """Raised inside the application when a body without a length passes the bound."""

    def __init__(self) -> None:
        super().__init__(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {BODY_BYTES_MAX} bytes")


class RequestShape:
    """ASGI middleware: bodies are bounded, HEAD is answered as GET, and a trailing slash means nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"0")
        if not length.isdigit() or int(length) > BODY_BYTES_MAX:
            await _discard(receive, length)
            error = _BodyTooLargeError()
            await error_response(error.status_code, error.detail, {"connection": "close"})(scope, receive, send)
            return
        refusal = _refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        # The server drops the body of an answer to HEAD by itself; it looks at its own scope, hence the copy.
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        path = scope["path"].rstrip("/") or "/"
        await self._app({**scope, "method": method, "path": path}, _bounded(receive), send)


_HIDDEN_PARTS = re.compile(rb"%(2f|5c|0.|1.|7f|c2%[89].)", re.IGNORECASE)
"""Slashes and control characters that only show once a path is decoded."""

_BODIES = frozenset({"POST", "PUT", "PATCH"})


def _refusal(scope: Scope) -> JSONResponse | None:
    """Find the requests that are refused for their path or kind of body, before anything looks at them."""
    raw = scope.get("raw_path") or scope["path"].encode()
    parts = scope["path"].split("/")
    if _HIDDEN_PARTS.search(raw) or "\\" in scope["path"] or ".." in parts or "." in parts:
        return error_response(HTTPStatus.BAD_REQUEST, "The path has a hidden slash, a dot alone or a control character")
    headers = dict(scope["headers"])
    has_body = headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    # A body of no kind is refused as well: browsers let any page send those.
    if has_body and scope["method"] in _BODIES and kind != b"application/json":
        status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        return error_response(status, f"HTTP {status.value} {status.phrase}")
    return None


async def _discard(receive: Receive, length: bytes) -> None:
    """Read a body that is refused, for most clients send all of it before they look for an answer."""
    if not length.isdigit() or int(length) > DISCARD_BYTES_MAX:
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_S):
            while (await receive()).get("more_body", False):
                pass


def _bounded(receive: Receive) -> Receive:
    """A body has a size and a time; what comes after it has neither."""
    left, whole = BODY_BYTES_MAX, False
    deadline = asyncio.get_running_loop().time() + BODY_S

    async def bounded() -> Message:
        nonlocal left, whole
        if whole:
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, f"The body took longer than {BODY_S:.0f} s") from None
        whole = not message.get("more_body", False)
        left -= len(message.get("body", b""))
        if left < 0:
            raise _BodyTooLargeError
        return message

    return bounded
