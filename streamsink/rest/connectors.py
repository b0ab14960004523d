"""Connect's `/connectors`: asks the herder, and has it do what clients want. Decides nothing about connectors."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Body, Depends, Query, Response
from starlette.exceptions import HTTPException
from starlette.requests import Request

from streamsink.errors import ForbiddenError, NotFoundError, RequestTimeoutError
from streamsink.rest import shapes
from streamsink.rest.bodies import Config, CreateConnector, Offsets, clean, config_of, patch_of
from streamsink.rest.strict_json import StrictRoute
from streamsink.worker.herder import Herder
from streamsink.worker.status import ConnectorInfo, TargetState

REQUEST_TIMEOUT_S = 90.0
"""Connect's."""
LOOK_AGAIN_S = 0.05

BODY = Body(description="The connector's whole configuration")


def connectors_router(herder: Herder, *, topic_tracking: bool = True, topic_reset: bool = True) -> APIRouter:
    """Make every endpoint below `/connectors`.

    Args:
        herder: Answers questions and takes orders.
        topic_tracking: Whether `/topics` answers; 403 otherwise.
        topic_reset: Whether `/topics/reset` is allowed.
    """
    router = APIRouter(route_class=StrictRoute, tags=["connectors"], dependencies=[Depends(_when_started(herder))])
    _add_reads(router, herder)
    _add_writes(router, herder)
    _add_states(router, herder)
    _add_tasks(router, herder)
    _add_topics(router, herder, topic_tracking=topic_tracking, topic_reset=topic_reset)
    _add_offsets(router, herder)
    return router


def _when_started(herder: Herder) -> Callable[[], Awaitable[None]]:
    """Lets requests wait while the worker doesn't know the connectors yet, as Connect does."""

    async def wait() -> None:
        deadline_s = time.monotonic() + REQUEST_TIMEOUT_S
        while starting := herder.starting():
            if time.monotonic() >= deadline_s:
                raise RequestTimeoutError(f"Request timed out. {starting}", hint="try again")
            await asyncio.sleep(LOOK_AGAIN_S)

    return wait


def _not_found(message: str) -> HTTPException:
    return HTTPException(HTTPStatus.NOT_FOUND, message)


@contextmanager
def _unknown(message: str) -> Iterator[None]:
    """Connect's words, here, for a connector that is unknown."""
    try:
        yield
    except NotFoundError as error:
        raise _not_found(error.message if error.message.startswith("Unknown task") else message) from None


def _info(herder: Herder, connector: str) -> ConnectorInfo:
    info = herder.info(connector)
    if info is None:
        raise _not_found(f"Connector {connector} not found")
    return info


def _expanded(herder: Herder, connector: str, expand: list[str]) -> dict[str, Any] | None:
    """What was asked for about one connector; None when it has just gone. An unknown expansion adds nothing."""
    info, status = herder.info(connector), herder.status(connector)
    if info is None or status is None:
        return None
    shape: dict[str, Any] = {}
    if "status" in expand:
        shape["status"] = shapes.connector_status(status)
    if "info" in expand:
        shape["info"] = shapes.connector_info(info)
    return shape


def _add_reads(router: APIRouter, herder: Herder) -> None:
    @router.get("/connectors")
    async def connectors(expand: Annotated[list[str] | None, Query()] = None) -> Any:
        """Names of all connectors; with `expand`, their status and configuration as well."""
        names = herder.connectors()
        if not expand:
            return names
        shown = ((name, _expanded(herder, name, expand)) for name in names)
        return {name: shape for name, shape in shown if shape is not None}

    @router.get("/connectors/{connector}")
    async def connector_info(connector: str) -> dict[str, Any]:
        """Configuration and tasks of a connector."""
        return shapes.connector_info(_info(herder, connector))

    @router.get("/connectors/{connector}/config")
    async def connector_config(connector: str) -> dict[str, str]:
        """Configuration of a connector, secrets masked."""
        return dict(_info(herder, connector).config)

    @router.get("/connectors/{connector}/status")
    async def connector_status(connector: str) -> dict[str, Any]:
        """State of a connector and its tasks."""
        status = herder.status(connector)
        if status is None:
            raise _not_found(f"No status found for connector {connector}")
        return shapes.connector_status(status)


