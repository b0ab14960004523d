"""One OpenTelemetry span for each stored file, where OTEL_* variables ask for them. Decides nothing."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import structlog

from streamsink import __version__
from streamsink.observe.otlp import is_asked_for

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

CLOSE_TIMEOUT_S = 5.0
"""How long the last spans may take to a collector that doesn't answer."""

Attributes = Mapping[str, str | int | bool]

log = structlog.get_logger("streamsink.traces")


class FileTraces(Protocol):
    """Hears of a task's files, by their ids."""

    def opened(self, file_id: int) -> None:
        """The file's first record is in."""
        ...

    def closed(self, file_id: int) -> None:
        """The file takes no more records."""
        ...

    def stored(self, file_id: int, topic: str, attributes: Attributes) -> None:
        """The file's object is there: the span ends.

        Args:
            file_id: The task's number for the file, as `opened` and `closed` were given it.
            topic: The topic; it becomes part of the span's name.
            attributes: The span's attributes, such as the object's name and its records.
        """
        ...

    def discarded(self, file_id: int) -> None:
        """Nothing more will be heard of the file."""
        ...

    def close(self) -> None:
        """Send what waits, within `CLOSE_TIMEOUT_S`."""
        ...


class NoTraces:
    """Traces that do nothing, since nobody asked for any."""

    def opened(self, file_id: int) -> None:
        """See `FileTraces.opened`. Nothing is done."""

    def closed(self, file_id: int) -> None:
        """See `FileTraces.closed`. Nothing is done."""

    def stored(self, file_id: int, topic: str, attributes: Attributes) -> None:
        """See `FileTraces.stored`. Nothing is done."""

    def discarded(self, file_id: int) -> None:
        """See `FileTraces.discarded`. Nothing is done."""

    def close(self) -> None:
        """See `FileTraces.close`. Nothing is done."""


@dataclass(slots=True)
class _Times:
    opened_ns: int
    closed_ns: int = 0


class OtlpTraces:
    """Sends a span `archive TOPIC` with two parts, `fill` and `store`, from a thread of OpenTelemetry's.

    Args:
        provider: Where spans go.
    """

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("streamsink", __version__)
        self._files: dict[int, _Times] = {}

    def opened(self, file_id: int) -> None:
        """See `FileTraces.opened`."""
        self._files[file_id] = _Times(time.time_ns())

    def closed(self, file_id: int) -> None:
        """See `FileTraces.closed`."""
        self._files[file_id].closed_ns = time.time_ns()

    def stored(self, file_id: int, topic: str, attributes: Attributes) -> None:
        """See `FileTraces.stored`: the spans are made afterwards, with the times they had."""
        from opentelemetry.trace import SpanKind, set_span_in_context  # noqa: PLC0415 - the extra may be missing

        times, now_ns = self._files.get(file_id), time.time_ns()
        if times is None:
            return
        span = self._tracer.start_span(
            f"archive {topic}", kind=SpanKind.CONSUMER, attributes=dict(attributes), start_time=times.opened_ns
        )
        inside = set_span_in_context(span)
        self._tracer.start_span("fill", inside, start_time=times.opened_ns).end(times.closed_ns)
        self._tracer.start_span("store", inside, kind=SpanKind.CLIENT, start_time=times.closed_ns).end(now_ns)
        span.end(now_ns)

    def discarded(self, file_id: int) -> None:
        """See `FileTraces.discarded`."""
        self._files.pop(file_id, None)

    def close(self) -> None:
        """See `FileTraces.close`."""
        closing = threading.Thread(target=self._provider.shutdown, name="close-traces", daemon=True)
        closing.start()
        closing.join(CLOSE_TIMEOUT_S)


def file_traces(connector: str, task_id: int) -> FileTraces:
    """Make the traces that OpenTelemetry's variables ask for.

    Args:
        connector: The connector's name, told as the resource's `streamsink.connector`.
        task_id: The task's number, told as `streamsink.task`.

    Returns:
        Spans over OTLP where an endpoint is given and the extra `otel` is installed, else traces that do nothing.
    """
    if not is_asked_for("TRACES"):
        return NoTraces()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ImportError:
        log.warning("no traces: OpenTelemetry is not installed", hint="pip install 'streamsink[otel]'")
        return NoTraces()
    about: dict[str, str | int] = {"streamsink.connector": connector, "streamsink.task": task_id}
    if not os.environ.get("OTEL_SERVICE_NAME"):
        about["service.name"] = "streamsink"
    provider = TracerProvider(resource=Resource.create(about), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return OtlpTraces(provider)
