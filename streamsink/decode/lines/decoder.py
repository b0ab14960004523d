"""Replaces each value by its line of JSON, and lets another decoder do the rest. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import attrgetter

import numpy as np
import pyarrow as pa

from streamsink.config.sink import Converter, LineRules
from streamsink.decode.envelope import VALUE_STAGE, bad_record
from streamsink.decode.lines.text import LineError
from streamsink.decode.lines.values import line_maker
from streamsink.decode.protocol import Decoder
from streamsink.errors import DecodeError
from streamsink.record import RAW_SCHEMA, DecodedSlice, RawSlice

_HINT = "errors.tolerance=all skips such records, errors.deadletterqueue.topic.name keeps them"
_VALUE = RAW_SCHEMA.get_field_index("value")


class LineDecoder:
    """Makes lines of values.

    Args:
        decoder: Takes the lines as undecoded values, which are JSON.
        converter: How the values are read.
        rules: How they are written.
        tolerant: Whether bad records are left out; else the first one is raised.
    """

    def __init__(self, decoder: Decoder, converter: Converter, rules: LineRules, *, tolerant: bool) -> None:
        self._decoder = decoder
        self._line = line_maker(converter, rules)
        self._tolerant = tolerant

    def parts(self, raw: RawSlice) -> Sequence[RawSlice]:
        """Lines have no lanes beside others' columns; see `Decoder`."""
        return (raw,)

    def decode(self, raw: RawSlice) -> DecodedSlice:
        """Rows of one slice; see `Decoder`."""
        lines: list[bytes | None] = []
        faults: dict[int, str] = {}
        for row, value in enumerate(raw.rows.column(_VALUE).to_pylist()):
            try:
                lines.append(None if value is None else self._line(value))
            except (LineError, RecursionError) as error:
                faults[row] = str(error)
                lines.append(None)
        bad = [bad_record(raw, row, stage=VALUE_STAGE, error=error) for row, error in faults.items()]
        if bad and not self._tolerant:
            raise DecodeError(f"{bad[0].stage}: {bad[0].topic_partition}@{bad[0].offset}: {bad[0].error}", hint=_HINT)
        rows = raw.rows.set_column(_VALUE, RAW_SCHEMA.field(_VALUE), pa.array(lines, pa.binary()))
        if faults:
            rows = rows.take(pa.array(np.setdiff1d(np.arange(len(lines)), np.array(sorted(faults)))))
        decoded = self._decoder.decode(replace(raw, rows=rows))
        return replace(decoded, bad=tuple(sorted([*decoded.bad, *bad], key=attrgetter("offset")))) if bad else decoded
