"""Gives every error Connect's JSON body, and refuses bodies that are too large. Knows no connector."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES_MAX = 1024 * 1024
DISCARD_BYTES_MAX = 64 * 1024 * 1024
DISCARD_S = 5.0

_log = structlog.get_logger(__name__)


def error_response(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Connect's error body under its status."""
    return JSONResponse({"error_code": status, "message": message}, status_code=status, headers=headers)


def install(app: FastAPI) -> None:
    """Make `app` answer every error as Connect does."""
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(Exception, _unexpected)


async def _http_error(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    # What the router raises by itself has the bare phrase as its detail; Connect's server says it in these words.
    message = f"HTTP {error.status_code} {phrase}" if error.detail == phrase else str(error.detail)
    return error_response(error.status_code, message, dict(error.headers or {}))


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
        # The server drops the body of an answer to HEAD by itself; it looks at its own scope, hence the copy.
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        path = scope["path"].rstrip("/") or "/"
        await self._app({**scope, "method": method, "path": path}, _bounded(receive), send)


async def _discard(receive: Receive, length: bytes) -> None:
    """Read a body that is refused, for most clients send all of it before they look for an answer."""
    if not length.isdigit() or int(length) > DISCARD_BYTES_MAX:
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_S):
            while (await receive()).get("more_body", False):
                pass


def _bounded(receive: Receive) -> Receive:
    left = BODY_BYTES_MAX

    async def bounded() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise _BodyTooLargeError
        return message

    return bounded
