"""The tables of configuration keys in Markdown documents, made from the definitions: `make readme`. Defines no key."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from streamsink.config.keys.archive import ARCHIVE_KEYS
from streamsink.config.keys.connector import CONNECTOR_KEYS
from streamsink.config.keys.database import DATABASE_KEYS
from streamsink.config.keys.definition import ConfigKey
from streamsink.config.keys.examples import example_of
from streamsink.config.keys.source import REPLAY_KEYS
from streamsink.config.keys.store import OPTIONS
from streamsink.config.keys.worker import WORKER_KEYS

BEGIN, END = "<!-- keys: made by `make readme` -->", "<!-- end of keys -->"

DOCUMENTS: dict[str, tuple[ConfigKey, ...]] = {
    "connectors.d/README.md": (
        *CONNECTOR_KEYS,
        *ARCHIVE_KEYS,
        *(key for keys in dict.fromkeys(OPTIONS.values()) for key in keys),
        *REPLAY_KEYS,
        *DATABASE_KEYS,
    ),
    "streamsink/worker/README.md": tuple(WORKER_KEYS),
}
"""Which keys the tables of each document have, by its path in the repository."""


def markdown(keys: Iterable[ConfigKey]) -> str:
    """One table a group.

    Args:
        keys: In the order of the tables' rows.

    Returns:
        Markdown: key, default, example and meaning of each.
    """
    parts = []
    for group, members in groupby(keys, key=lambda key: key.group):
        rows = "\n".join(_row(key) for key in members)
        parts.append(f"**{group}**\n\n| key | default | example | what it does |\n|---|---|---|---|\n{rows}\n")
    return "\n".join(parts)


def _row(key: ConfigKey) -> str:
    default = "required" if key.required else _code(key.default_text or "")
    words = " ".join(key.documentation.split()).replace("|", "\\|")
    return f"| `{key.name}` | {default} | {_code(example_of(key))} | {words} |"


def _code(value: str) -> str:
    written = value.replace("\n", "\\n").replace("|", "\\|")
    return f"`{written}`" if written else ""


def with_tables(text: str, keys: Iterable[ConfigKey]) -> str:
    """A document with everything between the two marks made anew.

    Args:
        text: The document; it has both marks.
        keys: What its tables are of.

    Returns:
        The document with present tables.
    """
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    assert BEGIN in text, "the text has the first mark"
    assert END in rest, "the text has the second mark"
    return f"{before}{BEGIN}\n{markdown(keys)}{END}{after}"


if __name__ == "__main__":
    for name, keys in DOCUMENTS.items():
        path = Path(sys.argv[1]) / name
        path.write_text(with_tables(path.read_text(), keys))
