"""Keeps `_kafka` out of an object and in its sidecar, for any format: the object holds another product's rows.

An object of tombstones holds their keys alone. Writes to memory only; `beside_read` is the way back.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pyarrow as pa

from streamsink.config.sink import Encoding, Rotation
from streamsink.encode.chunks import Chunks, seal
from streamsink.encode.footer import PREFIX
from streamsink.encode.parquet import ParquetEncoder
from streamsink.encode.protocol import EncodedFile, FileWriter, Format, source_of
from streamsink.encode.stream import compress
from streamsink.encode.writer import GroupWriter
from streamsink.record import ENVELOPE, TopicPartition

BESIDE = "beside"
"""The sidecar's entry that says what its object holds: `VALUES` or `TOMBSTONES`."""
VALUES = "values"
TOMBSTONES = "tombstones"
INNER = "beside.sidecar"
"""The sidecar that the object's format would have had, as base64."""
WHOLE_CODEC = "beside.codec"
KIND = "beside.kind"
"""The object's format, where its name doesn't say it."""
ENVELOPED = "beside.enveloped"
"""Whether the value is one of several columns."""

_ENCODING = Encoding()

MakeObject = Callable[[bytes, str], bytes]
"""Makes an object of keys from a sidecar's bytes and the file's identity."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """A change of rows before a format writes them.

    Args:
        arrange: Gives the rows that the object holds; where they come from is None where that makes no difference.
        codec: Compresses the object as a whole.
        entries: The sidecar's entries about it, for the way back.
    """

    arrange: Callable[[pa.RecordBatch, TopicPartition | None], pa.RecordBatch]
    codec: str = "none"
    entries: Mapping[str, str] = field(default_factory=dict)


def values_of(rows: pa.RecordBatch, _source: TopicPartition | None = None) -> pa.RecordBatch:
    """The rows without `_kafka`.

    Args:
        rows: Rows with `_kafka` or without it.
        _source: Not used: other arrangements want the topic partition.
    """
    return rows.select([name for name in rows.schema.names if name != ENVELOPE])


class BesideFormat:
    """Another format, whose objects don't hold `_kafka`.

    Args:
        format_: Holds the values.
        rotation: Says how large objects may become.
        arrangement: Makes the rows that the objects hold; None for the rows without `_kafka`.
    """

    def __init__(self, format_: Format, rotation: Rotation, arrangement: Arrangement | None = None) -> None:
        self._format = format_
        self._rotation = rotation
        self._arrangement = arrangement or Arrangement(values_of)
        self.extension = format_.extension
        self.keeps_footer = format_.keeps_footer and self._arrangement.codec == "none"

    def open(self, schema: pa.Schema, *, identity: str) -> FileWriter:
        """See `Format.open`."""
        values = self._arrangement.arrange(pa.RecordBatch.from_pylist([], schema=schema), None).schema
        envelope = _envelope_writer(schema, self._rotation)
        return BesideWriter(
            self._format.open(values, identity=identity), envelope, self._arrangement, source_of(identity)
        )

    def refused(self, rows: pa.RecordBatch) -> dict[int, str]:
        """See `Format.refused`."""
        return self._format.refused(self._arrangement.arrange(rows, None))


class BesideWriter:
    """One object and its sidecar.

    Args:
        values: Writes the object.
        envelope: Writes the sidecar.
        arrangement: What the object holds.
        source: Where its records come from.
    """

    def __init__(
        self, values: FileWriter, envelope: GroupWriter, arrangement: Arrangement, source: TopicPartition
    ) -> None:
        self._source = source
        self._values = values
        self._arrangement = arrangement
        self._envelope = envelope

    @property
    def size_bytes(self) -> int:
        """See `FileWriter.size_bytes`; the sidecar isn't part of the object."""
        return self._values.size_bytes

    @property
    def memory_bytes(self) -> int:
        """See `FileWriter.memory_bytes`."""
        return self._values.memory_bytes + self._envelope.memory_bytes

    @property
    def pending_bytes(self) -> int:
        """See `FileWriter.pending_bytes`."""
        return self._values.pending_bytes + self._envelope.pending_bytes

    def append(self, rows: pa.RecordBatch) -> None:
        """See `FileWriter.append`."""
        self._values.append(self._arrangement.arrange(rows, self._source))
        self._envelope.append(_envelope_of(rows))

    def flush(self) -> None:
        """See `FileWriter.flush`."""
        self._values.flush()
        self._envelope.flush()

    def finish(self, footer: Mapping[str, str]) -> EncodedFile:
        """See `FileWriter.finish`."""
        encoded = self._values.finish({**footer, f"{PREFIX}{BESIDE}": VALUES})
        inner = base64.b64encode(encoded.sidecar or b"").decode()
        codec = self._arrangement.codec
        entries = {**self._arrangement.entries, BESIDE: VALUES, INNER: inner, WHOLE_CODEC: codec}
        sidecar = bytes(self._envelope.finish({**footer, **entries}).data)
        if codec == "none":
            return dataclasses.replace(encoded, sidecar=sidecar)
        chunks = Chunks()
        chunks.write(compress(encoded.data, Encoding(codec=codec)))
        return seal(chunks.take(), sidecar)


