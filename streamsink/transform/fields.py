"""Transforms that add, drop, rename and move fields. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import orjson
import pyarrow as pa

from streamsink.record import TIMESTAMP_TYPE
from streamsink.transform.paths import field_path
from streamsink.transform.require import Settings, all_struct, coalesced, items, pairs, refuse
from streamsink.transform.rows import Datum, Member, Rows, field_of, mask_of, struct_of


class InsertField:
    """Puts in the record's topic, partition, offset, timestamp, or a fixed text."""

    def __init__(self, settings: Settings, *, key: bool) -> None:
        self._key = key
        names = {
            kind: settings.get(f"{kind}.field", "").strip()
            for kind in ("topic", "partition", "offset", "timestamp", "static")
        }
        self._names = {kind: name.removesuffix("?").removesuffix("!") for kind, name in names.items() if name}
        self._static = settings.get("static.value", "")

    def apply(self, rows: Rows) -> Rows:
        """The rows with the fields; a tombstone stays as it is."""
        datum = rows.datum(key=self._key)
        if datum.array.null_count == len(rows):
            return rows
        datum = all_struct(datum, "field insertion", nulls=True)
        members = datum.fields()
        for kind, name in self._names.items():
            if datum.declared and name in members:
                refuse(mask_of(datum.array.is_valid()), f"the schema has a field {name!r} already")
            member = self._member(kind, name, rows, declared=datum.declared)
            members[name] = coalesced(members.get(name), member)
        return rows.with_datum(datum.with_fields(members), key=self._key)

    def _member(self, kind: str, name: str, rows: Rows, *, declared: bool) -> Member:
        match kind:
            case "topic":
                array = rows.topics.cast(pa.string())
            case "partition":
                array = pa.array(np.full(len(rows), rows.source.partition, np.int32))
            case "offset":
                array = rows.offsets
            case "timestamp":
                array = rows.timestamps.cast(TIMESTAMP_TYPE) if declared else rows.timestamps
            case _:
                array = pa.array([self._static]).take(pa.array(np.zeros(len(rows), np.int32)))
        return Member(field_of(name, array.type), array)


class ReplaceField:
    """Keeps, leaves out and renames fields."""

    def __init__(self, settings: Settings, *, key: bool) -> None:
        self._key = key
        self._exclude = frozenset(items(settings, "exclude") or items(settings, "blacklist"))
        self._include = frozenset(items(settings, "include") or items(settings, "whitelist"))
        self._renames = pairs(settings, "renames")

    def apply(self, rows: Rows) -> Rows:
        """The rows with the fields that are left."""
        datum = rows.datum(key=self._key)
        if datum.array.null_count == len(rows):
            return rows
        datum = all_struct(datum, "field replacement", nulls=True)
        members: dict[str, Member] = {}
        for name, member in datum.fields().items():
            if name in self._exclude or (self._include and name not in self._include):
                continue
            after = self._renames.get(name, name)
            if datum.declared and after in members:
                refuse(mask_of(datum.array.is_valid()), f"two fields would be called {after!r}")
            members[after] = coalesced(members.get(after), member.named(after))
        return rows.with_datum(datum.with_fields(members), key=self._key)


class HoistField:
    """Makes the whole value the one field of a struct."""

    def __init__(self, settings: Settings, *, key: bool) -> None:
        self._key = key
        self._field = settings["field"]

    def apply(self, rows: Rows) -> Rows:
        """The rows, each value a field; a tombstone becomes a null field."""
        datum = rows.datum(key=self._key)
        member = Member(field_of(self._field, datum.array.type, text=datum.text), datum.array)
        hoisted = Datum(struct_of({self._field: member}, len(rows), None), declared=datum.declared)
        return rows.with_datum(hoisted, key=self._key)


