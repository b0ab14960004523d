"""The dashboard and the alerts, on a Prometheus that scrapes a running worker."""

import json
import re
import subprocess

import pytest
import yaml

from tests.helm.chart import CHART, Rendered
from tests.servers.prometheus import PrometheusServer, program
from tests.servers.worker import WorkerServer, wait_until

OURS = re.compile(r"\b(?:streamsink|process)_\w+")


def rules() -> dict:
    """The rendered rules, as Prometheus reads them."""
    (found,) = Rendered(prometheusRule={"enabled": True, "oldestUnstoredSeconds": 1}).kind("PrometheusRule")
    return found["spec"]


def dashboard() -> list[tuple[str, str]]:
    """Title and expression of everything the dashboard shows."""
    (shown,) = Rendered(dashboard={"enabled": True}).one("ConfigMap", "logs-streamsink-dashboard")["data"].values()
    return [
        (panel["title"], target["expr"].replace("$connector", ".*").replace("$__rate_interval", "1m"))
        for panel in json.loads(shown)["panels"]
        for target in panel["targets"]
    ]


@pytest.fixture(scope="module")
def observed(kafka, tmp_path_factory):
    """A worker with a running sink and one that has failed, and a Prometheus that looks at them."""
    folder = tmp_path_factory.mktemp("observed")
    kafka.create_topic("observed", 2)
    worker = WorkerServer(folder / "worker", kafka.bootstrap)
    sink = {"topics": "observed", "archive.url": (folder / "archive").as_uri(), "rotate.age.ms": "300"}
    worker.connector("runs", sink)
    worker.connector("fails", {**sink, "format.class": "papyrus"})
    producer = kafka.producer()
    for number in range(100):
        producer.produce("observed", b"x" * 100, partition=number % 2)
    assert producer.flush(30) == 0
    worker.start()
    prometheus = PrometheusServer(folder, worker.port, yaml.safe_dump(rules()))
    stored = 'streamsink_objects_stored_total{connector="runs"} > 0'
    seen = "rate(streamsink_client_rebalances_total[1m])"
    try:
        wait_until("it stores", lambda: bool(prometheus.query(stored)), worker=worker)
        wait_until("it shows its client", lambda: bool(prometheus.query(seen)), worker=worker)
        yield prometheus
    finally:
        prometheus.stop()
        worker.kill()


def test_promtool_finds_nothing_wrong_with_the_rules(tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(rules()))
    answer = subprocess.run(
        [program("promtool"), "check", "rules", str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_every_panel_shows_something_of_a_running_worker(observed):
    empty = [title for title, expression in dashboard() if not observed.query(expression)]
    # Nothing has gone wrong by kind in the one, and the other fails before it has a kind.
    assert set(empty) <= {"Failures by kind"}


def test_every_metric_that_dashboard_and_alerts_name_is_exposed(observed):
    exposed = {each["metric"]["__name__"] for each in observed.query('{__name__=~"streamsink_.*|process_.*"}')}
    expressions = [expression for _, expression in dashboard()]
    expressions += [rule["expr"] for group in rules()["groups"] for rule in group["rules"]]
    named = {name for expression in expressions for name in OURS.findall(expression)}
    assert named - exposed <= {"streamsink_failures_total"}
    assert len(named) > 15


def test_every_alert_evaluates_and_a_failed_task_raises_its_own(observed):
    wait_until("rules are evaluated", lambda: all(rule["health"] == "ok" for rule in observed.rules()))
    raised = {rule["name"] for rule in observed.rules() if rule["state"] in {"pending", "firing"}}
    assert "StreamsinkTaskFailed" in raised
    assert "StreamsinkRetrying" not in raised


def test_every_alert_says_what_to_do():
    for rule in (rule for group in rules()["groups"] for rule in group["rules"]):
        assert rule["annotations"]["summary"].endswith(".")
        assert len(rule["annotations"]["runbook"]) > 40
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}


def test_the_dashboard_lies_beside_the_chart_as_it_is_rendered():
    assert json.loads((CHART / "dashboards" / "streamsink.json").read_text())["uid"] == "streamsink"
