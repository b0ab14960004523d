"""Documents point to what is there, and stay short where a newcomer reads first."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DOCUMENTS = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
    timeout=30,
).stdout.split()
LINK = re.compile(r"(?<!`)\[[^\]\n]+\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)


def anchor(heading: str) -> str:
    """The name that a heading has in links, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_files_and_headings_that_are_there(document):
    for target in LINK.findall((ROOT / document).read_text()):
        if "://" in target:
            continue
        name, _, heading = target.partition("#")
        path = (ROOT / document).parent / name if name else ROOT / document
        assert path.exists(), target
        if heading:
            assert heading in {anchor(found) for found in HEADING.findall(path.read_text())}, target


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_in_backquotes_that_names_a_module_is_there(document):
    if document == "CHANGELOG.md":
        return
    for name in re.findall(r"`((?:streamsink|tests)/[\w/]+\.\w+)`", (ROOT / document).read_text()):
        assert (ROOT / name).exists(), name


def test_every_module_that_the_architecture_names_is_there():
    modules = {f"/{path.relative_to(ROOT)}" for path in (ROOT / "streamsink").rglob("*.py")}
    modules |= {f"/{path.relative_to(ROOT)}" for path in (ROOT / "tests").rglob("*.py")}
    for name in re.findall(r"`([\w/]+\.py)`", (ROOT / "streamsink/ARCHITECTURE.md").read_text()):
        assert any(path.endswith(f"/{name}") for path in modules), name


def test_the_first_page_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
