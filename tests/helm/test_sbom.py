"""The list of what streamsink is made of, as `make sbom` writes it."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_sbom_has_every_locked_package_with_its_version_and_hashes(tmp_path):
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    venv = Path(sys.executable).parents[1]
    made = ["make", "-s", "sbom", f"VENV={venv}"]
    subprocess.run(made, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True)
    document = json.loads((tmp_path / "build" / "sbom.cdx.json").read_text())
    assert document["bomFormat"] == "CycloneDX"
    assert document["metadata"]["component"]["name"] == "streamsink"
    listed = {(one["name"], one["version"]) for one in document["components"]}
    locked = re.findall(
        r"^([a-z0-9][^=\s\[]*)(?:\[\S+\])?==([^\s;]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE
    )
    assert len(locked) > 50
    assert listed == set(locked)
    hashed = [one for one in document["components"] if one.get("externalReferences", [{}])[0].get("hashes")]
    assert len(hashed) == len(document["components"])
