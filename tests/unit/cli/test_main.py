from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

from streamsink import __version__
from streamsink.cli.main import run
from streamsink.cli.program import overview


def test_version_is_told(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__


@pytest.mark.parametrize(
    "arguments",
    [["worker", "--nope"], ["worker", "--config"], ["connectors", "show"], ["connectors", "status", "a", "b"]],
)
def test_wrong_usage_is_one_line_on_stderr_and_status_2(arguments, capsys):
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("streamsink: ")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [(["replay"], "streamsink replay --help"), (["connectors", "status"], "streamsink connectors status --help")],
)
def test_wrong_usage_names_the_help_of_its_own_command(arguments, hint, capsys):
    assert run(arguments) == 2
    assert f"({hint} shows the usage)" in capsys.readouterr().err


def test_help_names_every_command(capsys):
    assert run(["--help"]) == 0
    out = capsys.readouterr().out
    for command in ("worker", "archive", "demo", "connectors"):
        assert command in out


def loaded_by(*arguments):
    script = (
        "import atexit, sys\n"
        "atexit.register(lambda: print(*sys.modules, file=sys.stderr))\n"
        f"sys.argv = ['streamsink', *{arguments!r}]\n"
        "from streamsink.cli.program import main\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stderr.split())


HEAVY = {"pyarrow", "confluent_kafka", "fastapi", "uvicorn", "obstore", "numpy", "structlog"}


def test_the_overview_loads_next_to_nothing_and_a_commands_help_nothing_heavy():
    assert loaded_by("--help").isdisjoint({*HEAVY, "cyclopts", "rich", "multiprocessing", "inspect"})
    assert loaded_by("worker", "--help").isdisjoint(HEAVY)


@pytest.mark.parametrize("columns", [70, 80, 132])
def test_the_overview_is_what_the_library_would_print(columns):
    script = "from streamsink.cli.main import run; run(['--help'])"
    printed = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "COLUMNS": str(columns)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert overview(columns).splitlines() == [line.rstrip() for line in printed.stdout.splitlines()]


def test_help_is_there_in_a_blink():
    command = [sys.executable, "-m", "streamsink", "--help"]
    best_s = min(_timed(command) for _ in range(3))
    assert best_s < 1.0


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("bootstrap.servers: nowhere", "bootstrap.servers"),
        ("listeners: ftp://127.0.0.1:1", "only http and https"),
        ("listeners: https://127.0.0.1:1", "needs a certificate"),
        ("a: {b: c}", "worker.yaml"),
        ("sasl.password: ${env:NO_SUCH_VARIABLE}", "NO_SUCH_VARIABLE"),
    ],
)
def test_a_workers_configuration_that_can_not_be_used_is_a_line_for_each_key_and_status_2(
    lines, said, tmp_path, capsys
):
    config = tmp_path / "worker.yaml"
    config.write_text(f"{lines}\n")
    assert run(["worker", "--config", str(config)]) == 2
    err = capsys.readouterr().err.splitlines()
    assert all(line.startswith("streamsink: ") for line in err)
    assert sum(said in line for line in err) == 1


def test_everything_wrong_with_a_worker_is_told_at_once(tmp_path, capsys):
    config = tmp_path / "worker.yaml"
    config.write_text("listeners: ftp://127.0.0.1:1\nlog.level: LOUD\nsasl.password: ${env:NO_SUCH_VARIABLE}\n")
    assert run(["worker", "--config", str(config), "--connectors", str(tmp_path / "none")]) == 2
    err = capsys.readouterr().err
    for said in ("bootstrap.servers", "ftp://127.0.0.1:1", "LOUD", "NO_SUCH_VARIABLE", "is no folder"):
        assert said in err


def test_a_connectors_folder_that_is_not_there_is_wrong_usage(tmp_path, capsys):
    assert run(["worker", "--connectors", str(tmp_path / "none")]) == 2
    assert "is no folder" in capsys.readouterr().err


def _timed(command):
    """CPU seconds: other work on the machine must not count."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, capture_output=True, timeout=60, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_a_workers_start_loads_nothing_that_only_tasks_and_archives_need():
    script = "import sys, streamsink.cli.worker; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert {"fastavro", "obstore", "numpy", "pyarrow", "streamsink.archive.archive"}.isdisjoint(done.stdout.split())
