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

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
CLOSE_TIMEOUT_S = 5.0
"""How long the last spans may take to a collector that doesn't answer."""

Attributes = Mapping[str, str | int | bool]

log = structlog.get_logger("streamsink.traces")


class FileTraces(Protocol):
    """Hears of a task's files, by their ids."""

    def opened(self, file_id: int) -> None:
        """Its first record is in."""
        ...

    def closed(self, file_id: int) -> None:
        """No more records come."""
        ...

    def stored(self, file_id: int, topic: str, attributes: Attributes) -> None:
        """Its object is there: the span ends."""
        ...

    def discarded(self, file_id: int) -> None:
        """Nothing more will be heard of it."""
        ...

    def close(self) -> None:
        """Send what waits, within `CLOSE_TIMEOUT_S`."""
        ...


class NoTraces:
    """Nobody asked."""

    def opened(self, file_id: int) -> None:
        """Nothing."""

    def closed(self, file_id: int) -> None:
        """Nothing."""

    def stored(self, file_id: int, topic: str, attributes: Attributes) -> None:
        """Nothing."""

    def discarded(self, file_id: int) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


@dataclass(slots=True)
class _Times:
    opened_ns: int
    closed_ns: int = 0


class OtlpTraces:
    """Spans `archive TOPIC` of two parts, `fill` and `store`, sent over OTLP by a thread of OpenTelemetry's.

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
    """What OpenTelemetry's own variables ask for: spans where an OTLP endpoint is given, none otherwise."""
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_TRACES_EXPORTER") == "none"
    if off or not any(os.environ.get(name) for name in ENDPOINTS):
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
