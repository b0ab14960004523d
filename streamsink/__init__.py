"""Streamsink: archive Kafka topics into object storage, each record exactly once."""

__version__ = "0.1.0"
