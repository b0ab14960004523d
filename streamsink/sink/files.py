"""The files of a task: rows go in, encoded bytes and a description come out. Decides nothing; owned by one thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streamsink.config.sink import Naming
from streamsink.encode.protocol import EncodedFile, FileWriter, Format
from streamsink.sink.core.effects import Append, Close, Open
from streamsink.sink.core.events import Measured
from streamsink.sink.lanes import NO_TIME_MS, LaneRows
from streamsink.upload.description import ObjectDescription
from streamsink.upload.name import object_name


@dataclass(slots=True)
class TaskFile:
    """One file: its writer while open, its bytes and description once closed."""

    spec: Open
    writer: FileWriter | None = None
    time_min_ms: int | None = None
    time_max_ms: int | None = None
    encoded: EncodedFile | None = None
    description: ObjectDescription | None = None


@dataclass(frozen=True, slots=True)
class FileOrigin:
    """The origin that all objects of a task share: their writer, their layout and their naming.

    `siblings` are the ends of the names of the objects beside them.
    """

    writer: str
    layout: str
    naming: Naming
    name_suffix: str = ""
    siblings: str = ""


class TaskFiles:
    """Carries out the machine's orders about files.

    Args:
        format_: The kind of file.
        origin: The origin that all objects share.
        by_folder: Another kind, for encoded partitions that have one of their own; their objects have no siblings.
    """

    def __init__(self, format_: Format, origin: FileOrigin, by_folder: Mapping[str, Format] | None = None) -> None:
        self._format = format_
        self._by_folder = dict(by_folder or {})
        self._origin = origin
        self._files: dict[int, TaskFile] = {}

    def open(self, order: Open) -> None:
        """Begin a file; its writer opens with the first rows, which bring the schema."""
        self._files[order.file_id] = TaskFile(order)

    def append(self, order: Append) -> Measured:
        """Write rows of a run."""
        file = self._files[order.file_id]
        payload = order.run.payload
        assert isinstance(payload, LaneRows)
        rows = payload.rows.slice(order.start, order.stop - order.start)
        if file.writer is None:
            spec = file.spec
            identity = f"{spec.topic_partition}/{spec.lane.key}/{spec.first_offset}"
            file.writer = self._format_of(spec).open(rows.schema, identity=identity)
        file.writer.append(rows)
        times_ms = payload.times_ms[order.start : order.stop]
        times_ms = times_ms[times_ms != NO_TIME_MS]
        if times_ms.size:
            least, most = int(times_ms.min()), int(times_ms.max())
            file.time_min_ms = least if file.time_min_ms is None else min(least, file.time_min_ms)
            file.time_max_ms = most if file.time_max_ms is None else max(most, file.time_max_ms)
        return self._measure(order.file_id, file.writer)

    def flush(self, file_id: int) -> Measured | None:
        """Encode a file's waiting rows; None where the file is closed or gone."""
        file = self._files.get(file_id)
        if file is None or file.writer is None:
            return None
        file.writer.flush()
        return self._measure(file_id, file.writer)

    def close(self, order: Close) -> Measured:
        """Finish a file and describe its object."""
        file = self._files[order.file_id]
        assert file.writer is not None, "a file that closes has rows"
        draft = self._describe(file, order)
        encoded = file.writer.finish(draft.to_footer())
        file.writer, file.encoded = None, encoded
        file.description = draft.sealed(sha256=encoded.sha256, md5=encoded.md5, size_bytes=len(encoded.data))
        size_bytes = len(encoded.data)
        return Measured(order.file_id, size_bytes, size_bytes + len(encoded.sidecar or b""), 0)

    def finished(self, file_id: int) -> tuple[ObjectDescription, EncodedFile]:
        """Give a closed file; it stays held.

        Returns:
            The description and the bytes.
        """
        file = self._files[file_id]
        assert file.description is not None
        assert file.encoded is not None
        return file.description, file.encoded

    @property
    def memory_bytes(self) -> int:
        """The memory of all files, added up anew."""
        files = self._files.values()
        encoded = sum(len(file.encoded.data) for file in files if file.encoded is not None)
        return encoded + sum(file.writer.memory_bytes for file in files if file.writer is not None)

    def discard(self, file_id: int) -> None:
        """Free a file."""
        self._files.pop(file_id, None)

    def _measure(self, file_id: int, writer: FileWriter) -> Measured:
        return Measured(file_id, writer.size_bytes, writer.memory_bytes, writer.pending_bytes)

    def _format_of(self, spec: Open) -> Format:
        return self._by_folder.get(spec.lane.encoded_partition, self._format)

    def _describe(self, file: TaskFile, order: Close) -> ObjectDescription:
        spec, origin = file.spec, self._origin
        name = object_name(
            origin.naming,
            spec.topic_partition.topic,
            spec.lane.encoded_partition,
            spec.topic_partition.partition,
            spec.first_offset,
            self._format_of(spec).extension,
            suffix=origin.name_suffix,
            folder=spec.lane.topic,
        )
        return ObjectDescription(
            name=name,
            topic=spec.topic_partition.topic,
            partition=spec.topic_partition.partition,
            encoded_partition=spec.lane.encoded_partition,
            lane=spec.lane.key,
            first_offset=spec.first_offset,
            last_offset=order.last_offset,
            record_count=order.record_count,
            timestamp_min_ms=file.time_min_ms,
            timestamp_max_ms=file.time_max_ms,
            layout=origin.layout,
            writer=origin.writer,
            reason=str(order.reason),
            siblings="" if spec.lane.encoded_partition in self._by_folder else origin.siblings,
        )
