"""Reads the objects of keys and headers beside an object, and compares them with it. Changes nothing."""

from __future__ import annotations

from streamsink.archive.archive import Archive, ArchivedObject
from streamsink.encode.read import count_entries
from streamsink.errors import ObjectMissingError, TerminalError
from streamsink.upload.description import ObjectDescription
from streamsink.upload.siblings import kind_of


def check_siblings(archive: Archive, entry: ArchivedObject, said: ObjectDescription) -> None:
    """Find that each sibling an object says it has is there, whole, and has an entry for each record.

    Args:
        archive: The archive that holds the object.
        entry: The object of values, with the names of the siblings that were found.
        said: The object's description, which names the siblings it must have and its number of records.

    Raises:
        TransientError: One can't be read now.
        TerminalError: One is missing, can't be read, or has more or fewer entries.
    """
    for ending in said.siblings.split():
        kind = kind_of(ending)
        name = entry.siblings.get(kind, "")
        if not name.endswith(ending):
            raise TerminalError(f"the object of its {kind} is missing: its name would end in {ending}")
        try:
            data = archive.store.get(name)
        except ObjectMissingError:
            raise TerminalError(f"the object of its {kind} was deleted while it was being verified") from None
        count = count_entries(name, data)
        if count not in {None, said.record_count}:
            raise TerminalError(f"the object of its {kind} has {count} entries, and it {said.record_count} records")
