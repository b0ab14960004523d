"""OpenTelemetry spans and metrics of a real worker, as a collector gets them."""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.servers.worker import WorkerServer, wait_until

RECORDS = 250


@pytest.fixture
def collector():
    """An OTLP collector's URL, and the requests it has got: traces, and metrics."""
    requests, metrics = [], []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/v1/metrics":
                metrics.append(ExportMetricsServiceRequest.FromString(body))
            else:
                requests.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", requests, metrics
    server.shutdown()
    server.server_close()


def archive(kafka, tmp_path, topic, *, seen=lambda: True, **environ):
    """Archive a topic with files of 100 records, and stop in good order once `seen`; gives how long stopping took."""
    kafka.create_topic(topic)
    producer = kafka.producer()
    for number in range(RECORDS):
        producer.produce(topic, value=b"%d" % number)
    assert producer.flush(30) == 0
    worker = WorkerServer(tmp_path / "worker", kafka.bootstrap)
    worker.connector(
        topic,
        {
            "topics": topic,
            "archive.url": f"file://{tmp_path}/archive",
            "flush.size": "100",
            "consumer.override.auto.offset.reset": "earliest",
        },
    )
    worker.start(**environ)
    try:
        wait_until(
            "two files are stored",
            lambda: sum(at for at, _ in kafka.committed(f"connect-{topic}", topic).values()) >= 200,
            worker=worker,
        )
        wait_until("the collector has seen it", seen, worker=worker)
    finally:
        began_s = time.monotonic()
        worker.terminate()
    return time.monotonic() - began_s


def read_of(metrics):
    """How many records each export said that tasks have read."""
    return [
        sum(point.as_double for point in metric.sum.data_points)
        for request in list(metrics)
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "streamsink_records_total"
    ]


def values(attributes):
    return {at.key: getattr(at.value, at.value.WhichOneof("value")) for at in attributes}


def test_each_stored_file_is_a_span_with_its_offsets_and_its_two_parts(kafka, tmp_path, unique, collector):
    url, requests, metrics = collector
    archive(
        kafka,
        tmp_path,
        unique,
        seen=lambda: RECORDS in read_of(metrics),
        OTEL_EXPORTER_OTLP_ENDPOINT=url,
        OTEL_METRIC_EXPORT_INTERVAL="1000",
    )
    traced = [
        (values(resource.resource.attributes), span)
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    about, _ = traced[0]
    assert (about["service.name"], about["streamsink.connector"]) == ("streamsink", unique)
    files = sorted(
        (span for _, span in traced if span.name == f"archive {unique}"), key=lambda span: span.start_time_unix_nano
    )
    told = [values(span.attributes) for span in files]
    assert [(at["messaging.kafka.offset"], at["streamsink.offset.last"], at["streamsink.reason"]) for at in told] == [
        (0, 99, "records"),
        (100, 199, "records"),
        (200, 249, "stopping"),
    ]
    for span, at in zip(files, told, strict=True):
        assert (tmp_path / "archive" / at["streamsink.object"]).stat().st_size == at["streamsink.bytes"]
        parts = {part.name: part for _, part in traced if part.parent_span_id == span.span_id}
        assert set(parts) == {"fill", "store"}
        assert parts["fill"].start_time_unix_nano == span.start_time_unix_nano
        assert parts["fill"].end_time_unix_nano == parts["store"].start_time_unix_nano <= span.end_time_unix_nano
    assert max(read_of(metrics)) == RECORDS


def test_a_collector_that_is_away_holds_nothing_up(kafka, tmp_path, unique):
    seconds = archive(kafka, tmp_path, unique, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    assert seconds < 15
    assert kafka.committed(f"connect-{unique}", unique)[0][0] == RECORDS
