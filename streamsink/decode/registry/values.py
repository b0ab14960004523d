"""Values whose schemas a Schema Registry has, to columns: grouped by schema, each group at once.

A slice is first split by lane, so that each part has one set of columns. Tombstones, and what has no schema, are a
part of their own: in any other lane, they would change with what lies next to them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from streamsink.config.sink import Compatibility, Converter, RegistryRules
from streamsink.decode.avro.copy import copied
from streamsink.decode.protobuf.reader import ProtobufReader, message_paths
from streamsink.decode.registry import wire
from streamsink.decode.registry.client import RegisteredSchema, SchemaRegistry, UnknownSchemaError
from streamsink.decode.registry.evolution import ProjectionError, fits, projected, with_variants
from streamsink.decode.registry.schema_reader import (
    KINDS,
    AvroReader,
    JsonSchemaReader,
    SchemaReader,
    UnreadableSchemaError,
)
from streamsink.decode.registry.versions import Versions
from streamsink.decode.registry.wire import Frames, Int64s
from streamsink.decode.registry.write_back import WriteBack

SCHEMA_KEY = "streamsink.value.schema"
"""In a file's metadata: the registry's name and the id of the schema that its columns are of."""
MESSAGE_KEY = "streamsink.value.message"
"""Where in its schema a Protobuf message stands, if it isn't the first."""
CONVERTER_KEY = "streamsink.value.converter"


@dataclass(frozen=True, slots=True)
class RegistryColumns:
    """The columns of one part's values. `tag` and `metadata` are its lane's.

    `bare` values are no records: theirs is one column, and no field of theirs. Values in `differing` don't come back
    from the columns, of those that were looked at.
    """

    arrays: list[pa.Array] = field(default_factory=list)
    fields: list[pa.Field] = field(default_factory=list)
    bad: dict[int, str] = field(default_factory=dict)
    tag: str = ""
    metadata: dict[str, str] | None = None
    bare: bool = False
    differing: dict[int, str] = field(default_factory=dict)


