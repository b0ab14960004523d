"""Chooses the format that a configuration names. Encodes nothing itself."""

from __future__ import annotations

from streamsink.encode.parquet import ParquetFormat


def make_format(encoding, rotation):
    return ParquetFormat(encoding, rotation)
