"""The image's own steps, run in a scratch folder: there is no container engine where tests run."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
IMAGE_BYTES_MAX = 490 * 1000 * 1000
"""With all extras, and compiled, since nothing can be written where it runs: shared libraries alone are 260 MB."""
PYTHON_SLIM_BYTES = 125 * 1000 * 1000
"""What python:3.12-slim-bookworm and tini take unpacked."""


def _build_step() -> str:
    """The shell of the build stage's RUN lines below the environment, with the image's paths replaced by ours."""
    stage = (ROOT / "Dockerfile").read_text().split("\nFROM ")[1].replace("\\\n", " ")
    runs = re.findall(r"^RUN (.*)$", stage, re.MULTILINE)
    return "\n".join(run for run in runs if "uv venv" in run or "uv pip install" in run)


def _build_environment() -> dict[str, str]:
    stage = (ROOT / "Dockerfile").read_text().split("\nFROM ")[1]
    return dict(pair.split("=") for line in re.findall(r"^ENV (.*)$", stage, re.MULTILINE) for pair in line.split())


def test_the_build_stage_makes_a_small_worker_that_runs_from_a_read_only_folder(tmp_path):
    source, target = tmp_path / "src", tmp_path / "opt"
    source.mkdir()
    for name in ("pyproject.toml", "requirements.lock", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "streamsink", source / "streamsink", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    script = "set -e\n" + _build_step().replace("/opt/streamsink", str(target))
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **_build_environment()}
    environment.pop("VIRTUAL_ENV", None)
    subprocess.run(["bash", "-c", script], cwd=source, env=environment, check=True, timeout=300)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file() and not path.is_symlink())
    assert size + PYTHON_SLIM_BYTES < IMAGE_BYTES_MAX, f"{size / 1e6:.0f} MB of packages"
    bare = {"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/nonexistent"}
    extras = (
        "confluent_kafka.schema_registry.avro",
        "duckdb",
        "faust",
        "grpc_tools.protoc",
        "msgpack",
        "opentelemetry.sdk.trace",
        "ptars",
        "pyarrow.dataset",
        "pymongo",
        "pymysql",
        "rich.traceback",
    )
    commands = (
        ["streamsink", "--version"],
        ["streamsink", "demo", "--dir", str(tmp_path / "demo")],
        ["python", "-c", f"import {', '.join(extras)}"],
        ["python", "-c", "from streamsink.native.library import load; assert load() is not None"],
    )
    for program, *arguments in commands:
        answer = subprocess.run(
            [target / "bin" / program, *arguments],
            cwd=tmp_path,  # Python looks for packages where it stands first
            env=bare,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert answer.returncode == 0, answer.stderr
