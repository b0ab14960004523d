"""Joins decode and encode: a decoder whose rows the format can hold; records it can't hold are bad ones. No I/O.

Where a format refused rows only once they are in a file, nothing could be told of the record any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from streamsink.decode.envelope import PUT_STAGE, bad_record
from streamsink.decode.protocol import Decoder
from streamsink.decode.registry.values import SCHEMA_KEY
from streamsink.encode.nested import nullable_below_null
from streamsink.encode.protocol import Format
from streamsink.errors import DecodeError
from streamsink.record import ENVELOPE, DecodedSlice, RawSlice

_HINT = (
    "errors.tolerance=all skips such records, errors.deadletterqueue.topic.name keeps them; archive.value=raw or "
    "another format.class may hold them"
)


class AdmittingDecoder:
    """A `Decoder` around another.

    Args:
        decoder: Decodes, and transforms.
        format_: Holds the rows.
        tolerant: Whether records that it can't hold are left out.
        transformed: Whether a transform may have made any value null, so that no column of values is required.
    """

    def __init__(self, decoder: Decoder, format_: Format, *, tolerant: bool, transformed: bool = False) -> None:
        self._decoder = decoder
        self._format = format_
        self._tolerant = tolerant
        self._transformed = transformed
        self._met: tuple[pa.Schema, pa.Schema] | None = None

    def parts(self, raw: RawSlice) -> Sequence[RawSlice]:
        """See `Decoder`."""
        return self._decoder.parts(raw)

    def decode(self, raw: RawSlice) -> DecodedSlice:
        """Rows of one slice; see `Decoder`.

        Raises:
            TransientError: See `Decoder`.
            DecodeError: The format can't hold a record, and none is tolerated.
        """
        decoded = self._decoder.decode(raw)
        rows = self._opened(decoded.rows)
        refused = self._format.refused(rows) if rows.num_rows else {}
        if not refused:
            return decoded if rows is decoded.rows else replace(decoded, rows=rows)
        return self._without(raw, replace(decoded, rows=rows), refused)

    def _opened(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        schema = rows.schema
        if self._met is None or not self._met[0].equals(schema, check_metadata=True):
            self._met = (schema, nullable_below_null(self._nullable(schema)))
        wanted = self._met[1]
        if wanted.equals(schema):
            return rows
        columns = zip(rows.columns, wanted.types, strict=True)
        # Most columns have their type already, and a cast of each costs as much as decoding some hundred records.
        fitting = [column if column.type.equals(type_) else column.cast(type_) for column, type_ in columns]
        return pa.RecordBatch.from_arrays(fitting, schema=wanted)

    def _nullable(self, schema: pa.Schema) -> pa.Schema:
        if not self._transformed:
            return schema
        fields = [field.with_nullable(field.nullable or field.name != ENVELOPE) for field in schema]
        return pa.schema(fields, metadata=schema.metadata)

    def _without(self, raw: RawSlice, decoded: DecodedSlice, refused: dict[int, str]) -> DecodedSlice:
        offsets = decoded.offsets.to_numpy(zero_copy_only=False)
        # Transforms may have left rows out: a row is found again by its offset.
        places = np.searchsorted(raw.rows.column("offset").to_numpy(zero_copy_only=False), offsets[list(refused)])
        name = (decoded.rows.schema.metadata or {}).get(SCHEMA_KEY.encode(), b"").decode().rpartition("/")[2]
        about = f"schema id {name}: " if name else ""
        bad = [
            bad_record(raw, place, stage=PUT_STAGE, error=f"{about}it can't be encoded: {why}")
            for place, why in zip(places.tolist(), refused.values(), strict=True)
        ]
        if not self._tolerant:
            raise DecodeError(f"{PUT_STAGE}: {raw.topic_partition}@{bad[0].offset}: {bad[0].error}", hint=_HINT)
        mask = np.ones(decoded.rows.num_rows, np.bool_)
        mask[list(refused)] = False
        keep = pa.array(mask)
        return replace(
            decoded,
            rows=decoded.rows.filter(keep),
            offsets=decoded.offsets.filter(keep),
            timestamps=decoded.timestamps.filter(keep),
            bad=tuple(sorted((*decoded.bad, *bad), key=lambda record: record.offset)),
            partition_columns=None if decoded.partition_columns is None else decoded.partition_columns.filter(keep),
            topics=None if decoded.topics is None else decoded.topics.filter(keep),
        )
