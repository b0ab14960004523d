"""Object names: Confluent's layout, made and read back, and which names are fit for a store. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from streamsink.config.sink import Naming
from streamsink.errors import TerminalError

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
    suffix: str = "",
    folder: str = "",
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
        folder: The topic that transforms route the records to, if it is another. The file keeps the name of the topic
            they came from: two topics routed to one would else meet under one name.

    Example:
        >>> object_name(Naming(), "orders", "partition=0", 0, 42, ".avro")
        'topics/orders/partition=0/orders+0+0000000042.avro'
    """
    assert not suffix or re.fullmatch(SUFFIX_PATTERN, suffix), suffix
    padded = str(start_offset).zfill(naming.zero_pad_width)
    stem = naming.file_delim.join([topic, str(partition), padded, *([suffix] if suffix else [])])
    parts = [naming.topics_dir.strip("/"), folder or topic, encoded_partition, f"{stem}{extension}"]
    name = naming.directory_delim.join(part for part in parts if part)
    assert ".." not in name.split("/"), "a name stays below its root"
    return name


def parse_name(name: str, naming: Naming | None = None) -> ParsedName | None:
    """Read a name back, whatever `topics.dir` it lies below; None where it is not an object's name.

    The file's part repeats the topic, whose folder is among those above it: the one right below `topics.dir` if it is
    that, else the first. Where none is, transforms routed the records: the folder right below is then the topic's.
    """
    naming = naming or Naming()
    delim = re.escape(naming.file_delim)
    folders, _, file = name.rpartition(naming.directory_delim)
    found = re.fullmatch(rf"(.+){delim}([0-9]+){delim}([0-9]+)(?:{delim}({SUFFIX_PATTERN}))?(\..*)?", file)
    if found is None:
        return None
    topic, partition, start_offset, suffix, extension = found.groups()
    root = naming.topics_dir.strip("/")
    below = folders.removeprefix(f"{root}{naming.directory_delim}") if root else folders
    above = below.split(naming.directory_delim)
    if topic not in above and len(above) == 1:
        return None
    folder = above.index(topic) if topic in above else 0
    encoded = naming.directory_delim.join(above[folder + 1 :])
    return ParsedName(topic, encoded, int(partition), int(start_offset), suffix or "", extension or "")


def require_fit(name: str, url: str) -> str:
    """The name itself, if it lies below any store's root and every store can hold it.

    Raises:
        TerminalError: It is absolute, has an empty, `.` or `..` part, or holds a control character.
    """
    parts = name.split("/")
    if any(part in {"", ".", ".."} for part in parts) or any(letter < " " or letter == "\x7f" for letter in name):
        raise TerminalError(
            f"{name!r} is not a name below {url}",
            hint="names are relative, without '..', empty parts and control characters",
        )
    return name
