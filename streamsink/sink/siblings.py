"""Makes the objects of keys and headers that an object of values lacks, out of its sidecar. Decides nothing.

A sidecar lies in the store before its object. So any member that meets an object can complete it, whatever became of
the member that stored it. Offsets are committed once that is done.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc

from streamsink.config.sink import Converter, Encoding, FormatKind, LineRules, Rotation, SinkConfig
from streamsink.decode.lines.headers import header_text
from streamsink.decode.lines.values import line_maker
from streamsink.decode.registry.client import SchemaRegistry, SchemaShelf
from streamsink.encode.beside import TombstoneFormat
from streamsink.encode.formats import make_format
from streamsink.encode.output.fields import texts_of
from streamsink.encode.parquet_read import ParquetReader
from streamsink.encode.protocol import Format
from streamsink.encode.read import open_foreign
from streamsink.encode.siblings import HEADER_TYPE, encode_sibling
from streamsink.errors import TerminalError
from streamsink.record import ENVELOPE
from streamsink.sink.avro_keys import AvroKeys
from streamsink.sink.output import key_lines
from streamsink.upload.description import ObjectDescription
from streamsink.upload.protocol import Store
from streamsink.upload.siblings import create_sibling, sibling_name
from streamsink.upload.sidecar import read_sidecar

_LINES = frozenset({FormatKind.JSONL, FormatKind.RAW})


class Siblings:
    """The objects of keys and headers beside a connector's objects of values.

    Args:
        config: Says which there are, in which formats, and how keys are read.
        extension: The end of the names of objects of values.
        shelf: Where a registry's schemas are kept beside the archive.
    """

    def __init__(self, config: SinkConfig, extension: str, shelf: SchemaShelf | None = None) -> None:
        assert config.siblings is not None
        self._extension = extension
        self._rules = config.siblings
        self._make: dict[str, Callable[[pa.Table, str], bytes]] = {}
        if (keys := config.siblings.keys) is not None:
            texts = _key_texts(config, keys)
            rules = config.key_registry
            records = AvroKeys(SchemaRegistry(rules, shelf)) if rules and keys.kind is FormatKind.AVRO else None

            def make_keys(rows: pa.Table, identity: str) -> bytes:
                found = None if records is None else records.encode(_member(rows, "key"), keys, identity)
                return _encode_keys(rows, keys, texts, identity) if found is None else found

            self._make[_ending("keys", keys)] = make_keys
        if (headers := config.siblings.headers) is not None:
            values = _header_texts(config)
            self._make[_ending("headers", headers)] = lambda rows, identity: _encode_headers(
                rows, headers, values, identity
            )

    @property
    def endings(self) -> str:
        """The ends of the siblings' names, for descriptions."""
        return " ".join(self._make)

    def tombstones(self, rotation: Rotation) -> dict[str, Format]:
        """The format of the folder of tombstones, by that folder; empty where they are among the others."""
        keys = self._rules.keys
        if not self._rules.tombstones or keys is None:
            return {}
        ending = _ending("keys", keys)
        return {self._rules.tombstones: TombstoneFormat(ending, self._of_tombstones, rotation)}

    def complete(self, store: Store, about: ObjectDescription, sidecar: bytes | None = None) -> None:
        """Create the missing siblings that an object's description names.

        Args:
            store: The archive's.
            about: The object, stored by whomever.
            sidecar: Its sidecar, where that is at hand.

        Raises:
            TransientError: The store can't be used now; doing it again is safe.
            TerminalError: The sidecar is gone, or something else has a sibling's name.
        """
        wanted = [ending for ending in about.siblings.split() if ending in self._make]
        if not wanted:
            return
        rows = _envelope(about.name, _sidecar_of(store, about) if sidecar is None else sidecar)
        stem = sibling_name(about.name, self._extension, "")
        for ending in wanted:
            create_sibling(store, f"{stem}{ending}", self._make[ending](rows, f"{stem}{ending}"), _entries)

    def _of_tombstones(self, sidecar: bytes, identity: str) -> bytes:
        assert self._rules.keys is not None
        return self._make[_ending("keys", self._rules.keys)](_envelope(identity, sidecar), identity)


def _ending(kind: str, encoding: Encoding) -> str:
    return f".{kind}{make_format(encoding, Rotation()).extension}"


