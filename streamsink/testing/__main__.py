"""`python -m streamsink.testing simulate --seed N --steps M [--seeds K]`: long runs by hand."""

from __future__ import annotations

import argparse
import sys
import time

from streamsink.testing.broken import LawBrokenError
from streamsink.testing.simulate import simulate


def main() -> int:
    """Run histories; 0 when every law held, 1 with the failing seed otherwise."""
    parser = argparse.ArgumentParser(prog="python -m streamsink.testing")
    parser.add_argument("command", choices=["simulate"])
    parser.add_argument("--seed", type=int, default=0, help="first seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds to run, one after the other")
    parser.add_argument("--steps", type=int, default=500, help="moves a history has before it settles")
    asked = parser.parse_args()
    began = time.monotonic()
    objects = records = 0
    for seed in range(asked.seed, asked.seed + asked.seeds):
        try:
            world = simulate(seed, asked.steps)
        except LawBrokenError as broken:
            print(f"seed {seed}, {asked.steps} steps: {broken}", file=sys.stderr)
            return 1
        objects += len(world.store.objects)
        records += sum(len(rows) for rows in world.stored.values())
    seconds = time.monotonic() - began
    total = asked.seeds * asked.steps
    stored = f"{records:,} records in {objects:,} objects"
    print(f"{asked.seeds} histories, {total:,} steps, {stored}, {seconds:.1f} s: no law broken")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
