"""The console at `/ui`: one page and the two answers it asks for. Gives no orders: those go to Connect's REST."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from itertools import islice
from typing import Any

import orjson
from fastapi import FastAPI, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from streamsink import __version__
from streamsink.archive.archive import open_archive
from streamsink.archive.days import TopicSum, by_day
from streamsink.archive.listing import list_objects
from streamsink.config.connector import parse_sink
from streamsink.config.secrets import HIDDEN, resolve
from streamsink.errors import ConfigError, Problem, StreamsinkError
from streamsink.observe.snapshot import PartitionSnapshot
from streamsink.worker.herder import Questions
from streamsink.worker.status import ConnectorInfo, ConnectorStatus, TaskStatus

Json = dict[str, Any]

OBJECTS_MAX = 50_000
"""Objects looked at in one archive: more would take longer than somebody waits."""

_PAGE = files("streamsink.rest") / "console_page"
_FILES = {"": "text/html", "console.js": "text/javascript", "console.css": "text/css"}
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src data:; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class Console:
    """What the console may do. `worker` is the worker's flat map, secrets as references."""

    worker: Mapping[str, str]
    writable: bool = False


def install(app: FastAPI, herder: Questions, console: Console) -> None:
    """Serve the page and what it asks for."""
    page = {name: (_PAGE / (name or "index.html")).read_bytes() for name in _FILES}

    @app.get("/ui", include_in_schema=False)
    @app.get("/ui/{name}", include_in_schema=False)
    async def show(name: str = "") -> Response:
        if name == "state":
            return _json(state(herder, writable=console.writable))
        if name not in page:
            raise HTTPException(404)
        return Response(page[name], media_type=_FILES[name], headers=_HEADERS)

    @app.get("/ui/archive/{connector}", include_in_schema=False)
    async def archive(connector: str) -> Response:
        info = herder.info(connector)
        if info is None:
            raise HTTPException(404, f"Connector {connector} not found")
        try:
            return _json(await run_in_threadpool(_archive, info, console.worker))
        except StreamsinkError as error:
            return _json({"problem": str(error)})


def _json(body: Json) -> Response:
    return Response(orjson.dumps(body), media_type="application/json", headers={"Cache-Control": "no-store"})


def state(herder: Questions, *, writable: bool) -> Json:
    """All connectors with their tasks and what these have measured, as far as this worker runs them."""
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
        "reason": status.trace.partition("\n")[0],
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
    return {
        "id": task.task_id,
        "state": task.state.value,
        "worker_id": task.worker_id,
        "trace": task.trace,
        "retrying": task.retrying,
        "restarts_total": task.restarts_total,
        "records_total": snapshot.records_total if snapshot else None,
        "objects_stored_total": snapshot.objects_stored_total if snapshot else None,
        "memory_bytes": snapshot.memory_bytes if snapshot else None,
        "lag": _total(map(_lag, partitions)),
        "oldest_unstored_s": max(ages, default=0.0) if snapshot else None,
    }


def _lag(partition: PartitionSnapshot) -> int | None:
    if partition.end is None:
        return None
    return max(0, partition.end - (partition.frontier if partition.committed is None else partition.committed))


def _total(numbers: Iterable[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _archive(info: ConnectorInfo, worker: Mapping[str, str]) -> Json:
    """What a sink's archive holds; from the configuration as it is shown, so secrets must be references."""
    if hidden := [key for key, value in info.config.items() if value == HIDDEN]:
        raise ConfigError(
            [Problem(key, "is written out, and is not shown to the console either") for key in hidden],
            hint="write secrets as references (${env:NAME}), and the console can look at the archive",
        )
    config, _ = parse_sink(resolve(dict(info.config)), resolve(worker))
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
    return {
        "objects": topic.objects,
        "records": topic.records,
        "bytes": topic.size_bytes,
        "offsets_missing": topic.offsets_missing,
        "days": days,
    }
