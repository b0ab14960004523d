"""Says whether OpenTelemetry's own variables ask for a signal over OTLP. Sends nothing."""

from __future__ import annotations

import os


def is_asked_for(signal: str) -> bool:
    """Whether an endpoint is given, and nothing turns the signal off.

    Args:
        signal: In the variables' letters, `TRACES` or `METRICS`.
    """
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    off |= os.environ.get(f"OTEL_{signal}_EXPORTER") == "none"
    endpoints = (f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    return not off and any(os.environ.get(name) for name in endpoints)
