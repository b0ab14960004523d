"""Formats the answer of `archive columns` for people. Decides nothing."""

from __future__ import annotations

from streamsink.archive.columns import TopicColumns
from streamsink.cli.archive_views import count
from streamsink.cli.tables import new_table, print_table


def print_columns(found: TopicColumns) -> None:
    """A line for each column, variants after the column that they belong to."""
    table = new_table("column", "type", "variant of", ">values")
    for one in found.columns:
        told = "" if one.variant_of is None else one.variant_of or "values that are no objects"
        table.add_row(one.name, " | ".join(one.types), told, f"{one.values:,}")
    print_table(table)
    sets = f"column set {found.number}" if found.number else "no column set"
    print(f"{count(found.rows, 'row')} in {count(found.objects, 'object')}; {sets}")
