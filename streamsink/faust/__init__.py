"""For Faust apps: archive what an agent yields, and read an archive as a stream. Needs `streamsink[faust]`."""

from streamsink.faust.sink import ArchiveSink
from streamsink.faust.stream import ArchivedRecord, archive_records, archive_stream

__all__ = ["ArchiveSink", "ArchivedRecord", "archive_records", "archive_stream"]
