"""Sends the worker's metrics over OTLP, where OTEL_* variables ask for them. Measures nothing itself.

What is sent is what `/metrics` shows at that moment, under the same names, so that one dashboard's queries serve both.
"""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import structlog
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.samples import Sample

from streamsink import __version__
from streamsink.observe.otlp import is_asked_for

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import export

INTERVAL_MS = "60000"
"""OpenTelemetry's default for `OTEL_METRIC_EXPORT_INTERVAL`."""
EXPORT_TIMEOUT_MS = 10_000.0
CLOSE_TIMEOUT_S = 5.0

Close = Callable[[], None]

log = structlog.get_logger("streamsink.metrics")


def send_metrics(registry: CollectorRegistry) -> Close:
    """Send all of a registry every `OTEL_METRIC_EXPORT_INTERVAL` milliseconds, from a separate thread.

    Args:
        registry: What `/metrics` shows.

    Returns:
        To be called at the end: sends once more, within `CLOSE_TIMEOUT_S`. Where nobody asked, it does nothing.
    """
    if not is_asked_for("METRICS"):
        return lambda: None
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter  # noqa: PLC0415
    except ImportError:
        log.warning("no OpenTelemetry metrics: it is not installed", hint="pip install 'streamsink[otel]'")
        return lambda: None
    exporter, stop, began_ns = OTLPMetricExporter(), threading.Event(), time.time_ns()
    interval_s = max(1.0, float(os.environ.get("OTEL_METRIC_EXPORT_INTERVAL", INTERVAL_MS)) / 1000)

    def run() -> None:
        while not stop.wait(interval_s):
            _export(exporter, registry, began_ns)
        _export(exporter, registry, began_ns)
        exporter.shutdown()

    thread = threading.Thread(target=run, name="send-metrics", daemon=True)
    thread.start()

    def close() -> None:
        stop.set()
        thread.join(CLOSE_TIMEOUT_S)

    return close


def _export(exporter: export.MetricExporter, registry: CollectorRegistry, began_ns: int) -> None:
    try:
        exporter.export(metrics_data(registry, began_ns), timeout_millis=EXPORT_TIMEOUT_MS)
    except Exception as error:  # noqa: BLE001 - a collector that is away, or a gauge that fails, must stop no worker
        log.info("metrics were not sent", error=str(error))


def metrics_data(registry: CollectorRegistry, began_ns: int) -> export.MetricsData:
    """A registry's families in OpenTelemetry's form: gauges, cumulative sums and histograms.

    Args:
        registry: What to tell.
        began_ns: When counters began to count, Unix time in nanoseconds.
        registry: The families to send.

    Returns:
        One resource with one scope. Families without samples are left out.
    """
    from opentelemetry.sdk.metrics import export  # noqa: PLC0415 - the extra may be missing
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415

    about = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "streamsink"}
    now_ns = time.time_ns()
    metrics = [told for family in registry.collect() if (told := _metric(family, began_ns, now_ns)) is not None]
    scope = export.ScopeMetrics(InstrumentationScope("streamsink", __version__), metrics, "")
    return export.MetricsData([export.ResourceMetrics(Resource.create(about), [scope], "")])


def _metric(family: Metric, began_ns: int, now_ns: int) -> export.Metric | None:
    from opentelemetry.sdk.metrics import export  # noqa: PLC0415

    cumulative = export.AggregationTemporality.CUMULATIVE
    data: export.Gauge | export.Sum | export.Histogram
    match family.type:
        case "histogram":
            data = export.Histogram(list(_histograms(family, began_ns, now_ns)), cumulative)
        case "counter":
            points = [_number(sample, began_ns, now_ns) for sample in family.samples if sample.name.endswith("_total")]
            data = export.Sum(points, cumulative, is_monotonic=True)
        case _:
            data = export.Gauge([_number(sample, began_ns, now_ns) for sample in family.samples])
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return export.Metric(name, family.documentation, family.unit, data) if family.samples else None


def _number(sample: Sample, began_ns: int, now_ns: int) -> export.NumberDataPoint:
    from opentelemetry.sdk.metrics import export  # noqa: PLC0415

    return export.NumberDataPoint(dict(sample.labels), began_ns, now_ns, float(sample.value))


def _histograms(family: Metric, began_ns: int, now_ns: int) -> Iterator[export.HistogramDataPoint]:
    """Prometheus counts what is below each bound, OpenTelemetry what is between two."""
    from opentelemetry.sdk.metrics import export  # noqa: PLC0415

    below: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = defaultdict(list)
    sums: dict[tuple[tuple[str, str], ...], float] = {}
    for sample in family.samples:
        labels = tuple(sorted((name, value) for name, value in sample.labels.items() if name != "le"))
        if sample.name.endswith("_bucket"):
            below[labels].append((float(sample.labels["le"]), sample.value))
        elif sample.name.endswith("_sum"):
            sums[labels] = sample.value
    for labels, counted in below.items():
        bounds, totals = zip(*sorted(counted), strict=True)
        between = [int(total - before) for total, before in zip(totals, (0.0, *totals[:-1]), strict=True)]
        attributes: Mapping[str, str] = dict(labels)
        yield export.HistogramDataPoint(
            attributes, began_ns, now_ns, int(totals[-1]), sums.get(labels, 0.0), between, list(bounds[:-1]), 0.0, 0.0
        )
