"""Runs the command line as `python -m streamsink`. Imports nothing where a task's process loads it again."""

from __future__ import annotations

if __name__ == "__main__":
    from streamsink.cli.program import main

    main()
