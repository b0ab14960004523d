"""The chart as Helm renders it."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import yaml

from tests.servers.go_tools import go_tool

CHART = Path(__file__).parents[2] / "helm" / "streamsink"
BROKERS = {"bootstrap.servers": "kafka:9092"}


def chart_registry() -> Path:
    """An OCI registry's program."""
    return go_tool("github.com/google/go-containerregistry/cmd/registry", "v0.21.5")


def helm(*arguments: str, values: Mapping = ()) -> subprocess.CompletedProcess:
    """Run Helm, with `values` as a values file."""
    program = go_tool("helm.sh/helm/v3/cmd/helm", "v3.18.6")
    return subprocess.run(
        [program, *arguments, *(["--values", "-"] if values else [])],
        input=yaml.safe_dump(dict(values)) if values else None,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Rendered:
    """Every object of a release called `logs`."""

    def __init__(self, **values) -> None:
        values = {"config": BROKERS, **values}
        answer = helm("template", "logs", str(CHART), "--kube-version", "1.33", values=values)
        assert answer.returncode == 0, answer.stderr
        self.text = answer.stdout
        self.objects = [each for each in yaml.safe_load_all(answer.stdout) if each]

    def kind(self, kind: str) -> list[dict]:
        """All objects of a kind."""
        return [each for each in self.objects if each["kind"] == kind]

    def one(self, kind: str, name: str = "logs-streamsink") -> dict:
        """The object of a kind and name."""
        (found,) = [each for each in self.kind(kind) if each["metadata"]["name"] == name]
        return found

    @property
    def pod(self) -> dict:
        """The workers' pod."""
        return self.one("StatefulSet")["spec"]["template"]

    @property
    def container(self) -> dict:
        """The workers' own container."""
        return self.pod["spec"]["containers"][0]

    @property
    def worker(self) -> dict:
        """The worker's keys."""
        return yaml.safe_load(self.one("ConfigMap")["data"]["worker.yaml"])

    @property
    def connectors(self) -> dict:
        """The connectors' files, by name, as text."""
        return self.one("ConfigMap", "logs-streamsink-connectors")["data"]


def refusal(**values) -> str:
    """What Helm says of values that can't work."""
    answer = helm("template", "logs", str(CHART), "--kube-version", "1.33", values={"config": BROKERS, **values})
    assert answer.returncode != 0
    return answer.stderr
