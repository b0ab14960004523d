"""Object names: Confluent's layout, made and read back. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from streamsink.config.sink import Naming

SUFFIX_PATTERN = "w[0-9a-f]{12}"
"""What a writer adds to its names where the store doesn't create atomically."""


@dataclass(frozen=True, slots=True)
class ParsedName:
    """What an object's name says."""

    topic: str
    encoded_partition: str
    partition: int
    start_offset: int
    suffix: str
    extension: str


def object_name(
    naming: Naming,
    topic: str,
    encoded_partition: str,
    partition: int,
    start_offset: int,
    extension: str,
    *,
    suffix: str = "",
) -> str:
    """`<topics.dir>/<topic>/<encoded partition>/<topic>+<partition>+<padded start offset><extension>`.

    Args:
        naming: Directories and delimiters.
        topic: The topic the records came from.
        encoded_partition: The partitioner's path, safe as it is.
        partition: Kafka's partition.
        start_offset: Offset of the object's first record.
        extension: With its leading dot.
        suffix: Makes the name unique where the store doesn't create atomically; as `SUFFIX_PATTERN`.
    """
    assert not suffix or re.fullmatch(SUFFIX_PATTERN, suffix), suffix
    padded = str(start_offset).zfill(naming.zero_pad_width)
    stem = naming.file_delim.join([topic, str(partition), padded, *([suffix] if suffix else [])])
    parts = [naming.topics_dir, topic, encoded_partition, f"{stem}{extension}"]
    name = naming.directory_delim.join(part for part in parts if part)
    assert ".." not in name.split("/"), "a name stays below its root"
    return name


def parse_name(name: str, naming: Naming | None = None) -> ParsedName | None:
    """Read a name back, whatever `topics.dir` it lies below; None where it is not an object's name.

    The file's part repeats the topic, whose folder must be among those above it.
    """
    naming = naming or Naming()
    delim = re.escape(naming.file_delim)
    folders, _, file = name.rpartition(naming.directory_delim)
    found = re.fullmatch(rf"(.+){delim}(\d+){delim}(\d+)(?:{delim}({SUFFIX_PATTERN}))?(\..*)?", file)
    if found is None:
        return None
    topic, partition, start_offset, suffix, extension = found.groups()
    above = folders.split(naming.directory_delim)
    if topic not in above:
        return None
    encoded = naming.directory_delim.join(above[above.index(topic) + 1 :])
    return ParsedName(topic, encoded, int(partition), int(start_offset), suffix or "", extension or "")
