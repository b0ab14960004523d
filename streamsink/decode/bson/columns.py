"""Turns a topic's BSON documents into the columns of the archive's set, as JSON's. Does no I/O but by the history."""

from __future__ import annotations

import pyarrow as pa

from streamsink.decode.bson.reader import read_rows
from streamsink.decode.bson.record import record_of
from streamsink.decode.column_history import ColumnHistory
from streamsink.decode.json.columns import JsonRules
from streamsink.decode.json.defaults import filled
from streamsink.decode.json.fast_reader import RowsRead
from streamsink.decode.json.placing import Record
from streamsink.decode.json.set_columns import SetColumns
from streamsink.decode.json.shape import Shape, check_required


class BsonColumns(SetColumns):
    """The columns of one topic. Not thread-safe.

    Args:
        rules: What values may become.
        history: The topic's sets.
        fast: Whether documents may be read in bulk; tests compare.
    """

    def __init__(self, rules: JsonRules, history: ColumnHistory, *, fast: bool = True) -> None:
        super().__init__(rules, history, fast=fast)

    def _part(self, shape: Shape, values: pa.Array) -> RowsRead | None:
        return read_rows(values, shape)

    def _document(self, raw: bytes) -> Record:
        found = record_of(raw)
        record = filled(self._declared, found) if self._defaults else found
        check_required(self._declared.fields, record)
        return record
