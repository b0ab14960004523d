"""Kafka Connect's REST API over a herder, and health and metrics beside it. Decides nothing about connectors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from streamsink import __version__
from streamsink.rest import errors, shapes
from streamsink.rest.access import Access, Gate
from streamsink.rest.connectors import connectors_router
from streamsink.rest.console import Console
from streamsink.rest.console import install as install_console
from streamsink.rest.loggers import loggers_router
from streamsink.rest.plugins import plugins_router
from streamsink.worker.herder import Herder
from streamsink.worker.validation import Validate

COMMIT = "unknown"

ClusterId = Callable[[], str | None]
"""The Kafka cluster's id, or None while it is not known. May block, within a bound."""


@dataclass(frozen=True, slots=True)
class RestSettings:
    """REST's part of the worker's configuration. `admin` is whether loggers are served beside the rest."""

    topic_tracking: bool = True
    topic_reset: bool = True
    admin: bool = True
    access: Access = field(default_factory=Access)


def make_app(
    herder: Herder,
    *,
    registry: CollectorRegistry,
    cluster_id: ClusterId,
    validate: Validate,
    settings: RestSettings | None = None,
    console: Console | None = None,
    dead: Callable[[], Iterable[str]] = tuple,
) -> FastAPI:
    """Make the application that answers for a herder.

    Args:
        herder: Answers questions and takes orders.
        registry: What `/metrics` shows.
        cluster_id: Asked for `/`.
        validate: Checks a connector's flat map.
        settings: Topic tracking, access, and whether loggers are served here; None for the defaults.
        console: The console at `/ui`; None leaves it out.
        dead: Why vital threads died, one text for each; asked at each look at the worker's health.

    Returns:
        The application, without a listener.
    """
    settings = settings or RestSettings()
    app = _bare_app(settings.access)
    _add_root(app, cluster_id)
    app.include_router(
        connectors_router(herder, topic_tracking=settings.topic_tracking, topic_reset=settings.topic_reset)
    )
    app.include_router(plugins_router(herder, validate))
    if settings.admin:
        app.include_router(loggers_router(herder))
    _add_health(app, herder, dead)
    _add_metrics(app, registry)
    if console is not None:
        install_console(app, herder, console)
    return app


def make_admin_app(herder: Herder, access: Access) -> FastAPI:
    """Make the application of `admin.listeners`: loggers, and nothing else.

    Args:
        herder: Holds the loggers' levels.
        access: Who may ask, and how often.
    """
    app = _bare_app(access)
    app.include_router(loggers_router(herder))
    return app


def _bare_app(access: Access) -> FastAPI:
    app = FastAPI(
        title="streamsink",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=errors.RESPONSES,
        generate_unique_id_function=lambda route: route.name,
    )
    errors.install(app)
    _describe(app)
    app.add_middleware(errors.RequestShape)
    app.add_middleware(Gate, access=access)
    return app


def _describe(app: FastAPI) -> None:
    """Describe the API as it is: unusable requests get Connect's 400, never FastAPI's 422."""
    describe = app.openapi

    def described() -> dict[str, Any]:
        shape = describe()
        for path in shape["paths"].values():
            for operation in path.values():
                operation.get("responses", {}).pop("422", None)
        for name in ("HTTPValidationError", "ValidationError"):
            shape.get("components", {}).get("schemas", {}).pop(name, None)
        return shape

    app.openapi = described  # type: ignore[method-assign]


def _add_root(app: FastAPI, cluster_id: ClusterId) -> None:
    @app.get("/")
    async def root() -> dict[str, str | None]:
        """Version of the worker and the Kafka cluster it works for."""
        return {"version": __version__, "commit": COMMIT, "kafka_cluster_id": await run_in_threadpool(cluster_id)}


def _add_health(app: FastAPI, herder: Herder, dead: Callable[[], Iterable[str]]) -> None:
    @app.get("/health")
    async def health() -> JSONResponse:
        """Connect's verdict on the worker: healthy, or unhealthy. `problems`, ours, has its connectors' as well."""
        verdict = herder.live().also(dead())
        status = HTTPStatus.OK if verdict.ok else HTTPStatus.INTERNAL_SERVER_ERROR
        said = "Worker has completed startup and is ready to handle requests."
        message = said if verdict.ok else "; ".join(verdict.problems)
        problems = [*verdict.problems, *herder.ready().problems]
        return JSONResponse(
            {"status": "healthy" if verdict.ok else "unhealthy", "message": message, "problems": problems}, status
        )

    @app.get("/health/live", responses={503: {"description": "It is not"}})
    async def live() -> JSONResponse:
        """200 while the worker's loop goes round and its threads live; 503 means that it should be started again."""
        verdict = herder.live().also(dead())
        status = HTTPStatus.OK if verdict.ok else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse(shapes.health(verdict, good="live", bad="hanging"), status)

    @app.get("/health/ready", responses={503: {"description": "It is not"}})
    async def ready() -> JSONResponse:
        """200 while it takes requests, 503 as it starts or stops. `problems` names connectors that don't run."""
        verdict = herder.ready()
        status = HTTPStatus.OK if verdict.ok else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse(shapes.health(verdict, good="ready", bad="not ready"), status)


def _add_metrics(app: FastAPI, registry: CollectorRegistry) -> None:
    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        """Prometheus or OpenMetrics text, as the client prefers."""
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(await run_in_threadpool(encode, registry), media_type=content_type)
