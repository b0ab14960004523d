"""The second run of tests that failed."""

import pytest

from tests.run import FAILED, NONE_FOUND, PASSED, SECOND_RUNS_MAX, run

ONCE = """
from pathlib import Path

import pytest


@pytest.mark.parametrize("number", range({count}))
def test_passes_the_second_time(number):
    seen = Path(__file__).with_suffix(f".{{number}}")
    there = seen.exists()
    seen.touch()
    assert there
"""
NEVER = "def test_never_passes():\n    raise ValueError\n"
ALWAYS = "def test_always_passes():\n    pass\n"


@pytest.fixture
def outcome(tmp_path, monkeypatch):
    """What a run of test files says; each is a part."""

    def ran(**files: str) -> int:
        (tmp_path / "pytest.ini").touch()
        parts = []
        for place, text in files.items():
            path = tmp_path / "tests" / place / f"test_{place}.py"
            path.parent.mkdir(parents=True)
            path.write_text(text)
            parts.append([f"tests/{place}"])
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        monkeypatch.chdir(tmp_path)
        return run(parts, tmp_path / "caches")

    return ran


def test_all_parts_are_run_and_one_may_have_no_test(outcome):
    assert outcome(unit=ALWAYS, storm=ALWAYS) == PASSED
    assert outcome(contract="", integration=ALWAYS) == PASSED
    assert outcome(faust="", helm="") == NONE_FOUND


def test_a_test_with_servers_may_pass_the_second_time_and_is_named(outcome, capfd):
    assert outcome(storm=ONCE.format(count=2), unit=ALWAYS) == PASSED
    told = capfd.readouterr().out
    assert "of 2 that failed:\n  tests/storm/test_storm.py::test_passes_the_second_time[0]\n" in told


def test_what_fails_twice_has_failed(outcome):
    assert outcome(storm=ONCE.format(count=1), integration=NEVER) == FAILED


def test_a_unit_test_has_no_second_run(outcome):
    assert outcome(unit=ONCE.format(count=1)) == FAILED


def test_many_failures_are_none_of_a_busy_machine(outcome):
    assert outcome(storm=ONCE.format(count=SECOND_RUNS_MAX + 1)) == FAILED


def test_a_test_that_cannot_be_read_ends_the_run(outcome):
    assert outcome(storm="import nothing_of_this_name", unit=ALWAYS) not in (PASSED, FAILED)
