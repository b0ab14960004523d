"""Installs Debian's packages that no package registry has; one test process at a time, and only what is missing."""

import fcntl
import os
import shutil
import subprocess

from tests.servers.process import CACHE, ServerError

TIMEOUT_S = 600
LOCK_TIMEOUT_S = 300
"""How long apt waits for another apt on the machine."""


def program(name: str, *packages: str) -> str:
    """A program's path; where it isn't there, the packages that bring it are installed first.

    Raises:
        ServerError: It can't be had: apt's last words say why.
    """
    found = _found(name)
    if found:
        return found
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = "" if _found(name) else _install(packages)
    found = _found(name)
    if not found:
        raise ServerError(f"{name} is needed on the PATH; `apt-get install {' '.join(packages)}` gave none:\n{said}")
    return found


def _found(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _install(packages: tuple[str, ...]) -> str:
    apt = [*([] if os.geteuid() == 0 else ["sudo", "-n"]), "apt-get", "-o", f"DPkg::Lock::Timeout={LOCK_TIMEOUT_S}"]
    said = ""
    for command in (["update", "-q"], ["install", "-q", "--yes", "--no-install-recommends", *packages]):
        try:
            done = subprocess.run(
                [*apt, *command],
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                capture_output=True,
                text=True,
                timeout=TIMEOUT_S,
                check=False,
            )
        except FileNotFoundError:
            return "there is no apt-get on this machine"
        said = done.stderr[-2000:]
    return said
