"""Protobuf values to columns in bulk, by ptars; the schema's text is compiled by grpcio-tools. Asks no registry.

A value begins with where its message stands in the schema: nearly always it is the first, a single zero.
"""

from __future__ import annotations

import base64
import binascii
import importlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from streamsink.decode.avro_columns import Columns
from streamsink.decode.registry import RegisteredSchema
from streamsink.decode.schema_reader import UnreadableSchemaError
from streamsink.decode.wire import Frames, Int64s
from streamsink.errors import TerminalError

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor

MAIN = "streamsink_value.proto"
INDEXES_MAX = 64
WELL_KNOWN = (
    *("any", "api", "duration", "empty", "field_mask"),
    *("source_context", "struct", "timestamp", "type", "wrappers"),
)


class ProtobufReader:
    """Values of one Protobuf schema, all of one of its messages.

    Args:
        schema: What the registry has.
        path: Where the message is: its place in the file, then in that message, and so on.

    Raises:
        UnreadableSchemaError: It is none, or has no such message.
        TerminalError: What reads Protobuf is not installed.
    """

    def __init__(self, schema: RegisteredSchema, path: tuple[int, ...] = (0,)) -> None:
        try:
            import ptars  # noqa: PLC0415 - an extra
            from google.protobuf import descriptor_pool, message, message_factory  # noqa: PLC0415
        except ImportError as error:
            raise TerminalError(
                f"value.converter=protobuf needs {error.name}", hint="pip install 'streamsink[registry]'"
            ) from error
        self._decode_error = message.DecodeError
        pool = descriptor_pool.DescriptorPool()
        files = _compiled(schema)
        try:
            for file in files:
                pool.AddSerializedFile(file.SerializeToString())
            whole = pool.FindFileByName(files[-1].name)
        except (TypeError, KeyError) as error:
            raise UnreadableSchemaError(f"its files don't fit together: {error}") from error
        self._descriptor = _message(whole, path, of_text=_descriptor(MAIN, schema.text) is None)
        self._class = message_factory.GetMessageClass(self._descriptor)
        config = ptars.PtarsConfig(enum_repr="string", timestamp_unit="ns", list_value_nullable=False)
        handlers = ptars.HandlerPool([self._descriptor.file], config=config)
        self._handler = handlers.get_for_message(self._descriptor)
        self.arrow = pa.struct(list(self._handler.list_to_record_batch([]).schema))

    def read(self, frames: Frames) -> Columns:
        """See `SchemaReader.read`."""
        data = frames.data.tobytes()
        payloads = [data[start:stop] for start, stop in zip(frames.starts.tolist(), frames.stops.tolist(), strict=True)]
        bad: dict[int, str] = {}
        try:
            batch = self._handler.list_to_record_batch(payloads)
        except Exception:  # noqa: BLE001 - ptars says in its own ways that one of the messages is broken
            bad = {row: why for row, payload in enumerate(payloads) if (why := self._wrong(payload))}
            batch = self._handler.list_to_record_batch([b"" if row in bad else one for row, one in enumerate(payloads)])
        return Columns(batch.to_struct_array().cast(self.arrow), bad)

    def write(self, rows: pa.RecordBatch) -> list[bytes | None]:
        """Columns as messages again."""
        found: list[bytes | None] = self._handler.record_batch_to_array(rows).to_pylist()
        return found

    def _wrong(self, payload: bytes) -> str:
        try:
            self._class.FromString(payload)
        except self._decode_error as error:
            return f"it is no {self._descriptor.full_name}: {error}"
        return ""


def message_paths(frames: Frames) -> tuple[dict[tuple[int, ...], Int64s], Frames]:
    """Which rows hold which message, and the frames without that; rows where it can't be read are in none."""
    first = frames.data[frames.starts]
    plain = (first == 0) & (frames.starts < frames.stops)
    starts = np.where(plain, frames.starts + 1, frames.starts)
    paths: dict[tuple[int, ...], list[int]] = {(0,): np.flatnonzero(plain).tolist()} if plain.any() else {}
    for row in np.flatnonzero(~plain).tolist():
        try:
            path, length = _indexes(frames.payload(row))
        except (IndexError, ValueError):
            continue
        starts[row] += length
        paths.setdefault(path, []).append(row)
    moved = Frames(frames.ids, frames.data, starts, frames.stops)
    return {path: np.array(rows, np.int64) for path, rows in paths.items()}, moved


