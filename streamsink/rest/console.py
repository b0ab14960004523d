"""Serves the console at `/ui`: its page, and the answers that Connect's REST does not have. Gives no orders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson
from fastapi import FastAPI, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from streamsink import __version__
from streamsink.config.keys.store import OPTIONS
from streamsink.config.reading.connector import parse_sink
from streamsink.config.secrets import resolve
from streamsink.config.url_passwords import HIDDEN
from streamsink.errors import ConfigError, NothingThereError, Problem, StreamsinkError
from streamsink.observe.snapshot import PartitionSnapshot
from streamsink.rest.explain import explain
from streamsink.rest.shapes import config_key, task_status
from streamsink.worker.herder import Questions
from streamsink.worker.status import ConnectorInfo, ConnectorStatus, TaskStatus

if TYPE_CHECKING:
    from streamsink.archive.days import TopicSum

Json = dict[str, Any]

OBJECTS_MAX = 50_000
"""Objects looked at in one archive: more would take longer than somebody waits."""

GAPS_MAX = 20
"""Gaps of a topic that are shown; the others are counted."""

_PAGE = files("streamsink.rest") / "console_page"
_MEDIA_TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class Console:
    """The console's rights. `worker` is the worker's flat map, secrets as references."""

    worker: Mapping[str, str]
    writable: bool = False


def install(app: FastAPI, herder: Questions, console: Console) -> None:
    """Serve the console's page, and the answers that it asks for.

    Args:
        app: Gets the routes below `/ui`.
        herder: Asked for connectors and their state. It gets no orders.
        console: Whether the page may change connectors, and the worker's flat map, with which archives are opened.
    """
    page = {each.name: each.read_bytes() for each in _PAGE.iterdir() if each.name.rpartition(".")[2] in _MEDIA_TYPES}
    answers: Mapping[str, Callable[[], Json]] = {
        "state": lambda: state(herder, writable=console.writable),
        "stores": store_options,
    }

    @app.get("/ui", include_in_schema=False)
    @app.get("/ui/{name}", include_in_schema=False)
    async def show(name: str = "index.html") -> Response:
        if name in answers:
            return _json(answers[name]())
        if name not in page:
            raise HTTPException(404)
        return Response(page[name], media_type=_MEDIA_TYPES[name.rpartition(".")[2]], headers=_HEADERS)

    @app.get("/ui/archive/{connector}", include_in_schema=False)
    async def archive(connector: str) -> Response:
        info = herder.info(connector)
        if info is None:
            raise HTTPException(404, f"Connector {connector} not found")
        try:
            return _json(await run_in_threadpool(_archive, info, console.worker))
        except NothingThereError:
            return _json({"complete": True, "topics": []})
        except StreamsinkError as error:
            return _json({"problem": str(error)})


def _json(body: Json) -> Response:
    return Response(orjson.dumps(body), media_type="application/json", headers={"Cache-Control": "no-store"})


def store_options() -> Json:
    """The keys `archive.option.*` of each kind of store, by the scheme of its URLs."""
    return {scheme: [config_key(key) for key in keys] for scheme, keys in OPTIONS.items()}


def state(herder: Questions, *, writable: bool) -> Json:
    """Tell all connectors with their tasks, and the figures that this worker has measured.

    Args:
        herder: Asked once a connector.
        writable: Whether the page may change connectors.

    Returns:
        An object for JSON. A connector that is deleted meanwhile is left out.
    """
    shown = [(herder.info(name), herder.status(name)) for name in herder.connectors()]
    return {
        "worker_id": herder.worker_id,
        "version": __version__,
        "writable": writable,
        "trouble": "; ".join(herder.live().problems),
        "connectors": [_connector(info, status) for info, status in shown if info is not None and status is not None],
    }


def _connector(info: ConnectorInfo, status: ConnectorStatus) -> Json:
    tasks = [_task(task) for task in sorted(status.tasks, key=lambda task: task.task_id)]
    snapshots = [task.snapshot for task in status.tasks if task.snapshot is not None]
    return {
        "name": info.name,
        "type": info.type,
        "state": status.state.value,
        "failure": _failure(status.trace),
        "retrying": "; ".join(task["retrying"] for task in tasks if task["retrying"]),
        "guarantee": next((each.guarantee for each in snapshots if each.guarantee), ""),
        "config": dict(info.config),
        "tasks": tasks,
        "lag": _total(task["lag"] for task in tasks),
        "oldest_unstored_s": max((task["oldest_unstored_s"] or 0.0 for task in tasks), default=0.0),
        "records_total": sum(each.records_total for each in snapshots),
        "bytes_total": sum(each.bytes_total for each in snapshots),
    }


def _task(task: TaskStatus) -> Json:
    snapshot = task.snapshot
    partitions = list(snapshot.partitions.values()) if snapshot else []
    ages = [each.oldest_unstored_s for each in partitions if each.oldest_unstored_s is not None]
    shape = task_status(task)
    return {
        "id": task.task_id,
        "state": task.state.value,
        "worker_id": task.worker_id,
        "failure": _failure(task.trace),
        "retrying": task.retrying,
        "stalled": shape.get("stalled", ""),
        "warning": shape.get("warning", ""),
        "progress": shape.get("progress"),
        "restarts_total": task.restarts_total,
        "records_total": snapshot.records_total if snapshot else None,
        "objects_stored_total": snapshot.objects_stored_total if snapshot else None,
        "memory_bytes": snapshot.memory_bytes if snapshot else None,
        "lag": _total(map(_lag, partitions)),
        "oldest_unstored_s": max(ages, default=0.0) if snapshot else None,
    }


def _failure(trace: str) -> Json | None:
    return asdict(explain(trace)) if trace else None


def _lag(partition: PartitionSnapshot) -> int | None:
    if partition.end is None:
        return None
    return max(0, partition.end - (partition.frontier if partition.committed is None else partition.committed))


def _total(numbers: Iterable[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _archive(info: ConnectorInfo, worker: Mapping[str, str]) -> Json:
    """Tell the content of a sink's archive, by the configuration that is shown: its secrets must be references."""
    if hidden := [key for key, value in info.config.items() if HIDDEN in value]:
        raise ConfigError(
            [Problem(key, "is written out, and is not shown to the console either") for key in hidden],
            hint="write secrets as references (${env:NAME}), and the console can look at the archive",
        )
    config, _ = parse_sink(resolve(dict(info.config)), resolve(worker))
    # A worker's start need not wait for what reads archives.
    from streamsink.archive.days import by_day  # noqa: PLC0415
    from streamsink.archive.listing import list_objects  # noqa: PLC0415
    from streamsink.archive.open import open_archive  # noqa: PLC0415

    archive = open_archive(f"{config.archive_url.rstrip('/')}/{config.naming.topics_dir}", config.archive_options)
    try:
        objects = list(islice(list_objects(archive), OBJECTS_MAX + 1))
    finally:
        archive.store.close()
    topics = by_day(objects[:OBJECTS_MAX])
    return {
        "complete": len(objects) <= OBJECTS_MAX,
        "topics": [{"topic": name, **_topic(topic)} for name, topic in topics.items()],
    }


def _topic(topic: TopicSum) -> Json:
    days = [
        {"day": day, "objects": each.objects, "records": each.records, "bytes": each.size_bytes}
        for day, each in topic.days.items()
    ]
    gaps = topic.gaps()
    shown = [{"partition": at, "first": first, "last": last} for at, first, last in islice(gaps, GAPS_MAX)]
    return {
        "objects": topic.objects,
        "records": topic.records,
        "bytes": topic.size_bytes,
        "offsets_missing": topic.offsets_missing,
        "gaps": shown,
        "gaps_more": sum(1 for _ in gaps),
        "days": days,
    }
