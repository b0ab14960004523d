"""Builds the native library of `streamsink/native/` beside its source. Needs a Rust compiler, and no network.

`python -m streamsink.tooling.native`; without a compiler it says so, and all goes on without the library. What was
built lies in a cache outside the tree, by its source's hash. It imports nothing of ours: the wheel's build runs this
file alone.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "native"
LIBRARY = SOURCE / "libstreamsink_native.so"
BUILD_TIMEOUT_S = 300
_BUILT = {"darwin": "libstreamsink_native.dylib"}


def build() -> Path | None:
    """The library, built if its source has changed; None without a compiler.

    Raises:
        RuntimeError: The compiler refuses, with what it said, or takes too long.
    """
    cargo = shutil.which("cargo")
    if cargo is None:
        return None
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "streamsink" / "native"
    cache.mkdir(parents=True, exist_ok=True)
    sources = [SOURCE / "Cargo.toml", SOURCE / "Cargo.lock", *sorted((SOURCE / "src").iterdir())]
    kept = cache / f"{hashlib.sha256(b''.join(path.read_bytes() for path in sources)).hexdigest()[:16]}.so"
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            _compile(cargo, cache / "target")
            _replace(cache / "target" / "release" / _BUILT.get(sys.platform, LIBRARY.name), kept)
        if not LIBRARY.exists() or LIBRARY.read_bytes() != kept.read_bytes():
            _replace(kept, LIBRARY)
    return LIBRARY


def _compile(cargo: str, target: Path) -> None:
    try:
        built = subprocess.run(  # noqa: S603 - cargo is what the PATH says
            [cargo, "build", "--release", "--locked", "--offline"],
            cwd=SOURCE,
            env={**os.environ, "CARGO_TARGET_DIR": str(target)},
            capture_output=True,
            text=True,
            timeout=BUILD_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError("the native library can't be built: the compiler takes too long") from error
    if built.returncode:
        raise RuntimeError(f"the native library can't be built:\n{built.stderr[-3000:]}")


def _replace(source: Path, place: Path) -> None:
    """Copy a file; who has the old one loaded keeps it."""
    fresh = place.with_name(f"{place.name}.{os.getpid()}")
    shutil.copyfile(source, fresh)
    fresh.replace(place)


if __name__ == "__main__":
    if build() is None:
        sys.stderr.write("no Rust here (cargo on the PATH): JSON is read without the native library\n")
