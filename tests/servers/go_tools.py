"""Programs from Go modules, built once into a cache outside the tree."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

CACHE = Path.home() / ".cache" / "streamsink" / "go"
BUILD_TIMEOUT_S = 1500


def go_tool(module: str, version: str) -> Path:
    """The program of a module's main package, built where this version isn't there yet."""
    folder = CACHE / f"{module.replace('/', '_')}@{version}"
    program = folder / module.rsplit("/", 1)[-1]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            environment = {**os.environ, "GOBIN": str(folder), "GOFLAGS": "-mod=mod"}
            built = subprocess.run(
                ["go", "install", f"{module}@{version}"],
                env=environment,
                capture_output=True,
                text=True,
                timeout=BUILD_TIMEOUT_S,
                check=False,
            )
            assert built.returncode == 0, built.stderr[-2000:]
    return program


if __name__ == "__main__":
    module, version, *arguments = sys.argv[1:]
    sys.exit(subprocess.run([go_tool(module, version), *arguments], check=False).returncode)
