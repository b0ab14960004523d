"""Makes objects' names and reads them back, as Confluent names them; says which names fit into a store. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from streamsink.config.sink import Naming
from streamsink.errors import TerminalError
from streamsink.upload import template

SUFFIX_PATTERN = "w[0-9a-f]{12}"
"""The suffix of a writer's names where the store doesn't create atomically."""


@dataclass(frozen=True, slots=True)
class ParsedName:
    """The parts of an object's name."""

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
        naming: Directories and delimiters, or a template.
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
    root = naming.topics_dir.strip("/")
    if naming.template:
        filled = template.Filled(topic, encoded_partition, partition, start_offset)
        named = template.render(naming.template, filled) + (f".{suffix}" if suffix else "")
        return f"{root}/{named}" if root else named
    padded = str(start_offset).zfill(naming.zero_pad_width)
    stem = naming.file_delim.join([topic, str(partition), padded, *([suffix] if suffix else [])])
    parts = [root, folder or topic, encoded_partition, f"{stem}{extension}"]
    name = naming.directory_delim.join(part for part in parts if part)
    assert ".." not in name.split("/"), "a name stays below its root"
    return name


def parse_name(name: str, naming: Naming | None = None) -> ParsedName | None:
    """Read a name back, whatever `topics.dir` it lies below; None where it is not an object's name.

    The file's part repeats the topic, whose folder is among those above it: the one right below `topics.dir` if it is
    that, else the first. Where none is, transforms routed the records: the folder right below is then the topic's.

    Args:
        name: The object's, relative to the store's root.
        naming: How objects are named; None for the default way.
    """
    naming = naming or Naming()
    if naming.template:
        return _by_template(name, naming)
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


def names_begin(naming: Naming, topic: str) -> str:
    """The prefix of the names of all objects of a topic.

    Args:
        naming: How objects are named.
        topic: The topic's name; empty for the prefix of all topics.
    """
    root = naming.topics_dir.strip("/")
    if naming.template:
        return (f"{root}/" if root else "") + (template.head(naming.template, topic) if topic else "")
    return "".join(f"{part}{naming.directory_delim}" for part in (root, topic) if part)


def _by_template(name: str, naming: Naming) -> ParsedName | None:
    root = naming.topics_dir.strip("/")
    if root and not name.startswith(f"{root}/"):
        return None
    named = name.removeprefix(f"{root}/") if root else name
    bare, _, suffix = named.rpartition(".")
    if not re.fullmatch(SUFFIX_PATTERN, suffix):
        bare, suffix = named, ""
    filled = template.fill(naming.template, bare)
    if filled is None:
        return None
    return ParsedName(filled.topic, filled.encoded_partition, filled.partition, filled.start_offset, suffix, "")


def require_fit(name: str, url: str) -> str:
    """Give the name back, if it lies below any store's root and every store can hold it.

    Args:
        name: An object's name.
        url: The store's, for the error.

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
