"""Protobuf schemas of a registry, compiled; grpcio-tools reads a schema's text. Asks no registry, reads no values."""

from __future__ import annotations

import base64
import binascii
import importlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamsink.decode.registry.client import RegisteredSchema
from streamsink.decode.registry.schema_reader import UnreadableSchemaError

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor

MAIN = "streamsink_value.proto"
WELL_KNOWN = (
    *("any", "api", "duration", "empty", "field_mask"),
    *("source_context", "struct", "timestamp", "type", "wrappers"),
)


def pool_of(files: list[Any]) -> Any:
    """A pool of files, each of which comes after those it needs.

    Raises:
        UnreadableSchemaError: They don't fit together.
    """
    from google.protobuf import descriptor_pool  # noqa: PLC0415 - an extra

    pool = descriptor_pool.DescriptorPool()
    try:
        for file in files:
            pool.AddSerializedFile(file.SerializeToString())
            pool.FindFileByName(file.name)
    except (TypeError, KeyError) as error:
        raise UnreadableSchemaError(f"its files don't fit together: {error}") from error
    return pool


def message_at(schema: RegisteredSchema, pool: Any, path: tuple[int, ...]) -> Descriptor:
    """Find the message at a place in the schema's own file.

    Java's serializers count the messages of the text, Python's those of the descriptor: maps' entries as well.

    Args:
        schema: The schema as it is registered: text, or a descriptor in base64.
        pool: Has the compiled files.
        path: The message's index in the file, then in each message around it, as Confluent's framing has it.

    Raises:
        UnreadableSchemaError: There is none.
    """
    of_text = _descriptor(MAIN, schema.text) is None
    return _message(pool.FindFileByName(MAIN), path, of_text=of_text)


def _message(file: Any, path: tuple[int, ...], *, of_text: bool) -> Descriptor:
    found: Any = None
    inside = list(file.message_types_by_name.values())
    for index in path:
        if not 0 <= index < len(inside):
            raise UnreadableSchemaError(f"it has no message at {'.'.join(map(str, path))}")
        found = inside[index]
        inside = [one for one in found.nested_types if not (of_text and one.GetOptions().map_entry)]
    return found


def compiled(schema: RegisteredSchema) -> list[Any]:
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
