"""`streamsink worker` as the command line sees it: its options, and nothing that takes long to import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def worker(
    *,
    config: Annotated[Path | None, Parameter(name=["--config", "-c"])] = None,
    connectors: Path | None = None,
) -> int:
    """Run connectors until stopped.

    Parameters
    ----------
    config
        The worker's configuration: a flat map in YAML, JSON or properties.
    connectors
        Folder with one file for each connector, watched for changes.
    """
    from streamsink.cli.worker import run_worker  # noqa: PLC0415 (loads what other commands don't need)

    return run_worker(config, connectors)