LEFT_ALONE = "!$&'()*+,;=:@"
"""Beside letters, digits and `-._~`, what Connect doesn't escape in a path."""


def _location(request: Request, connector: str) -> str:
    return f"{str(request.base_url).rstrip('/')}/connectors/{quote(connector, safe=LEFT_ALONE)}"


def _just_made(info: ConnectorInfo) -> ConnectorInfo:
    """A connector as Connect shows it right after it was made: its tasks follow."""
    return replace(info, task_ids=())


def _add_writes(router: APIRouter, herder: Herder) -> None:
    @router.post("/connectors", status_code=HTTPStatus.CREATED)
    def create(body: CreateConnector, request: Request, response: Response) -> dict[str, Any]:
        """Make a connector."""
        name = clean((body.name or "").strip(), "name")
        config = config_of(body.config, name)
        made = herder.create(name, config, body.initial_state or TargetState.RUNNING)
        response.headers["location"] = _location(request, name)
        return shapes.connector_info(_just_made(made))

    @router.put("/connectors/{connector}/config", responses={201: {"description": "Made"}})
    def put_config(
        connector: str, config: Annotated[Config, BODY], request: Request, response: Response
    ) -> dict[str, Any]:
        """Replace a connector's whole configuration, or make the connector."""
        info, created = herder.put_config(connector, config_of(config, connector))
        if created:
            response.status_code = HTTPStatus.CREATED
            response.headers["location"] = _location(request, connector)
        return shapes.connector_info(_just_made(info) if created else info)

    @router.patch("/connectors/{connector}/config")
    def patch_config(connector: str, config: Annotated[Config, Body()]) -> dict[str, Any]:
        """Set some keys of a connector's configuration; null removes one."""
        patch = patch_of(config)
        if patch.get("name", connector) != connector:
            config_of({"name": patch["name"]}, connector)
        with _unknown(f"Connector {connector} not found"):
            return shapes.connector_info(herder.patch_config(connector, patch))

    @router.delete("/connectors/{connector}", status_code=HTTPStatus.NO_CONTENT, response_class=Response)
    def delete(connector: str) -> None:
        """Forget a connector; its consumer group stays."""
        with _unknown(f"Connector {connector} not found"):
            herder.delete(connector)


def _add_states(router: APIRouter, herder: Herder) -> None:
    @router.post(
        "/connectors/{connector}/restart",
        status_code=HTTPStatus.NO_CONTENT,
        response_model=None,
        responses={202: {"description": "Begun"}},
    )
    def restart(
        connector: str,
        response: Response,
        include_tasks: Annotated[str, Query(alias="includeTasks")] = "false",
        only_failed: Annotated[str, Query(alias="onlyFailed")] = "false",
    ) -> dict[str, Any] | Response:
        """Restart a connector, or with `includeTasks` its tasks as well, or with `onlyFailed` what has failed."""
        # Java's Boolean.parseBoolean: whatever is not true is false.
        tasks, failed = (text.strip().lower() == "true" for text in (include_tasks, only_failed))
        with _unknown(f"Unknown connector: {connector}"):
            status = herder.restart(connector, include_tasks=tasks, only_failed=failed)
        if not tasks and not failed:
            return Response(status_code=HTTPStatus.NO_CONTENT)
        response.status_code = HTTPStatus.ACCEPTED
        return shapes.connector_status(status)

    def state(connector: str, target: TargetState, status: HTTPStatus) -> Response:
        with _unknown(f"Unknown connector {connector}"):
            herder.set_target(connector, target)
        return Response(status_code=status)

    @router.put("/connectors/{connector}/pause", status_code=HTTPStatus.ACCEPTED, response_class=Response)
    def pause(connector: str) -> Response:
        """Have the tasks store and commit what they have read, and rest."""
        return state(connector, TargetState.PAUSED, HTTPStatus.ACCEPTED)

    @router.put("/connectors/{connector}/resume", status_code=HTTPStatus.ACCEPTED, response_class=Response)
    def resume(connector: str) -> Response:
        """Have the tasks run again."""
        return state(connector, TargetState.RUNNING, HTTPStatus.ACCEPTED)

    @router.put("/connectors/{connector}/stop", status_code=HTTPStatus.NO_CONTENT, response_class=Response)
    def stop(connector: str) -> Response:
        """End the tasks, so that offsets may be changed."""
        return state(connector, TargetState.STOPPED, HTTPStatus.NO_CONTENT)

    @router.post("/connectors/{connector}/flush")
    def flush(connector: str) -> dict[str, str]:
        """Close, store and commit all that the tasks have read by now; answers once that is done. Not Connect's."""
        with _unknown(f"Connector {connector} not found"):
            herder.flush(connector)
        return {"message": f"All that connector {connector} had read is stored and committed"}


