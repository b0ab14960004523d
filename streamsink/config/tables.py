"""README.md's configuration tables, made from the definitions: `make readme`. Defines no key."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from streamsink.config.archive_keys import ARCHIVE_KEYS
from streamsink.config.connector_keys import CONNECTOR_KEYS
from streamsink.config.definition import ConfigKey
from streamsink.config.source_keys import REPLAY_KEYS
from streamsink.config.store_keys import OPTIONS

BEGIN, END = "<!-- keys: made by `make readme` -->", "<!-- end of keys -->"


def markdown(keys: Iterable[ConfigKey]) -> str:
    """One table a group: key, default, meaning."""
    parts = []
    for group, members in groupby(keys, key=lambda key: key.group):
        rows = "\n".join(_row(key) for key in members)
        parts.append(f"**{group}**\n\n| key | default | what it does |\n|---|---|---|\n{rows}\n")
    return "\n".join(parts)


def _row(key: ConfigKey) -> str:
    written = (key.default_text or "").replace("\n", "\\n")
    default = "required" if key.required else f"`{written}`" if written else ""
    words = " ".join(key.documentation.split()).replace("|", "\\|")
    return f"| `{key.name}` | {default} | {words} |"


def with_tables(text: str) -> str:
    """A text with everything between the two marks made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    assert BEGIN in text, "the text has the first mark"
    assert END in rest, "the text has the second mark"
    options = [key for keys in dict.fromkeys(OPTIONS.values()) for key in keys]
    return f"{before}{BEGIN}\n{markdown((*CONNECTOR_KEYS, *ARCHIVE_KEYS, *options, *REPLAY_KEYS))}{END}{after}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_tables(path.read_text()))
