"""Arrow types rebuilt with other leaves. Pure."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
from pyarrow import types

PLACEHOLDER = pa.struct([pa.field("_empty", pa.null())])
"""Stands for a struct without fields where those can't be stored."""


def with_leaves(type_: pa.DataType, leaf: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    """Replace the leaf types of a nested type. A struct without fields counts as a leaf, and its placeholder too.

    Args:
        type_: A struct, list or map type to any depth, or a leaf.
        leaf: Gives a leaf's new type.
    """
    if types.is_struct(type_) and type_.num_fields and type_ != PLACEHOLDER:
        fields = [type_.field(index) for index in range(type_.num_fields)]
        return pa.struct([field.with_type(with_leaves(field.type, leaf)) for field in fields])
    if types.is_map(type_):
        key = type_.key_field.with_type(with_leaves(type_.key_type, leaf))
        return pa.map_(key, type_.item_field.with_type(with_leaves(type_.item_type, leaf)))
    if types.is_large_list(type_):
        return pa.large_list(type_.value_field.with_type(with_leaves(type_.value_type, leaf)))
    if types.is_fixed_size_list(type_):
        return pa.list_(type_.value_field.with_type(with_leaves(type_.value_type, leaf)), type_.list_size)
    if types.is_list(type_):
        return pa.list_(type_.value_field.with_type(with_leaves(type_.value_type, leaf)))
    return leaf(type_)


def schema_with_leaves(schema: pa.Schema, leaf: Callable[[pa.DataType], pa.DataType]) -> pa.Schema:
    """Replace the leaf types of all columns; names, nullability and metadata stay.

    Args:
        schema: The columns.
        leaf: Gives a leaf's new type.
    """
    return pa.schema([field.with_type(with_leaves(field.type, leaf)) for field in schema], metadata=schema.metadata)


def nullable_below_null(schema: pa.Schema) -> pa.Schema:
    """The same columns, each field nullable where one of its parents is: below a null there is nothing but nulls.

    Parquet refuses a required field whose parent is null in some row.
    """
    return pa.schema(
        [field.with_type(_below(field.type, nullable=field.nullable)) for field in schema], metadata=schema.metadata
    )


def _below(type_: pa.DataType, *, nullable: bool) -> pa.DataType:
    def opened(field: pa.Field) -> pa.Field:
        inner = nullable or field.nullable
        return field.with_type(_below(field.type, nullable=inner)).with_nullable(inner)

    if types.is_struct(type_):
        return pa.struct([opened(type_.field(index)) for index in range(type_.num_fields)])
    if types.is_map(type_):
        # A map's keys are never null, and a null list or map has no items: those begin anew.
        item = type_.item_field
        key = type_.key_field.with_type(_below(type_.key_type, nullable=False))
        return pa.map_(key, item.with_type(_below(item.type, nullable=item.nullable)))
    if types.is_list(type_) or types.is_large_list(type_) or types.is_fixed_size_list(type_):
        item = type_.value_field.with_type(_below(type_.value_type, nullable=type_.value_field.nullable))
        if types.is_large_list(type_):
            return pa.large_list(item)
        return pa.list_(item, type_.list_size) if types.is_fixed_size_list(type_) else pa.list_(item)
    return type_
