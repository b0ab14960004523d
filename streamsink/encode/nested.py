"""Arrow types rebuilt with other leaves. Pure."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
from pyarrow import types

PLACEHOLDER = pa.struct([pa.field("_empty", pa.null())])
"""Stands for a struct without fields where those can't be stored."""


def with_leaves(type_: pa.DataType, leaf: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    """The same nesting, each leaf type replaced; a struct without fields counts as a leaf, and its placeholder too."""
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
    """The same columns, each leaf type replaced."""
    return pa.schema([field.with_type(with_leaves(field.type, leaf)) for field in schema], metadata=schema.metadata)
