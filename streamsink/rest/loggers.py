"""Connect's `/admin/loggers`. Sets no level itself."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, Response
from starlette.exceptions import HTTPException

from streamsink.errors import BadRequestError
from streamsink.rest.strict_json import StrictRoute
from streamsink.worker.herder import Herder
from streamsink.worker.status import LoggerLevel

NAME_CHARS_MAX = 500


def loggers_router(herder: Herder) -> APIRouter:
    """Make every endpoint below `/admin`."""
    router = APIRouter(route_class=StrictRoute, tags=["admin"])

    @router.get("/admin/loggers")
    async def loggers() -> dict[str, Any]:
        """Loggers whose level was set."""
        return {name: _shape(level) for name, level in sorted(herder.loggers().items())}

    @router.get("/admin/loggers/{logger}")
    async def logger_level(logger: str) -> dict[str, Any]:
        """The level of one logger."""
        level = herder.loggers().get(logger)
        if level is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, f"Logger {logger} not found.")
        return _shape(level)

    @router.put("/admin/loggers/{logger}", response_model=list[str], responses={204: {"description": "Set everywhere"}})
    def set_level(
        logger: str, body: Annotated[dict[str, str | None], Body(examples=[{"level": "DEBUG"}])], scope: str = "worker"
    ) -> Any:
        """Log from `level` on: on this worker, or with `scope=cluster` on all."""
        level = body.get("level")
        if level is None:
            raise BadRequestError("Desired 'level' parameter was not specified in request.")
        if len(logger) > NAME_CHARS_MAX or not logger.isprintable():
            raise BadRequestError("no logger has such a name")
        cluster = scope.lower() == "cluster"
        changed = herder.set_logger(logger, level, cluster=cluster)
        return Response(status_code=HTTPStatus.NO_CONTENT) if cluster else changed

    return router


def _shape(level: LoggerLevel) -> dict[str, Any]:
    return {"level": level.level, "last_modified": level.last_modified_ms}
