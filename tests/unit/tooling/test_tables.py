from pathlib import Path

import pytest

from streamsink.config.keys.definition import parse
from streamsink.config.keys.examples import EXAMPLES, OPTION_EXAMPLES, REGISTRY_EXAMPLES, example_of
from streamsink.tooling.tables import DOCUMENTS, markdown, with_tables

ROOT = Path(__file__).parents[3]
KEYS = [key for keys in DOCUMENTS.values() for key in keys]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_have_the_tables_that_the_definitions_make(name):
    text = (ROOT / name).read_text()
    assert text == with_tables(text, DOCUMENTS[name]), "run `make readme`"


@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{key.group}: {key.name}")
def test_every_key_has_a_row_with_an_example_that_it_takes_and_words(key):
    row = next(line for line in markdown([key]).splitlines() if line.startswith(f"| `{key.name}` |"))
    assert len(row.replace("\\|", "").split("|")[4].strip()) > 10
    example = example_of(key)
    assert example
    if not example.startswith("${"):
        assert parse(key, example)[1] == ""


def test_every_example_belongs_to_a_key():
    names = {key.name for key in KEYS}
    assert set(EXAMPLES) <= names
    assert {f"archive.option.{option}" for option in OPTION_EXAMPLES} <= names
    assert {f"value.converter.{setting}" for setting in REGISTRY_EXAMPLES} <= names
