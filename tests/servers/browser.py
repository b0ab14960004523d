"""A real browser: Debian's Chromium, driven by Playwright."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.servers.process import ServerError

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


def chromium() -> Path:
    """The browser's program; Debian's package is installed where it isn't there."""
    for attempt in range(2):
        found = shutil.which("chromium")
        if found:
            return Path(found)
        if attempt == 0:
            script = "apt-get update -q && apt-get install --yes --no-install-recommends chromium"
            subprocess.run(["sh", "-c", script], capture_output=True, timeout=600, check=False)
    raise ServerError("Chromium can't be had: install Debian's package chromium")


@contextmanager
def browser() -> Iterator[Browser]:
    """A running browser."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=str(chromium()), args=FLAGS)
        try:
            yield running
        finally:
            running.close()
