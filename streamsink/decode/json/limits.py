"""Says how many columns a topic may have, and which names get one even so. Pure: knows no values."""

from __future__ import annotations

from dataclasses import dataclass

from streamsink.record import REST

VARIANTS_SHARE = 20
"""One column of so many is kept for variants, so that a topic of many names still finds place for them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The number of columns that a topic may have, and the names that get one even beyond it."""

    columns_max: int
    always: frozenset[str] = frozenset()
    taken: frozenset[str] = frozenset({REST})

    @property
    def fields_max(self) -> int:
        """The most columns that fields of any name may make; the rest is for variants of columns that are there."""
        return self.columns_max - self.columns_max // VARIANTS_SHARE

    def admit(self, name: str, columns: int) -> bool:
        """Whether a new field gets a column.

        Args:
            name: The field's.
            columns: How many columns the topic has.
        """
        return name not in self.taken and (columns < self.fields_max or name in self.always)

    def admit_variant(self, name: str, columns: int) -> bool:
        """Whether a column gets a variant.

        Args:
            name: The variant's.
            columns: How many columns the topic has, variants among them.
        """
        return name not in self.taken and columns < self.columns_max
