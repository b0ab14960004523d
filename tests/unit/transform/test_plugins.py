"""Plugins that are transforms, by the very example that README gives."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from streamsink.config.reading.connector import validate_sink
from streamsink.config.reading.layout import layout_fingerprint
from streamsink.config.reading.plugins import all_plugins
from streamsink.partition.partitioner import make_partitioner
from streamsink.sink.lanes import LaneSorter
from tests.plugins import forget
from tests.unit.transform.conftest import BASE, WORKER, chain_of, raw_slice

PARTITIONER = """
import pyarrow.compute as pc

class Initial:
    def __init__(self, settings):
        self.field = settings["field"]

    def encode(self, rows):
        return pc.binary_join_element_wise("by", pc.utf8_slice_codeunits(rows.rows.column(self.field), 0, 2), "/")
"""
README = Path(__file__).parents[3] / "streamsink" / "transform" / "README.md"


@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch):
    """An installed package with README's example."""
    text = README.read_text()
    code = re.search(r"```python\n(.*?class Redact.*?)```", text, re.DOTALL)[1]
    points = re.search(r'```toml\n\[project.entry-points."(.*?)"\]\n(\w+) = "(.*?)"\n```', text)
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "__init__.py").touch()
    (tmp_path / "my_package" / "redact.py").write_text(code)
    about = tmp_path / "my_package-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.2\n")
    (about / "entry_points.txt").write_text(
        f"[{points[1]}]\n{points[2]} = {points[3]}\nBroken = my_package.nothing:X\n"
        "[streamsink.partitioners]\nInitial = my_package.initial:Initial\n"
    )
    (tmp_path / "my_package" / "initial.py").write_text(PARTITIONER)
    monkeypatch.syspath_prepend(str(tmp_path))
    forget()


def test_readmes_example_works(pipeline):
    run = pipeline(("Redact", {"fields": "mail,other"}))
    assert run.rows([b'{"mail":"me@x.org, you@y.org","n":1}', None, b'{"n":2}']) == [
        {"mail": "*** ***", "n": 1},
        {"mail": None, "n": None},
        {"mail": None, "n": 2},
    ]


def test_it_is_listed_among_the_plugins_and_known_by_its_class(pipeline):
    (found,) = [one for one in all_plugins() if one.name == "my_package.redact.Redact"]
    assert (found.type, found.version) == ("transformation", "1.2")
    assert pipeline(("my_package.redact.Redact", {"fields": "a"})).config.transforms[0].plugin


@pytest.mark.parametrize(("kind", "words"), [("Redact", "say which"), ("Broken", "can't be loaded")])
def test_one_that_refuses_its_settings_or_cannot_be_imported_is_a_problem_of_its_type(kind, words):
    problems = validate_sink(BASE | chain_of((kind, {})), WORKER).problems
    assert [one.key for one in problems] == ["transforms.t0.type"]
    assert words in problems[0].message


def test_what_a_users_class_gives_back_is_checked(pipeline, monkeypatch):
    run = pipeline(("Redact", {"fields": "a"}), errors__tolerance="all")
    redact = importlib.import_module("my_package.redact").Redact
    monkeypatch.setattr(redact, "apply", lambda self, rows: rows.taken([0] * len(rows) + [0]))
    assert [bad.offset for bad in run([b'{"a":"x"}']).bad] == [100]


def test_a_partitioner_of_ones_own_makes_safe_folders_and_is_in_the_layout(pipeline):
    run = pipeline(partitioner__class="Initial", partitioner__field="name")
    sorter = LaneSorter(run.decoder, make_partitioner(run.config), with_times=False)
    polled, _ = sorter.sort(raw_slice([b'{"name":"ann"}', b'{"name":"../x"}', b'{"name":"anton"}']), now_ms=0)
    assert {one.lane.key: one.offsets.tolist() for one in polled.runs} == {"by/an": [100, 102], "by/%2E%2E": [101]}
    other = pipeline(partitioner__class="Initial", partitioner__field="other").config
    assert layout_fingerprint(run.config) != layout_fingerprint(other)
    refused = validate_sink(BASE | {"partitioner.class": "Initial"}, WORKER).problems
    assert [one.key for one in refused] == ["partitioner.class"]