def _indexes(payload: bytes) -> tuple[tuple[int, ...], int]:
    count, at = _varint(payload, 0)
    if not 0 <= count <= INDEXES_MAX:
        raise ValueError(count)
    path: list[int] = []
    for _ in range(count):
        index, at = _varint(payload, at)
        path.append(index)
    return tuple(path) or (0,), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at
        if shift > 63:
            raise ValueError(value)


def _message(file: Any, path: tuple[int, ...], *, of_text: bool) -> Descriptor:
    """Java's serializers count the messages of the text, Python's those of the descriptor: maps' entries as well."""
    found: Any = None
    inside = list(file.message_types_by_name.values())
    for index in path:
        if not 0 <= index < len(inside):
            raise UnreadableSchemaError(f"it has no message at {'.'.join(map(str, path))}")
        found = inside[index]
        inside = [one for one in found.nested_types if not (of_text and one.GetOptions().map_entry)]
    return found


def _compiled(schema: RegisteredSchema) -> list[Any]:
    """File descriptors, each after those it needs, the schema's own last.

    Registries keep text, as Java's serializers register it, or a descriptor in base64, as Python's do.
    """
    texts = {**schema.references, MAIN: schema.text}
    found = [_descriptor(name, text) for name, text in texts.items()]
    if None not in found:
        return [*_well_known(found), *found]
    with tempfile.TemporaryDirectory() as folder:
        for (name, text), descriptor in zip(texts.items(), found, strict=True):
            if descriptor is not None:
                raise UnreadableSchemaError(f"{name} is a descriptor, and others that it goes with are text")
            path = Path(folder) / name
            if not path.resolve().is_relative_to(Path(folder).resolve()):
                raise UnreadableSchemaError(f"it refers to {name!r}, which leaves its folder")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return _protoc(folder)


def _descriptor(name: str, text: str) -> Any:
    """The file that base64 stands for; None where the text is no such thing."""
    from google.protobuf import descriptor_pb2, message  # noqa: PLC0415 - an extra

    try:
        file = descriptor_pb2.FileDescriptorProto.FromString(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, message.DecodeError):
        return None
    file.name = name
    return file


def _well_known(files: list[Any]) -> list[Any]:
    """Google's own files, which nobody registers."""
    from google.protobuf import descriptor_pb2, descriptor_pool  # noqa: PLC0415 - an extra

    for name in WELL_KNOWN:
        importlib.import_module(f"google.protobuf.{name}_pb2")
    wanted = {name for file in files for name in file.dependency if name.startswith("google/protobuf/")}
    found: list[Any] = []
    for name in sorted(wanted):
        file = descriptor_pb2.FileDescriptorProto()
        try:
            descriptor_pool.Default().FindFileByName(name).CopyToProto(file)
        except KeyError as error:
            raise UnreadableSchemaError(f"it uses {name}, which is not known") from error
        found.append(file)
    return found


def _protoc(folder: str) -> list[Any]:
    import grpc_tools  # noqa: PLC0415 - an extra
    from google.protobuf import descriptor_pb2  # noqa: PLC0415 - an extra
    from grpc_tools import protoc  # noqa: PLC0415 - an extra

    target = Path(folder) / "compiled.bin"
    known = Path(next(iter(grpc_tools.__path__))) / "_proto"
    arguments = ["protoc", f"-I{folder}", f"-I{known}", "--include_imports", f"--descriptor_set_out={target}", MAIN]
    if protoc.main(arguments) or not target.exists():
        raise UnreadableSchemaError("it is no Protobuf schema: what protoc says is above")
    return list(descriptor_pb2.FileDescriptorSet.FromString(target.read_bytes()).file)
