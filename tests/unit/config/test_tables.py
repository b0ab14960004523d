from pathlib import Path

from streamsink.config.archive_keys import ARCHIVE_KEYS
from streamsink.config.connector_keys import CONNECTOR_KEYS
from streamsink.config.tables import markdown, with_tables

README = Path(__file__).parents[3] / "README.md"


def test_readme_has_the_tables_that_the_definitions_make():
    assert README.read_text() == with_tables(README.read_text()), "run `make readme`"


def test_every_key_has_a_row_with_words():
    text = markdown((*CONNECTOR_KEYS, *ARCHIVE_KEYS))
    for key in (*CONNECTOR_KEYS, *ARCHIVE_KEYS):
        row = next(line for line in text.splitlines() if line.startswith(f"| `{key.name}` |"))
        assert len(row.split("|")[3].strip()) > 10, key.name
