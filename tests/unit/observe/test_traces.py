import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from streamsink.observe.traces import NoTraces, OtlpTraces, file_traces

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
URL = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    "environ",
    [{}, {ENDPOINT: ""}, {ENDPOINT: URL, "OTEL_SDK_DISABLED": "true"}, {ENDPOINT: URL, "OTEL_TRACES_EXPORTER": "none"}],
)
def test_nothing_is_traced_unless_an_endpoint_is_given_and_tracing_is_on(monkeypatch, environ):
    for name in (ENDPOINT, "OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert isinstance(file_traces("logs", 0), NoTraces)


def test_a_file_that_was_given_up_leaves_no_span_when_its_upload_ends_after_all():
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    traces = OtlpTraces(provider)
    for file_id in (1, 2):
        traces.opened(file_id)
        traces.closed(file_id)
    traces.discarded(1)
    traces.stored(1, "logs", {})
    traces.stored(2, "logs", {})
    assert [span.name for span in exporter.get_finished_spans()] == ["fill", "store", "archive logs"]
    traces.close()