class ExtractField:
    """Makes one field the whole value."""

    def __init__(self, settings: Settings, *, key: bool) -> None:
        self._key = key
        self._field = settings["field"]
        self._steps = field_path(self._field, settings.get("field.syntax.version", "V1"))

    def apply(self, rows: Rows) -> Rows:
        """The rows with the field alone; null where a record without schema lacks it."""
        datum = all_struct(rows.datum(key=self._key), "field extraction", nulls=True)
        found = self._found(datum)
        if found is None and datum.declared:
            refuse(mask_of(datum.array.is_valid()), f"there is no field {self._field!r}")
        if found is None:
            return rows.with_datum(Datum(pa.nulls(len(rows))), key=self._key)
        return rows.with_datum(Datum(found.array, declared=datum.declared, text=found.text), key=self._key)

    def _found(self, datum: Datum) -> Member | None:
        """Find the datum at the end of a path, None where the path leads nowhere."""
        member: Member | None = None
        for number, step in enumerate(self._steps):
            if datum.text:
                texts = [_inside(text, self._steps[number:]) for text in datum.array.to_pylist()]
                return Member(field_of(step, pa.string(), text=True), pa.array(texts, pa.string()))
            member = all_struct(datum, "nested field access", nulls=True).fields().get(step)
            if member is None:
                return None
            datum = Datum(member.array, declared=datum.declared, text=member.text)
        return member


def _inside(text: str | None, steps: tuple[str, ...]) -> str | None:
    """The member of a JSON text that the steps lead to."""
    value = None if text is None else orjson.loads(text)
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return None if value is None else orjson.dumps(value).decode()


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A field that isn't taken apart, with the names that lead to it."""

    steps: tuple[str, ...]
    member: Member


class Flatten:
    """Takes structs within structs apart, joining the names."""

    def __init__(self, settings: Settings, *, key: bool) -> None:
        self._key = key
        self._delimiter = settings.get("delimiter", ".")

    def apply(self, rows: Rows) -> Rows:
        """The rows without structs in them; lists stay as they are."""
        datum = rows.datum(key=self._key)
        if datum.array.null_count == len(rows):
            return rows
        datum = all_struct(datum, "flattening", nulls=True)
        members: dict[str, Member] = {}
        for leaf in self._leaves(datum, ()):
            if pa.types.is_map(leaf.member.array.type):
                message = f"maps can't be flattened: {self._delimiter.join(leaf.steps)}"
                refuse(mask_of(datum.array.is_valid()), message)
            name = self._delimiter.join(leaf.steps)
            members[name] = coalesced(members.get(name), leaf.member.named(name))
        return rows.with_datum(datum.with_fields(members), key=self._key)

    def _leaves(self, datum: Datum, steps: tuple[str, ...]) -> list[_Leaf]:
        leaves: list[_Leaf] = []
        for name, member in datum.fields().items():
            inner = datum.of(member.array)
            if inner.is_struct:
                leaves += self._leaves(inner, (*steps, name))
            else:
                leaves.append(_Leaf((*steps, name), member))
        return leaves


class ValueToKey:
    """Makes a key of some fields of the value."""

    def __init__(self, settings: Settings) -> None:
        self._fields = items(settings, "fields")

    def apply(self, rows: Rows) -> Rows:
        """The rows with keys that are structs."""
        datum = all_struct(rows.value, "copying fields from value to key", nulls=False)
        members = datum.fields()
        for name in self._fields:
            if name not in members and datum.declared:
                refuse(np.ones(len(rows), bool), f"there is no field {name!r}")
        chosen = {
            name: members.get(name) or Member(field_of(name, pa.null()), pa.nulls(len(rows))) for name in self._fields
        }
        key = Datum(struct_of(chosen, len(rows), None), declared=datum.declared)
        return rows.with_datum(key, key=True)


class SetSchemaMetadata:
    """Names a schema, and gives it a version."""

    def __init__(self, settings: Settings, *, key: bool) -> None:
        self._key = key
        self._name = settings.get("schema.name", "")
        version = settings.get("schema.version", "").strip()
        self._version = int(version) if version else None

    def apply(self, rows: Rows) -> Rows:
        """The rows, which must have a schema."""
        datum = rows.datum(key=self._key)
        if not datum.declared:
            refuse(mask_of(datum.array.is_valid()), "a schema is needed for updating schema metadata")
            return rows
        version = datum.version if self._version is None else self._version
        return rows.with_datum(replace(datum, name=self._name or datum.name, version=version), key=self._key)
