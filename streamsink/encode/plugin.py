"""Runs a file format that is a plugin: rows in, bytes out, and back. Writes to memory only.

Its class is what `FormatPlugin` says; nothing has to be inherited. What its bytes can't say is in the sidecar that lies
beside each object: the class's name, by which the object is read again, the columns, and the entries of other formats'
footers. Settings aren't: they may be secret.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import orjson
import pyarrow as pa

from streamsink.config.reading.plugins import PluginError, PluginType, find_plugin, make_plugin
from streamsink.config.sink import Encoding, PluginSpec, Rotation
from streamsink.encode.chunks import Chunks, seal
from streamsink.encode.footer import own_entries, schema_entries, schema_of
from streamsink.encode.protocol import EncodedFile, FileWriter
from streamsink.encode.refusal import refused_rows
from streamsink.encode.stream import as_file
from streamsink.encode.writer import GroupWriter
from streamsink.errors import StreamsinkError, TerminalError

FORMAT = "format"
"""The sidecar's entry that names the class."""

SAMPLE_ROWS = 64


class FormatPluginWriter(Protocol):
    """One object that is being written. One thread uses it."""

    def write(self, rows: pa.RecordBatch) -> bytes:
        """Encode and compress these rows, and give the object's next bytes. Called once a row group."""
        ...

    def finish(self) -> bytes:
        """Give the object's last bytes."""
        ...


class FormatPlugin(Protocol):
    """The protocol of classes in the entry points `streamsink.formats`.

    It is made with the settings `format.*`, and raises ValueError for unusable ones.
    """

    extension: str
    """What names end in, its dot first: `.csv`."""

    def __init__(self, settings: Mapping[str, str]) -> None: ...

    def open(self, schema: pa.Schema) -> FormatPluginWriter:
        """Begin an object whose rows have these columns, `_kafka` among them."""
        ...

    @staticmethod
    def read(file: pa.NativeFile, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Give an object's rows as they were written, for verification and replay.

        May be left out: such objects can be archived, and not be verified by their rows or replayed.

        Args:
            file: The object's bytes.
            schema: The columns that the rows were written with.
        """
        ...


class PluginFormat:
    """The format that a plugin makes.

    Args:
        encoding: Which class, and how many rows make a group.
        rotation: Says how large objects may become.

    Raises:
        TerminalError: The class is not installed any more.
    """

    keeps_footer = False

    def __init__(self, encoding: Encoding, rotation: Rotation) -> None:
        assert encoding.plugin is not None
        self._spec = encoding.plugin
        self._made = _made(encoding.plugin)
        self.extension: str = self._made.extension
        self._encoding = encoding
        self._rotation = rotation

    def open(self, schema: pa.Schema, *, identity: str) -> FileWriter:  # noqa: ARG002 - nothing here is arbitrary
        """See `Format.open`."""
        encoder = UsersEncoder(self._spec.name, self._made, schema)
        return GroupWriter(encoder, schema, self._encoding, self._rotation)

    def refused(self, rows: pa.RecordBatch) -> dict[int, str]:
        """See `Format.refused`. Nothing is known of the class, so that each row is written twice, once for trial."""
        return refused_rows(rows, self._trial)

    def _trial(self, rows: pa.RecordBatch) -> None:
        encoder = UsersEncoder(self._spec.name, self._made, rows.schema)
        encoder.encode(pa.Table.from_batches([rows]))
        encoder.finish({})


class UsersEncoder:
    """One object of a plugin's format.

    Args:
        name: The class's.
        made: What opens objects.
        schema: Of all rows.
    """

    def __init__(self, name: str, made: Any, schema: pa.Schema) -> None:
        self._name = name
        self._made = made
        self._schema = schema
        self._chunks = Chunks()
        self._writer: Any = self._call(made.open, schema)

    @property
    def encoded_bytes(self) -> int:
        """See `GroupEncoder.encoded_bytes`."""
        return self._chunks.size_bytes

    @property
    def memory_bytes(self) -> int:
        """See `GroupEncoder.memory_bytes`."""
        return self._chunks.memory_bytes

    def expansion(self, rows: pa.RecordBatch) -> float:
        """See `GroupEncoder.expansion`; an object of a few rows is made and thrown away."""
        sample = rows.slice(0, SAMPLE_ROWS)
        trial: Any = self._call(self._made.open, self._schema)
        size = len(self._call(trial.write, sample)) + len(self._call(trial.finish))
        return size / max(1, int(sample.nbytes))

    def encode(self, group: pa.Table) -> None:
        """See `GroupEncoder.encode`."""
        for rows in group.combine_chunks().to_batches():
            self._chunks.write(bytes(self._call(self._writer.write, rows)))

    def finish(self, footer: Mapping[str, str]) -> EncodedFile:
        """See `GroupEncoder.finish`."""
        self._chunks.write(bytes(self._call(self._writer.finish)))
        sidecar = {**dict(sorted(footer.items())), **schema_entries(self._schema), FORMAT: self._name}
        return seal(self._chunks.take(), orjson.dumps(sidecar))

    def _call(self, method: Any, *arguments: object) -> Any:
        try:
            return method(*arguments)
        except StreamsinkError:
            raise
        except Exception as error:
            raise TerminalError(
                f"the format {self._name} fails: {type(error).__name__}: {error}", hint="correct the format's class"
            ) from error


class PluginReader:
    """One object of a plugin's format.

    Args:
        name: The object's.
        data: All of it, or a file of it.
        entries: Its sidecar's.
    """

    def __init__(self, name: str, data: bytes | memoryview | pa.NativeFile, entries: Mapping[str, str]) -> None:
        self._name = name
        self._data = data
        self._entries = entries

    def footer(self) -> dict[str, str]:
        """The entries of ours in the sidecar."""
        return own_entries({key: value.encode() for key, value in self._entries.items()})

    def schema(self) -> pa.Schema:
        """The rows' schema."""
        schema = schema_of(self._entries)
        if schema is None:
            raise ValueError("its sidecar has no Arrow schema")
        return schema

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:  # noqa: ARG002 - see ObjectReader
        """Rows as the class gives them.

        Raises:
            TerminalError: The class isn't installed here, or reads nothing.
        """
        format_ = self._entries[FORMAT]
        plugin = find_plugin(PluginType.FORMAT, format_)
        if plugin is None:
            raise TerminalError(
                f"{self._name} is of the format {format_}, which is not installed",
                hint="install the package that has this format",
            )
        read = getattr(plugin.load(), "read", None)
        if read is None:
            raise TerminalError(
                f"{self._name} is of the format {format_}, which only writes", hint="its class has no method read"
            )
        schema = self.schema()
        for rows in read(as_file(self._data), schema):
            yield rows if rows.schema.equals(schema) else rows.cast(schema)


def plugin_entries(sidecar: bytes | None) -> Mapping[str, str] | None:
    """A sidecar's entries, where its object is of a plugin's format."""
    if sidecar is None or sidecar[:1] != b"{":
        return None
    entries: dict[str, str] = orjson.loads(sidecar)
    return entries if FORMAT in entries else None


def _made(spec: PluginSpec) -> Any:
    try:
        return make_plugin(PluginType.FORMAT, spec.name, spec.settings)
    except PluginError as error:
        raise TerminalError(str(error), hint="install the package that has this format") from error
