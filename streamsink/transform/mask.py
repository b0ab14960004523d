"""MaskField: puts the null value of a field's type, or a replacement, in place of its value. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from streamsink.errors import TransformError
from streamsink.java.numbers import decimal_of, wrapped
from streamsink.transform.require import Settings, all_struct, items, refuse
from streamsink.transform.rows import Datum, Member, Rows, mask_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MaskField:
    """Masks some fields; null stays null."""

    def __init__(self, settings: Settings, *, key: bool) -> None:
        self._key = key
        self._fields = items(settings, "fields")
        self._replacement = settings.get("replacement") or None

    def apply(self, rows: Rows) -> Rows:
        """The rows with these fields masked."""
        datum = all_struct(rows.datum(key=self._key), "masking fields", nulls=False)
        members = datum.fields()
        for name in self._fields:
            if name in members:
                members[name] = self._masked(members[name], datum)
        return rows.with_datum(datum.with_fields(members), key=self._key)

    def _masked(self, member: Member, datum: Datum) -> Member:
        array = member.array
        if member.text:
            texts = [None if text is None else self._masked_text(text) for text in array.to_pylist()]
            return Member(member.field, pa.array(texts, pa.string()))
        if pa.types.is_null(array.type):
            return member
        try:
            mask = self._null_value(array.type, declared=datum.declared) if self._replacement is None else None
            constant = pa.scalar(mask if self._replacement is None else self._replaced(array.type), array.type)
        except ValueError as error:
            refuse(mask_of(array.is_valid()), str(error))
            return member
        masked = pc.if_else(array.is_valid(), constant, pa.nulls(len(array), array.type))
        if self._replacement is not None and pa.types.is_floating(array.type) and not datum.declared:
            masked = self._as_integers(array, masked)
        return Member(member.field, masked)

    def _as_integers(self, array: pa.Array, masked: pa.Array) -> pa.Array:
        """Whole numbers without schema get a whole replacement, in whatever column they stand."""
        assert self._replacement is not None
        whole = pc.equal(array, pc.trunc(array))
        return pc.if_else(whole, float(int(decimal_of(self._replacement))), masked)

    def _null_value(self, kind: pa.DataType, *, declared: bool) -> Any:  # noqa: PLR0911 - one case a type
        match kind:
            case _ if pa.types.is_boolean(kind):
                return False
            case _ if pa.types.is_integer(kind) or pa.types.is_floating(kind):
                return 0
            case _ if pa.types.is_string(kind):
                return ""
            case _ if pa.types.is_decimal(kind):
                return Decimal(0)
            case _ if pa.types.is_timestamp(kind):
                return _EPOCH
            case _ if pa.types.is_date(kind):
                return date(1970, 1, 1)
            case _ if pa.types.is_time(kind):
                return time()
            case _ if pa.types.is_list(kind) or pa.types.is_map(kind):
                return []
            case _ if pa.types.is_struct(kind) and not declared:
                return {child.name: None for child in kind}
        raise ValueError(f"a {kind} can't be masked")

    def _replaced(self, kind: pa.DataType) -> Any:
        assert self._replacement is not None
        if pa.types.is_string(kind):
            return self._replacement
        if pa.types.is_integer(kind):
            return wrapped(wrapped(int(decimal_of(self._replacement)), 64), kind.bit_width)
        if pa.types.is_float32(kind):
            return float(np.float32(decimal_of(self._replacement)))
        if pa.types.is_floating(kind):
            return float(decimal_of(self._replacement))
        if pa.types.is_decimal(kind):
            return decimal_of(self._replacement)
        raise ValueError(f"a {kind} can't be masked with a replacement")

    def _masked_text(self, text: str) -> str:
        value = orjson.loads(text)
        if self._replacement is None:
            return orjson.dumps(type(value)()).decode()
        match value:
            case str():
                return orjson.dumps(self._replacement).decode()
            case bool() | list() | dict():
                raise TransformError("a value of this type can't be masked with a replacement")
            case int():
                return str(int(decimal_of(self._replacement)))
        return orjson.dumps(float(decimal_of(self._replacement))).decode()
