"""Kafka Connect's REST API over a herder, and health and metrics beside it. Decides nothing about connectors."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import FastAPI, Query, Response
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request

from streamsink import __version__
from streamsink.rest import errors, shapes
from streamsink.rest.console import Console
from streamsink.rest.console import install as install_console
from streamsink.worker.herder import Questions
from streamsink.worker.status import ConnectorInfo

COMMIT = "unknown"

ClusterId = Callable[[], str | None]
"""The Kafka cluster's id, or None while it is not known. May block, within a bound."""


def make_app(
    herder: Questions, *, registry: CollectorRegistry, cluster_id: ClusterId, console: Console | None = None
) -> FastAPI:
    """The application that answers for `herder`, with a console if wanted."""
    app = FastAPI(title="streamsink", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False)
    errors.install(app)
    app.add_middleware(errors.RequestShape)
    _add_root(app, cluster_id)
    _add_connectors(app, herder)
    _add_tasks(app, herder)
    _add_health(app, herder)
    _add_metrics(app, registry)
    if console is not None:
        install_console(app, herder, console)
    return app


def _not_found(message: str) -> HTTPException:
    return HTTPException(HTTPStatus.NOT_FOUND, message)


def _add_root(app: FastAPI, cluster_id: ClusterId) -> None:
    @app.get("/")
    async def root() -> dict[str, str | None]:
        """Version of the worker and the Kafka cluster it works for."""
        return {"version": __version__, "commit": COMMIT, "kafka_cluster_id": await run_in_threadpool(cluster_id)}


def _info(herder: Questions, connector: str) -> ConnectorInfo:
    info = herder.info(connector)
    if info is None:
        raise _not_found(f"Connector {connector} not found")
    return info


def _expanded(herder: Questions, connector: str, expand: list[str]) -> dict[str, Any] | None:
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


def _add_connectors(app: FastAPI, herder: Questions) -> None:
    @app.get("/connectors")
    async def connectors(expand: Annotated[list[str] | None, Query()] = None) -> Any:
        """Names of all connectors; with `expand`, their status and configuration as well."""
        names = herder.connectors()
        if not expand:
            return names
        shown = ((name, _expanded(herder, name, expand)) for name in names)
        return {name: shape for name, shape in shown if shape is not None}

    @app.get("/connectors/{connector}")
    async def connector_info(connector: str) -> dict[str, Any]:
        """Configuration and tasks of a connector."""
        return shapes.connector_info(_info(herder, connector))

    @app.get("/connectors/{connector}/config")
    async def connector_config(connector: str) -> dict[str, str]:
        """Configuration of a connector, secrets masked."""
        return dict(_info(herder, connector).config)

    @app.get("/connectors/{connector}/status")
    async def connector_status(connector: str) -> dict[str, Any]:
        """State of a connector and its tasks."""
        status = herder.status(connector)
        if status is None:
            raise _not_found(f"No status found for connector {connector}")
        return shapes.connector_status(status)

    @app.get("/connector-plugins")
    async def plugins() -> list[dict[str, Any]]:
        """The connector classes this worker runs."""
        return [shapes.plugin(each) for each in herder.plugins()]


def _add_tasks(app: FastAPI, herder: Questions) -> None:
    @app.get("/connectors/{connector}/tasks")
    async def tasks(connector: str) -> list[dict[str, Any]]:
        """Tasks of a connector with their configuration."""
        return shapes.tasks(_info(herder, connector))

    @app.get("/connectors/{connector}/tasks/{task}/status")
    async def task_status(connector: str, task: str) -> dict[str, Any]:
        """State of one task."""
        if not (task.isascii() and task.isdecimal()):
            raise HTTPException(HTTPStatus.NOT_FOUND)
        status = herder.task_status(connector, int(task[:10]))
        if status is None:
            raise _not_found(f"No status found for task {connector}-{task}")
        return shapes.task_status(status)


def _add_health(app: FastAPI, herder: Questions) -> None:
    @app.get("/health")
    async def health() -> JSONResponse:
        """Connect's verdict on the worker itself: healthy, or unhealthy."""
        verdict = herder.live()
        status = HTTPStatus.OK if verdict.ok else HTTPStatus.INTERNAL_SERVER_ERROR
        return JSONResponse(shapes.health(verdict, good="healthy", bad="unhealthy"), status)

    @app.get("/health/live")
    async def live() -> JSONResponse:
        """200 while the worker's loop goes round; 503 means that it should be started again."""
        verdict = herder.live()
        status = HTTPStatus.OK if verdict.ok else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse(shapes.health(verdict, good="live", bad="hanging"), status)

    @app.get("/health/ready")
    async def ready() -> JSONResponse:
        """200 while every task that should run reports and polls; 503 with the reasons otherwise."""
        verdict = herder.ready()
        status = HTTPStatus.OK if verdict.ok else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse(shapes.health(verdict, good="ready", bad="not ready"), status)


def _add_metrics(app: FastAPI, registry: CollectorRegistry) -> None:
    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        """Prometheus or OpenMetrics text, as the client prefers."""
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(await run_in_threadpool(encode, registry), media_type=content_type)