def _sidecar_of(store: Store, about: ObjectDescription) -> bytes:
    sha256 = about.sha256 or hashlib.sha256(store.get(about.name)).hexdigest()
    sidecar = read_sidecar(store, about.name, sha256)
    if sidecar is None:
        raise TerminalError(
            f"{about.name} has no sidecar: the keys and headers of its records are not known",
            hint="restore the folder _streamsink/sidecar beside the archive",
        )
    return sidecar


def _envelope(name: str, sidecar: bytes) -> pa.Table:
    """Keys and headers of an object's records."""
    batches = list(ParquetReader(sidecar).batches([f"{ENVELOPE}.key", f"{ENVELOPE}.headers"]))
    if not batches:
        raise TerminalError(f"the sidecar of {name} has no records", hint="restore it from a copy")
    return pa.Table.from_batches(batches).combine_chunks()


def _member(rows: pa.Table, name: str) -> pa.Array:
    found = pc.struct_field(rows.column(ENVELOPE), name)
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def _encode_keys(rows: pa.Table, encoding: Encoding, texts: Callable[[pa.Array], pa.Array], identity: str) -> bytes:
    keys = texts(_member(rows, "key"))
    return encode_sibling(keys, pa.field("key", keys.type), encoding, identity)


def _key_texts(config: SinkConfig, encoding: Encoding) -> Callable[[pa.Array], pa.Array]:
    """What stands for a key: a line of JSON, its bytes, or its text where a converter makes texts."""
    if encoding.kind is FormatKind.RAW:
        return lambda keys: keys.fill_null(b"")
    if encoding.kind is FormatKind.JSONL:
        lines = key_lines(config)
        return lambda keys: lines(keys).fill_null(b"null")
    return texts_of if config.key_converter is Converter.STRING else lambda keys: keys


def _header_texts(config: SinkConfig) -> Callable[[pa.Array], pa.Array]:
    text = header_text(config.header_converter)

    def made(values: pa.Array) -> pa.Array:
        # Headers have few values that differ.
        found = values.dictionary_encode()
        return pa.array(list(map(text, found.dictionary.to_pylist())), pa.string()).take(found.indices)

    return made


def _encode_headers(rows: pa.Table, encoding: Encoding, values: Callable[[pa.Array], pa.Array], identity: str) -> bytes:
    lists = _member(rows, "headers")
    texts = values(lists.flatten().field("value"))
    names = lists.flatten().field("key")
    if encoding.kind in _LINES:
        return encode_sibling(_header_lines(lists, names, texts), pa.field("headers", pa.binary()), encoding, identity)
    value = pa.field("value", pa.string(), nullable=bool(texts.null_count))
    fields = [HEADER_TYPE.field("key"), value]
    entries = pa.StructArray.from_arrays([names, texts], fields=fields)
    offsets = pc.subtract(lists.offsets, lists.offsets[0]).cast(pa.int32())
    column = pa.ListArray.from_arrays(offsets, entries)
    type_ = pa.list_(pa.field("item", entries.type, nullable=False))
    return encode_sibling(column.cast(type_), pa.field("headers", type_, nullable=False), encoding, identity)


def _header_lines(lists: pa.Array, names: pa.Array, texts: pa.Array) -> pa.Array:
    """`{"headers":[{"key":"a","value":"b"}]}` for each record."""
    string = line_maker(Converter.STRING, LineRules())

    def quoted(text: str | None) -> bytes:
        return b"null" if text is None else (string(text.encode()) or b"null")

    pairs = [
        b'{"key":%b,"value":%b}' % (quoted(name), quoted(text))
        for name, text in zip(names.to_pylist(), texts.to_pylist(), strict=True)
    ]
    bounds = pc.subtract(lists.offsets, lists.offsets[0]).to_pylist()
    lines = [b'{"headers":[%b]}' % b",".join(pairs[low:high]) for low, high in pairwise(bounds)]
    return pa.array(lines, pa.binary())


def _entries(name: str, data: bytes) -> list[object]:
    """The entries of a sibling, whatever the form of its bytes."""
    last = PurePosixPath(name).name
    return [row for rows in open_foreign(last, data).batches() for row in rows.to_pylist()]