def _task_number(task: str) -> int:
    if not (task.isascii() and task.isdecimal()):
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return int(task[:10])


def _add_tasks(router: APIRouter, herder: Herder) -> None:
    @router.get("/connectors/{connector}/tasks")
    async def tasks(connector: str) -> list[dict[str, Any]]:
        """Tasks of a connector with their configuration."""
        return shapes.tasks(_info(herder, connector))

    @router.get("/connectors/{connector}/tasks/{task}/status")
    async def task_status(connector: str, task: str) -> dict[str, Any]:
        """State of one task."""
        number = _task_number(task)
        status = herder.task_status(connector, number)
        if status is None:
            raise _not_found(f"No status found for task {connector}-{task}")
        return shapes.task_status(status)

    @router.post(
        "/connectors/{connector}/tasks/{task}/restart", status_code=HTTPStatus.NO_CONTENT, response_class=Response
    )
    def restart_task(connector: str, task: str) -> None:
        """Restart one task."""
        number = _task_number(task)
        with _unknown(f"Unknown connector: {connector}"):
            herder.restart_task(connector, number)


def _add_topics(router: APIRouter, herder: Herder, *, topic_tracking: bool, topic_reset: bool) -> None:
    @router.get("/connectors/{connector}/topics")
    async def topics(connector: str) -> dict[str, Any]:
        """Topics a connector has used; none for one that is unknown, as Connect says."""
        if not topic_tracking:
            raise ForbiddenError("Topic tracking is disabled.")
        return {connector: {"topics": herder.topics(connector) or []}}

    @router.put("/connectors/{connector}/topics/reset", status_code=HTTPStatus.ACCEPTED, response_class=Response)
    def reset_topics(connector: str) -> Response:
        """Forget which topics a connector has used."""
        if not topic_tracking:
            raise ForbiddenError("Topic tracking is disabled.")
        if not topic_reset:
            raise ForbiddenError("Topic tracking reset is disabled.")
        if herder.topics(connector) is not None:
            herder.reset_topics(connector)
        return Response(status_code=HTTPStatus.ACCEPTED)


def _add_offsets(router: APIRouter, herder: Herder) -> None:
    path = "/connectors/{connector}/offsets"

    @router.get(path)
    def offsets(connector: str) -> dict[str, Any]:
        """What a connector has committed."""
        with _unknown(f"Connector {connector} not found"):
            entries = herder.offsets(connector)
        return {"offsets": [{"partition": dict(each.partition), "offset": each.offset} for each in entries]}

    @router.patch(path)
    def alter_offsets(connector: str, body: Offsets) -> dict[str, str]:
        """Set some offsets of a stopped connector; null removes one."""
        entries = body.entries()
        with _unknown(f"Connector {connector} not found"):
            return {"message": herder.alter_offsets(connector, entries)}

    @router.delete(path)
    def reset_offsets(connector: str) -> dict[str, str]:
        """Remove all offsets of a stopped connector."""
        with _unknown(f"Connector {connector} not found"):
            return {"message": herder.reset_offsets(connector)}
