"""A bench's table and plot show each case."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from tests.bench.report import Bar, write_report

BARS = [Bar("JSON & Parquet", 490_000, 1.1, 1.03, 1.2), Bar("a peer", 51_000, 0.1, 0.09, 0.12, ours=False)]
SVG = "{http://www.w3.org/2000/svg}"


def test_a_report_has_a_table_and_a_plot_whose_bars_are_as_long_as_the_ratios(tmp_path):
    write_report("cases", "Two cases", BARS, tmp_path / "bench")
    table = (tmp_path / "bench" / "cases.md").read_text()
    assert "| a peer | 0.10 | 0.09 - 0.12 | 51,000 |" in table
    plot = ET.parse(tmp_path / "bench" / "cases.svg").getroot()
    ours, peer = [float(bar.get("width")) for bar in plot.findall(f"{SVG}rect")[1:]]
    assert abs(ours / peer - 11) < 0.1
    assert "JSON & Parquet" in [text.text for text in plot.iter(f"{SVG}text")]