class RegistryValues:
    """Reads one connector's values.

    Args:
        converter: How they are encoded.
        registry: Has their schemas.
        rules: Which subject versions are in.
        compatibility: Which versions share a lane.
        columns_max: How many columns JSON may add up to.
        copies: Whether Avro records of one schema are wanted as they are, where a reader gets the same of them.
        check_every: One record in so many is written back from its columns and compared; 0 for none.
    """

    def __init__(
        self,
        converter: Converter,
        registry: SchemaRegistry,
        rules: RegistryRules,
        *,
        compatibility: Compatibility = Compatibility.NONE,
        columns_max: int = 1000,
        copies: bool = False,
        check_every: int = 0,
    ) -> None:
        self._converter = converter
        self._registry = registry
        self._columns_max = columns_max
        self._copies = copies
        self._write_back = WriteBack(0 if converter is Converter.JSON_SCHEMA else check_every)
        self._widens = converter is Converter.JSON_SCHEMA and compatibility is not Compatibility.NONE
        self._readers: dict[object, SchemaReader | str] = {}
        self._types: dict[int, pa.DataType] = {}
        self._has_messages = converter is Converter.PROTOBUF
        self._variants: dict[int, tuple[int, tuple[int, ...]]] = {}
        self._versions = Versions(registry, rules, compatibility, self._takes)

    def split(self, topic: str, values: pa.BinaryArray) -> list[Int64s]:
        """The rows of each lane, in order.

        Raises:
            TransientError: The registry can't be asked now.
            TerminalError: It refuses to answer.
        """
        ids = self._codes(wire.read_frames(values))[0] if self._has_messages else wire.read_ids(values)
        lanes: dict[str, list[int]] = {}
        for schema_id in wire.distinct(ids):
            lanes.setdefault(self._tag(topic, schema_id), []).append(schema_id)
        found: list[Int64s] = []
        for members in lanes.values():
            rows = np.arange(len(ids)) if len(lanes) == 1 else np.flatnonzero(np.isin(ids, members))
            # A record of a version that changes the columns begins another file, and what came before stays as it is.
            cuts = self._versions.cuts(topic, ids[rows]) if len(members) > 1 and not self._widens else []
            found += np.split(rows, cuts)
        return found

    def read(self, topic: str, values: pa.BinaryArray) -> RegistryColumns:
        """The columns of one part that `split` gave.

        Raises:
            TransientError: The registry can't be asked now.
            TerminalError: It refuses to answer.
        """
        whole = wire.read_frames(values)
        codes, frames = self._codes(whole) if self._has_messages else (whole.ids, whole)
        frames = Frames(codes, frames.data, frames.starts, frames.stops)
        bad: dict[int, str] = {}
        groups = self._groups(topic, frames, bad)
        for row in np.flatnonzero(frames.ids == wire.UNFRAMED).tolist():
            bad[row] = wire.why_unframed(values[row].as_py())
        for row in np.flatnonzero(frames.ids == wire.NO_MESSAGE).tolist():
            bad[row] = f"schema id {whole.ids[row]}: it does not say which message of the schema it is"
        if not groups:
            return RegistryColumns(bad=bad, metadata={CONVERTER_KEY: self._converter.value})
        target = groups[0][0]
        if target >= 0:
            target = self._versions.target(topic, [one for one, _, _ in groups])
        differing: dict[int, str] = {}
        array = self._together(topic, target, groups, frames, bad, differing)
        if array is None:
            return RegistryColumns(bad=bad)
        members = array.flatten() if array.type.num_fields else []
        schema_id, path = self._variants[target] if target < 0 else (target, ())
        about = {SCHEMA_KEY: f"{self._registry.name}/{schema_id}", CONVERTER_KEY: self._converter.value}
        if path:
            about[MESSAGE_KEY] = ".".join(map(str, path))
        tag = self._tag(topic, target)
        reader = groups[0][2]
        if self._is_copied(reader):
            assert isinstance(reader, AvroReader), "others are never copied"
            return RegistryColumns([copied(frames)], [reader.copied], bad, tag, about)
        bare = isinstance(reader, AvroReader) and reader.bare
        return RegistryColumns(members, list(array.type), bad, tag, about, bare, differing)

    def _is_copied(self, reader: SchemaReader) -> bool:
        return self._copies and isinstance(reader, AvroReader) and reader.copied is not None

    def read_apart(self, topic: str, values: pa.BinaryArray, heads: frozenset[str]) -> RegistryColumns:
        """Read just some fields, of all schemas together, for a topic that is archived as bytes.

        Args:
            topic: The topic's name.
            values: One value a row, in Confluent's framing.
            heads: The names of the top-level fields.

        Raises:
            TransientError: The registry can't be asked now.
            TerminalError: It refuses to answer.
        """
        tables: list[pa.Table] = []
        order: list[Int64s] = []
        bad: dict[int, str] = {}
        for rows in self.split(topic, values):
            part = self.read(topic, values.take(pa.array(rows)))
            bad |= {int(rows[row]): why for row, why in part.bad.items()}
            chosen = [(at, array) for at, array in zip(part.fields, part.arrays, strict=True) if at.name in heads]
            empty = pa.array(np.zeros(len(rows), np.int8))
            fields = [pa.field(at.name, at.type) for at, _ in chosen]
            schema = pa.schema([pa.field("", pa.int8()), *fields])
            tables.append(pa.Table.from_arrays([empty, *(array for _, array in chosen)], schema=schema))
            order.append(rows)
        if not tables:
            return RegistryColumns()
        joined = pa.concat_tables(tables, promote_options="permissive")
        joined = joined.take(pa.array(np.argsort(np.concatenate(order)))).combine_chunks()
        columns = [pa.concat_arrays(joined.column(at).chunks) for at in range(1, joined.num_columns)]
        return RegistryColumns(columns, list(joined.schema)[1:], bad)

    def _groups(self, topic: str, frames: Frames, bad: dict[int, str]) -> list[tuple[int, Int64s, SchemaReader]]:
        """The rows of each schema, and what reads them; rows whose schema can't be used are bad."""
        groups: list[tuple[int, Int64s, SchemaReader]] = []
        for schema_id in wire.distinct(frames.ids):
            if wire.NO_MESSAGE <= schema_id < 0:
                continue
            rows = np.flatnonzero(frames.ids == schema_id)
            reader = self._reader(topic, schema_id)
            if isinstance(reader, str):
                bad |= dict.fromkeys(rows.tolist(), reader)
            else:
                groups.append((schema_id, rows, reader))
        return groups

    def _together(
        self,
        topic: str,
        target: int,
        groups: list[tuple[int, Int64s, SchemaReader]],
        frames: Frames,
        bad: dict[int, str],
        differing: dict[int, str],
    ) -> pa.StructArray | None:
        """All groups in the target's columns, in the rows' order; rows without a schema have nulls."""
        found: list[tuple[Int64s, pa.Array]] = []
        for schema_id, rows, reader in groups:
            some = frames if len(rows) == len(frames.ids) else frames.some(rows)
            columns = reader.read(some)
            differs = {} if self._is_copied(reader) else self._write_back.differing(schema_id, reader, columns, some)
            differing |= {int(rows[row]): f"schema id {schema_id}: {why}" for row, why in differs.items()}
            bad |= {int(rows[row]): f"schema id {schema_id}: {why}" for row, why in columns.bad.items()}
            found.append((rows, columns.array))
        wanted = self._reader(topic, target)
        assert not isinstance(wanted, str), "a target has been read"
        count = len(frames.ids)
        type_ = self._with_variants(target, wanted.arrow, [array.type for _, array in found])
        arrays = []
        for (schema_id, rows, _), (_, array) in zip(groups, found, strict=True):
            try:
                arrays.append(projected(array, type_))
            except ProjectionError as error:
                bad |= dict.fromkeys(rows.tolist(), f"schema id {schema_id} does not become {target}: {error}")
                arrays.append(None)
        kept = [(rows, array) for (rows, _), array in zip(found, arrays, strict=True) if array is not None]
        if len(kept) == 1 and len(kept[0][0]) == count:
            return kept[0][1]
        if not kept:
            return None
        places, missing = np.zeros(count, np.int64), np.ones(count, np.bool_)
        rows = np.concatenate([rows for rows, _ in kept])
        places[rows], missing[rows] = np.arange(len(rows)), False
        whole = pa.concat_arrays([array for _, array in kept])
        # Rows that are missing are bad and filtered out: any other row's values stand in for them.
        assert not (set(np.flatnonzero(missing).tolist()) - set(bad)), "tombstones have a part of their own"
        return whole.take(pa.array(places))

    def _with_variants(self, target: int, wanted: pa.DataType, found: list[pa.DataType]) -> pa.DataType:
        """The target's columns, with the variants that values of its lane have needed so far."""
        if target not in self._types and found == [wanted]:
            return wanted
        for one in (self._types.get(target, wanted), *found):
            wanted = with_variants(wanted, one)
        self._types[target] = wanted
        return wanted

    def _codes(self, frames: Frames) -> tuple[Int64s, Frames]:
        """In place of ids, what also tells apart the messages of one Protobuf schema; and the frames without that."""
        codes = frames.ids.copy()
        framed = np.flatnonzero(codes >= 0)
        paths, moved = message_paths(frames.some(framed))
        codes[framed] = wire.NO_MESSAGE
        starts = frames.starts.copy()
        starts[framed] = moved.starts
        for path, places in paths.items():
            rows = framed[places]
            for schema_id in np.unique(frames.ids[rows]).tolist():
                here = rows[frames.ids[rows] == schema_id]
                codes[here] = schema_id if path == (0,) else self._variant(schema_id, path)
        return codes, Frames(frames.ids, frames.data, starts, frames.stops)

    def _variant(self, schema_id: int, path: tuple[int, ...]) -> int:
        """A code below all others for a message that isn't the first."""
        known = {variant: code for code, variant in self._variants.items()}
        if (schema_id, path) not in known:
            code = wire.NO_MESSAGE - 1 - len(self._variants)
            self._variants[code] = (schema_id, path)
            return code
        return known[schema_id, path]

    def _tag(self, topic: str, schema_id: int) -> str:
        if wire.NO_MESSAGE <= schema_id < 0 or isinstance(self._reader(topic, schema_id), str):
            return ""
        if schema_id < 0:
            variant, path = self._variants[schema_id]
            return f"schema={variant}.{'.'.join(map(str, path))}"
        return "json" if self._widens else self._versions.tag(topic, schema_id)

    def _takes(self, wide_id: int, narrow_id: int) -> bool:
        wide, narrow = self._reader("", wide_id), self._reader("", narrow_id)
        if isinstance(wide, str) or isinstance(narrow, str):
            return False
        return fits(narrow.arrow, wide.arrow) and wide.takes(narrow)

    def _reader(self, topic: str, schema_id: int) -> SchemaReader | str:
        """The schema's reader, or why there is none."""
        key: object = schema_id
        if self._converter is Converter.JSON_SCHEMA:
            key = topic if self._widens else (topic, schema_id)
        known = self._readers.get(key)
        if known is None:
            try:
                variant, path = self._variants[schema_id] if schema_id < 0 else (schema_id, (0,))
                known = self._readers[key] = self._make(self._registry.schema(variant), path)
            except UnknownSchemaError as error:
                return error.message
        return known

    def _make(self, schema: RegisteredSchema, path: tuple[int, ...]) -> SchemaReader | str:
        wanted = KINDS[self._converter]
        if schema.kind != wanted:
            return f"schema id {schema.schema_id} is {schema.kind}, and value.converter reads {wanted}"
        try:
            if self._converter is Converter.AVRO:
                return AvroReader(schema)
            if self._converter is Converter.PROTOBUF:
                return ProtobufReader(schema, path)
            return JsonSchemaReader(self._columns_max)
        except UnreadableSchemaError as error:
            return f"schema id {schema.schema_id} can't be used: {error}"
