"""Reads bodies as JSON that means one thing: a key given twice, NaN and Infinity are refused. Knows no field."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, NoReturn

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute


class StrictRoute(APIRoute):
    """A route whose handler gets its body read strictly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own handler, over a stricter request."""
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return strictly


class _StrictRequest(Request):
    async def json(self) -> Any:
        return json.loads(await self.body(), object_pairs_hook=_each_once, parse_constant=_no_number)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"{_shown(twice)} is given twice")
    return found


def _no_number(text: str) -> NoReturn:
    raise HTTPException(HTTPStatus.BAD_REQUEST, f"{text} is no number of JSON's")


def _shown(text: str) -> str:
    return text[:100].encode("ascii", "backslashreplace").decode()
