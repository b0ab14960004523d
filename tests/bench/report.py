"""Writes what a bench found into `build/bench/`: a Markdown table, and a plot of the ratios as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

FOLDER = Path("build/bench")
NAME_PX, BAR_PX, END_PX, ROW_PX, TOP_PX = 300, 400, 170, 30, 44


@dataclass(frozen=True)
class Bar:
    """One case: records per CPU-second, and the ratio to `consume()` of the same run with the least and the most.

    `started` is the rate with the program's start left out, where it was measured.
    """

    name: str
    rate: float
    ratio: float
    least: float
    most: float
    ours: bool = True
    started: float = 0.0


def write_report(
    name: str, title: str, bars: Sequence[Bar], folder: Path = FOLDER, absent: Mapping[str, str] | None = None
) -> None:
    """Write `name.md` and `name.svg`, and say where.

    Args:
        name: Of the files.
        title: What they show.
        bars: The cases.
        folder: Where they go.
        absent: Cases that are not there, and why; they are rows of the table.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(table(title, bars, absent or {}))
    (folder / f"{name}.svg").write_text(plot(title, bars))
    print(f"written: {folder / name}.md and .svg", flush=True)


def table(title: str, bars: Sequence[Bar], absent: Mapping[str, str]) -> str:
    """The bars as Markdown, with a column for `started` where they have it."""
    started = any(bar.started for bar in bars)
    heads = ["", "of `consume()`", "least - most", "records per CPU-second", *["start left out"] * started]
    rows = [heads, ["---"] * len(heads)]
    for bar in bars:
        cells = [bar.name, f"{bar.ratio:.2f}", f"{bar.least:.2f} - {bar.most:.2f}", f"{bar.rate:,.0f}"]
        rows.append(cells + [f"{bar.started:,.0f}" if bar.started else ""] * started)
    rows += [[name, f"not had: {why}", *[""] * (len(heads) - 2)] for name, why in absent.items()]
    return "\n".join([title, "", *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def plot(title: str, bars: Sequence[Bar]) -> str:
    """The bars as SVG, with a line where `consume()` is."""
    scale = BAR_PX / max(1.0, *(bar.most for bar in bars))
    width, height = NAME_PX + BAR_PX + END_PX, TOP_PX + ROW_PX * len(bars) + 8
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="8" y="22" font-size="14">{escape(title)}</text>',
    ]
    for number, bar in enumerate(bars):
        y = TOP_PX + ROW_PX * number
        middle, end, colour = y + 10, NAME_PX + bar.ratio * scale, "#2f6f9f" if bar.ours else "#a0a0a0"
        least, most = NAME_PX + bar.least * scale, NAME_PX + bar.most * scale
        parts += [
            f'<text x="{NAME_PX - 8}" y="{middle + 5}" text-anchor="end">{escape(bar.name)}</text>',
            f'<rect x="{NAME_PX}" y="{y}" width="{end - NAME_PX:.1f}" height="20" fill="{colour}"/>',
            f'<path d="M{least:.1f} {middle}H{most:.1f}" stroke="#000" stroke-width="1.5"/>',
            f'<text x="{max(end, most) + 6:.1f}" y="{middle + 5}">{bar.ratio:.2f} ({bar.rate:,.0f}/s of CPU)</text>',
        ]
    one = NAME_PX + scale
    parts.append(f'<path d="M{one:.1f} {TOP_PX - 6}V{height - 4}" stroke="#c33" stroke-dasharray="4 3"/></svg>')
    return "\n".join(parts) + "\n"