class TombstoneFormat:
    """Objects that hold keys of tombstones.

    Args:
        extension: What their names end in.
        make: Makes the object.
        rotation: Says how large objects may become.
    """

    keeps_footer = False

    def __init__(self, extension: str, make: MakeObject, rotation: Rotation) -> None:
        self.extension = extension
        self._make = make
        self._rotation = rotation

    def open(self, schema: pa.Schema, *, identity: str) -> FileWriter:
        """See `Format.open`."""
        return TombstoneWriter(_envelope_writer(schema, self._rotation), self._make, identity)

    def refused(self, rows: pa.RecordBatch) -> dict[int, str]:  # noqa: ARG002 - the protocol's shape
        """See `Format.refused`: any key is held."""
        return {}


class TombstoneWriter:
    """One object of tombstones' keys.

    Args:
        envelope: Writes the sidecar, which all is made of.
        make: Makes the object.
        identity: The file's.
    """

    def __init__(self, envelope: GroupWriter, make: MakeObject, identity: str) -> None:
        self._envelope = envelope
        self._make = make
        self._identity = identity

    @property
    def size_bytes(self) -> int:
        """See `FileWriter.size_bytes`: about as much as the sidecar."""
        return self._envelope.size_bytes

    @property
    def memory_bytes(self) -> int:
        """See `FileWriter.memory_bytes`."""
        return self._envelope.memory_bytes

    @property
    def pending_bytes(self) -> int:
        """See `FileWriter.pending_bytes`."""
        return self._envelope.pending_bytes

    def append(self, rows: pa.RecordBatch) -> None:
        """See `FileWriter.append`."""
        self._envelope.append(_envelope_of(rows))

    def flush(self) -> None:
        """See `FileWriter.flush`."""
        self._envelope.flush()

    def finish(self, footer: Mapping[str, str]) -> EncodedFile:
        """See `FileWriter.finish`."""
        sidecar = bytes(self._envelope.finish({**footer, BESIDE: TOMBSTONES}).data)
        chunks = Chunks()
        chunks.write(self._make(sidecar, self._identity))
        return seal(chunks.take(), sidecar)


def _envelope_writer(schema: pa.Schema, rotation: Rotation) -> GroupWriter:
    beside = pa.schema([schema.field(ENVELOPE)])
    return GroupWriter(ParquetEncoder(beside, _ENCODING), beside, _ENCODING, rotation)


def _envelope_of(rows: pa.RecordBatch) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([rows.column(ENVELOPE)], schema=pa.schema([rows.schema.field(ENVELOPE)]))
