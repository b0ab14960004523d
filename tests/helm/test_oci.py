"""The chart as it is installed from a registry: packed, pushed and rendered from there."""

import re

import pytest
import yaml

from tests.helm.chart import BROKERS, CHART, Rendered, chart_registry, helm
from tests.servers.process import ServerProcess, free_port

README = (CHART / "README.md").read_text()
VERSION = yaml.safe_load((CHART / "Chart.yaml").read_text())["version"]


@pytest.fixture
def registry(tmp_path):
    port = free_port()
    server = ServerProcess.start("registry", [str(chart_registry()), "-port", str(port)], log_path=tmp_path / "log")
    server.wait_for_port(port, timeout_s=30)
    yield f"oci://127.0.0.1:{port}/charts"
    server.kill()


def done(*arguments, **more):
    answer = helm(*arguments, **more)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout + answer.stderr


def test_the_chart_of_a_registry_renders_as_the_folder_does(registry, tmp_path):
    done("package", str(CHART), "--destination", str(tmp_path))
    packed = tmp_path / f"streamsink-{VERSION}.tgz"
    pushed = done("push", str(packed), registry, "--plain-http")
    assert re.search(r"Digest: sha256:[0-9a-f]{64}", pushed)
    values = {"config": BROKERS}
    place = (f"{registry}/streamsink", "--version", VERSION, "--plain-http", "--kube-version", "1.33")
    told = done("template", "logs", *place, values=values)
    objects = [each for each in yaml.safe_load_all(told[told.index("---") :].partition("Pulled:")[0]) if each]
    assert objects == Rendered().objects


def test_the_readme_names_this_versions_package():
    named = re.findall(r"streamsink-(\d+\.\d+\.\d+)\.tgz|--version (\d+\.\d+\.\d+)", README)
    assert {first or second for first, second in named} == {VERSION}
