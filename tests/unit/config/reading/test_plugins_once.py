from __future__ import annotations

import sys

from streamsink.config.reading import plugins


def test_what_is_installed_is_read_once_for_each_search_path(monkeypatch, tmp_path):
    reads = []
    monkeypatch.setattr(plugins, "entry_points", lambda *, group: reads.append(group) or ())
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    for _ in range(5):
        plugins.all_plugins()
    assert len(reads) == len(plugins.GROUPS)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "more"), *sys.path])
    plugins.all_plugins()
    assert len(reads) == 2 * len(plugins.GROUPS)
