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


def test_a_table_says_what_is_left_without_the_start_and_what_could_not_be_had(tmp_path):
    bars = [*BARS, Bar("a slow starter", 20_000, 0.05, 0.04, 0.06, ours=False, started=90_000)]
    write_report("cases", "Three cases", bars, tmp_path, absent={"another": "no network"})
    table = (tmp_path / "cases.md").read_text()
    assert "| a slow starter | 0.05 | 0.04 - 0.06 | 20,000 | 90,000 |" in table
    assert "| a peer | 0.10 | 0.09 - 0.12 | 51,000 |  |" in table
    assert "| another | not had: no network |  |  |  |" in table
