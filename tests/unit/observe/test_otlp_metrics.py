"""Prometheus' families in OpenTelemetry's form, as the exporter would send them."""

from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from streamsink.observe.otlp_metrics import metrics_data


def sent(registry):
    """The metrics by name, after the exporter's own encoding."""
    (resource,) = encode_metrics(metrics_data(registry, 1_000)).resource_metrics
    about = {at.key: at.value.string_value for at in resource.resource.attributes}
    assert about["service.name"] == "streamsink"
    return {metric.name: metric for scope in resource.scope_metrics for metric in scope.metrics}


def test_a_counter_is_a_cumulative_sum_from_the_start_on():
    registry = CollectorRegistry()
    Counter("records", "Taken.", ["task"], registry=registry).labels("logs-0").inc(7)
    told = sent(registry)["records_total"].sum
    assert told.is_monotonic
    (point,) = told.data_points
    assert (point.as_double, point.start_time_unix_nano) == (7.0, 1_000)
    assert {at.key: at.value.string_value for at in point.attributes} == {"task": "logs-0"}


def test_a_gauge_is_a_gauge():
    registry = CollectorRegistry()
    Gauge("lag", "Behind.", registry=registry).set(3.5)
    (point,) = sent(registry)["lag"].gauge.data_points
    assert point.as_double == 3.5


def test_a_histogram_counts_between_its_bounds():
    registry = CollectorRegistry()
    made = Histogram("upload_seconds", "Took.", buckets=(1.0, 2.0), registry=registry)
    for seconds in (0.5, 0.7, 1.5, 9.0):
        made.observe(seconds)
    (point,) = sent(registry)["upload_seconds"].histogram.data_points
    assert list(point.explicit_bounds) == [1.0, 2.0]
    assert list(point.bucket_counts) == [2, 1, 1]
    assert (point.count, point.sum) == (4, 11.7)
