"""Runs all tests for `make test`: most beside each other, some alone, and a few that failed once more.

A test with real servers waits for other processes. Where others take the cores, such a wait can end too late though
nothing is broken. So it gets a second run with nothing beside it. Both runs are told; a test that fails twice fails.
A unit test or a simulation waits for nobody, and gets no second run.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

WITH_SERVERS = ("contract", "integration", "storm", "faust", "helm")
SECOND_RUNS_MAX = 10
SHARED = ("-m", "not alone", "--dist", "loadfile")
ALONE = ("-m", "alone")
PASSED, FAILED, NONE_FOUND = 0, 1, 5
"""Exit codes of pytest."""


def _pytest(arguments: Sequence[str], cache: Path) -> int:
    command = [sys.executable, "-m", "pytest", "-o", f"cache_dir={cache}", *arguments]
    return subprocess.run(command, check=False).returncode


def _failed(cache: Path) -> list[str]:
    """Ids of the tests that failed or could not be set up, as pytest's cache has them."""
    found = cache / "v" / "cache" / "lastfailed"
    return sorted(json.loads(found.read_text())) if found.exists() else []


def _has_servers(test: str) -> bool:
    return any(f"tests/{room}/" in test for room in WITH_SERVERS)


def run(parts: Sequence[Sequence[str]], folder: Path) -> int:
    """Run the parts one after another, then what failed in them.

    Args:
        parts: Pytest's arguments, for each part.
        folder: Takes pytest's caches.

    Returns:
        An exit code of pytest: 0 where all passed, be it in their second run.
    """
    codes, failed = [], []
    for number, part in enumerate(parts):
        cache = folder / str(number)
        codes.append(_pytest(part, cache))
        failed += _failed(cache)
        if codes[-1] not in (PASSED, FAILED, NONE_FOUND):
            return codes[-1]
        if len(failed) > SECOND_RUNS_MAX or not all(map(_has_servers, failed)):
            return FAILED
    if set(codes) == {NONE_FOUND}:
        return NONE_FOUND
    if not failed:
        return FAILED if FAILED in codes else PASSED
    print(f"\nA second run, with nothing beside it, of {len(failed)} that failed:", *failed, sep="\n  ", flush=True)
    return _pytest(failed, folder / "second")


def main(arguments: Sequence[str]) -> int:
    """Run the tests.

    Args:
        arguments: How many tests share the machine, then more of pytest's arguments.

    Returns:
        The exit code.
    """
    jobs, *more = arguments
    everything = ["tests", "--ignore=tests/bench", *more]
    with tempfile.TemporaryDirectory() as folder:
        return run([[*SHARED, "-n", jobs, *everything], [*ALONE, *everything]], Path(folder))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
