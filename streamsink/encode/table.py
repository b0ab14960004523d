"""Lists the formats: how each is written, how its objects are named, and how they are read. Encodes nothing itself.

The one place that knows all of them. ARCHITECTURE.md has the recipe for another.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from streamsink.config.sink import Encoding, FormatKind, Rotation
from streamsink.encode.avro.reader import AvroReader, avro_footer
from streamsink.encode.avro.writer import CODECS, AvroFormat
from streamsink.encode.beside_read import PARQUET_MAGIC
from streamsink.encode.json.reader import JsonLinesReader
from streamsink.encode.json.writer import JsonLinesFormat
from streamsink.encode.parquet import EXTENSIONS, ParquetFormat
from streamsink.encode.parquet_read import ParquetReader, parquet_footer
from streamsink.encode.protocol import Data, Format, GetRange, ObjectReader
from streamsink.encode.raw import RawFormat
from streamsink.encode.raw_read import RawReader
from streamsink.encode.stream import SUFFIXES


@dataclass(frozen=True, slots=True)
class FormatEntry:
    """One format.

    Args:
        kind: What configurations call it.
        write: Makes what opens its files.
        read: Opens an object: its name, its bytes, and its sidecar where it has one.
        suffix: What names of its objects end in, before a stream's compression; "" where names tell nothing.
        codecs: Names of its codecs, as configurations have them.
        codec_key: The key that chooses one.
        codec_names: Its own names of codecs that configurations know under another one.
        footer: Reads the entries in an object's own bytes, and little else; None where they have none.
    """

    kind: FormatKind
    write: Callable[[Encoding, Rotation], Format]
    read: Callable[[str, Data, bytes | None], ObjectReader]
    suffix: str
    codecs: Collection[str]
    codec_key: str = "s3.compression.type"
    codec_names: dict[str, str] = field(default_factory=dict)
    footer: Callable[[int, GetRange], dict[str, str]] | None = None


def _json_reader(name: str, data: Data, sidecar: bytes | None) -> ObjectReader:
    """Lines of columns, or values that are lines by themselves: these have the sidecar of raw objects."""
    by_itself = sidecar is not None and sidecar.startswith(PARQUET_MAGIC)
    return RawReader(name, data, sidecar) if by_itself else JsonLinesReader(name, data, sidecar)


FORMATS = (
    FormatEntry(
        FormatKind.PARQUET,
        ParquetFormat,
        lambda _name, data, _sidecar: ParquetReader(data),
        suffix=".parquet",
        codecs=EXTENSIONS,
        codec_key="parquet.codec",
        footer=parquet_footer,
    ),
    FormatEntry(
        FormatKind.AVRO,
        AvroFormat,
        lambda _name, data, _sidecar: AvroReader(data),
        suffix=".avro",
        codecs=CODECS,
        codec_key="avro.codec",
        codec_names={"none": "null", "zstd": "zstandard", "gzip": "deflate"},
        footer=avro_footer,
    ),
    FormatEntry(FormatKind.JSONL, JsonLinesFormat, _json_reader, suffix=".json", codecs=SUFFIXES),
    FormatEntry(FormatKind.RAW, RawFormat, RawReader, suffix="", codecs=SUFFIXES),
)
"""Our formats; the last one has the objects that no other knows by name."""


def format_named(name: str) -> FormatEntry:
    """The format of an object, by the end of its name."""
    return next(entry for entry, ends in _ENDS if name.endswith(ends))


def _ends(entry: FormatEntry) -> tuple[str, ...]:
    """A format with a footer compresses inside; the others are compressed as a whole."""
    if entry.footer is not None:
        return (entry.suffix,)
    return tuple(f"{entry.suffix}{compressed}" for compressed in SUFFIXES.values())


_ENDS = tuple((entry, _ends(entry)) for entry in FORMATS)
"""Each format with all that its objects' names end in."""
