"""Runs the command line as `python -m streamsink`."""

from __future__ import annotations

from streamsink.cli.main import main

if __name__ == "__main__":
    main()
