from __future__ import annotations

import resource
import subprocess
import sys

import pytest

from streamsink import __version__
from streamsink.cli.main import run


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


def test_help_names_every_command(capsys):
    assert run(["--help"]) == 0
    out = capsys.readouterr().out
    for command in ("worker", "archive", "demo", "connectors"):
        assert command in out


def test_the_module_runs_and_loads_nothing_heavy_for_its_help():
    script = "import sys; from streamsink.cli.main import run; run(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stderr.split())
    assert loaded.isdisjoint({"pyarrow", "confluent_kafka", "fastapi", "uvicorn", "obstore", "numpy", "structlog"})


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
def test_a_workers_configuration_that_can_not_be_used_is_one_line_and_status_2(lines, said, tmp_path, capsys):
    config = tmp_path / "worker.yaml"
    config.write_text(f"{lines}\n")
    assert run(["worker", "--config", str(config)]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert said in err


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
