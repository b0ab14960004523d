"""What the chart renders, over a matrix of values, held against Kubernetes' own schemas and our own parsers."""

import itertools
import json
import re
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from streamsink.cli.main import app
from streamsink.config.reading.connector import validate_sink
from streamsink.config.reading.files import load_connectors, load_worker
from streamsink.tooling.chart import schema
from tests.helm.chart import CHART, Rendered, helm, refusal

SINK = {"connector.class": "streamsink.ArchiveSink", "topics": "logs", "archive.url": "file:///var/lib/streamsink"}
DISTRIBUTED = {"mode": "distributed", "replicaCount": 3}
EVERYTHING = {
    **DISTRIBUTED,
    "connectors": {"logs": SINK},
    "existingSecret": "keys",
    "imagePullSecrets": [{"name": "pull"}],
    "ingress": {"enabled": True, "className": "nginx", "tls": [{"secretName": "t", "hosts": ["streamsink.local"]}]},
    "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/archive"}},
    "persistence": {"enabled": True, "storageClass": "fast", "annotations": {"a": "b"}},
    "podDisruptionBudget": {"enabled": True},
    "networkPolicy": {
        "enabled": True,
        "ingressFrom": [{"namespaceSelector": {"matchLabels": {"team": "data"}}}],
        "egress": [{"ports": [{"port": 9092}]}],
    },
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    "dashboard": {"enabled": True},
    "extraEnv": [{"name": "A", "value": "b"}],
    "extraEnvFrom": [{"configMapRef": {"name": "more"}}],
    "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
    "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca"}],
    "extraContainers": [{"name": "side", "image": "side:1"}],
    "initContainers": [{"name": "first", "image": "first:1"}],
    "nodeSelector": {"disk": "ssd"},
    "tolerations": [{"key": "batch", "operator": "Exists"}],
    "affinity": {"podAntiAffinity": {}},
    "priorityClassName": "high",
    "podAnnotations": {"a": "b"},
    "podLabels": {"team": "data"},
}
SNAPSHOT = {
    "schedule": "0 3 * * *",
    "timeZone": "Europe/Berlin",
    "database": "mongodb://reader@db:27017/shop",
    "archive": "file:///var/lib/streamsink/topics",
    "tables": ["orders", "people"],
    "options": {"database.option.password": "${env:SHOP_PASSWORD}", "archive.option.timeout_s": 30},
    "set": {"rotate.size.bytes": 134217728, "poll.records.max": 100},
    "rate": 5000,
    "resources": {"limits": {"memory": "512Mi"}},
}
EVERYTHING |= {"databaseSnapshots": {"shop": SNAPSHOT, "other": {**SNAPSHOT, "suspend": True, "format": "avro"}}}
MATRIX = {
    "as it is": {},
    "everything": EVERYTHING,
    "everything, scaled by lag": {**EVERYTHING, "keda": {"enabled": True, "authenticationRef": "kafka"}},
    "everything, scaled by CPU": {**EVERYTHING, "autoscaling": {"enabled": True}},
    **{f"only {key}": {key: value} for key, value in EVERYTHING.items() if key not in {"mode", "replicaCount"}},
}
NOT_KUBERNETES_OWN = {"ServiceMonitor", "PrometheusRule", "ScaledObject"}


def test_helm_finds_nothing_to_complain_of():
    answer = helm("lint", "--strict", str(CHART), values={"config": {"bootstrap.servers": "kafka:9092"}})
    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize("case", MATRIX)
def test_every_object_is_what_kubernetes_expects(case):
    rendered = Rendered(**MATRIX[case])
    names = [(each["kind"], each["metadata"]["name"]) for each in rendered.objects]
    assert len(names) == len(set(names))
    for each in rendered.objects:
        if each["kind"] not in NOT_KUBERNETES_OWN:
            kubernetes_validate.validate(each, "1.33", strict=True)


def test_kubernetes_schemas_are_looked_at_closely():
    broken = Rendered().one("StatefulSet")
    broken["spec"]["template"]["spec"]["containers"][0]["livenessprobe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, "1.33", strict=True)


def test_the_worker_reads_its_file_without_a_warning(tmp_path):
    for values in ({}, DISTRIBUTED):
        path = tmp_path / "worker.yaml"
        path.write_text(Rendered(**values).one("ConfigMap")["data"]["worker.yaml"])
        worker = load_worker(path, {})
        assert worker.warnings == ()
        assert worker.listeners == "http://0.0.0.0:8083"
        assert worker.distributed == (values != {})


def test_connectors_are_files_that_the_worker_reads(tmp_path):
    config = {**SINK, "rotate.size.bytes": 134217728, "topics": ["a", "b"], "flush.size": 1000000}
    for name, text in Rendered(connectors={"logs-to-disk": config}).connectors.items():
        (tmp_path / name).write_text(text)
    (found,) = load_connectors(tmp_path).values()
    assert found.name == "logs-to-disk"
    assert found.config["rotate.size.bytes"] == "134217728"
    assert found.config["topics"] == "a,b"
    assert validate_sink(found.config, {}).problems == ()


def test_the_internal_topics_follow_the_release_and_can_be_given():
    worker = Rendered(**DISTRIBUTED).worker
    assert worker["group.id"] == "logs-streamsink"
    assert worker["config.storage.topic"] == "logs-streamsink-configs"
    given = {"bootstrap.servers": "k:1", "config.storage.topic": "connect-configs", "group.id": "connect"}
    worker = Rendered(**DISTRIBUTED, config=given).worker
    assert (worker["config.storage.topic"], worker["group.id"]) == ("connect-configs", "connect")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"replicaCount": 2}, "mode: distributed"),
        ({"config": {"bootstrap.servers": "k:1", "group.id": "g"}}, "mode: distributed"),
        ({"config": {}}, "config.bootstrap.servers is needed"),
        ({"keda": {"enabled": True}, "connectors": {"logs": SINK}}, "mode: distributed"),
        ({**DISTRIBUTED, "keda": {"enabled": True}}, "needs connectors"),
        (
            {**DISTRIBUTED, "keda": {"enabled": True}, "autoscaling": {"enabled": True}, "connectors": {"logs": SINK}},
            "exclude each other",
        ),
        ({"replicacount": 2}, "replicacount"),
        ({"mode": "clustered"}, "mode"),
        ({"service": {"port": "rest"}}, "port"),
        ({"connectors": {"a/b": SINK}}, "a/b"),
        ({"databaseSnapshots": {"Shop": SNAPSHOT}}, "Shop"),
        ({"databaseSnapshots": {"shop": {"schedule": "0 3 * * *", "archive": "s3://a/b"}}}, "database"),
        ({"databaseSnapshots": {"shop": {**SNAPSHOT, "table": "orders"}}}, "table"),
        ({"databaseSnapshots": {"s" * 40: SNAPSHOT}}, "52 letters"),
    ],
)
def test_values_that_can_not_work_are_refused_with_a_reason(values, told):
    assert told in refusal(**values)


def test_pods_are_static_members_under_names_of_their_own():
    rendered = Rendered(**DISTRIBUTED)
    environment = {each["name"]: each.get("value") for each in rendered.container["env"]}
    assert environment["STREAMSINK_GROUP_INSTANCE_ID"] == "$(POD_NAME)"
    assert environment["STREAMSINK_REST_ADVERTISED_HOST_NAME"] == "$(POD_NAME).logs-streamsink-workers"
    assert rendered.one("StatefulSet")["spec"]["serviceName"] == "logs-streamsink-workers"
    assert rendered.worker["consumer.group.instance.id"] == "logs-streamsink"


def test_a_secret_is_there_as_environment_and_as_files():
    rendered = Rendered(existingSecret="keys")
    assert {"secretRef": {"name": "keys"}} in rendered.container["envFrom"]
    (mount,) = [each for each in rendered.container["volumeMounts"] if each["name"] == "secrets"]
    assert (mount["mountPath"], mount["readOnly"]) == ("/etc/streamsink/secrets", True)


@pytest.mark.parametrize(
    ("connectors", "seconds"),
    [({}, 45), ({"a": {**SINK, "drain.timeout.ms": 120000}}, 135), ({"a": {**SINK, "drain.timeout.ms": "10000"}}, 45)],
)
def test_a_pod_may_take_longer_than_its_longest_drain(connectors, seconds):
    assert Rendered(connectors=connectors).pod["spec"]["terminationGracePeriodSeconds"] == seconds


def test_pods_roll_when_their_own_keys_change_and_not_for_a_connector():
    def annotations(**values):
        return Rendered(**values).pod["metadata"]["annotations"]

    changed = {"connectors": {"logs": {**SINK, "topics": "other"}}}
    assert annotations(**DISTRIBUTED, connectors={"logs": SINK}) == annotations(**DISTRIBUTED, **changed)
    assert annotations(connectors={"logs": SINK}) == annotations(**changed)
    assert annotations() != annotations(config={"bootstrap.servers": "other:9092"})


def test_a_pod_can_do_little_to_its_node():
    rendered = Rendered()
    assert rendered.pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert rendered.pod["spec"]["automountServiceAccountToken"] is False
    assert rendered.container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_scaling_leaves_the_number_of_workers_to_the_scaler():
    assert Rendered(**DISTRIBUTED).one("StatefulSet")["spec"]["replicas"] == 3
    scaled = Rendered(**DISTRIBUTED, autoscaling={"enabled": True})
    assert "replicas" not in scaled.one("StatefulSet")["spec"]
    assert scaled.one("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"] == "logs-streamsink"


def test_keda_follows_the_lag_of_each_connector():
    named = {**SINK, "consumer.override.group.id": "mine"}
    rendered = Rendered(**DISTRIBUTED, keda={"enabled": True}, connectors={"a": SINK, "b": named})
    triggers = rendered.one("ScaledObject")["spec"]["triggers"]
    assert [each["metadata"]["consumerGroup"] for each in triggers] == ["connect-a", "mine"]
    assert {each["metadata"]["bootstrapServers"] for each in triggers} == {"kafka:9092"}


def test_a_snapshot_of_a_database_is_what_its_cron_job_runs():
    rendered = Rendered(databaseSnapshots={"shop": SNAPSHOT}, existingSecret="keys", podLabels={"team": "data"})
    job = rendered.one("CronJob", "logs-streamsink-shop")["spec"]
    assert (job["schedule"], job["timeZone"], job["concurrencyPolicy"]) == ("0 3 * * *", "Europe/Berlin", "Forbid")
    pod = job["jobTemplate"]["spec"]["template"]
    container = pod["spec"]["containers"][0]
    assert container["envFrom"] == [{"secretRef": {"name": "keys"}}]
    assert container["resources"] == {"limits": {"memory": "512Mi"}}
    worker = rendered.one("StatefulSet")["spec"]["selector"]["matchLabels"]
    assert not worker.items() <= pod["metadata"]["labels"].items()
    # The command itself reads what the chart wrote.
    command, bound, _ = app.parse_args(container["args"], exit_on_error=False, print_error=False)
    assert command.__name__ == "snapshot"
    told = bound.arguments
    assert (told["database"], told["archive"]) == (SNAPSHOT["database"], SNAPSHOT["archive"])
    assert (told["table"], told["rate"]) == (SNAPSHOT["tables"], 5000)
    assert told["option"] == ["archive.option.timeout_s=30", "database.option.password=${env:SHOP_PASSWORD}"]
    assert told["setting"] == ["poll.records.max=100", "rotate.size.bytes=134217728"]


def test_a_release_that_only_takes_snapshots_needs_no_brokers():
    rendered = Rendered(config={}, replicaCount=0, databaseSnapshots={"shop": SNAPSHOT})
    assert rendered.one("StatefulSet")["spec"]["replicas"] == 0
    assert rendered.one("CronJob", "logs-streamsink-shop")


def test_the_schema_and_the_readme_are_up_to_date():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert json.loads((CHART / "values.schema.json").read_text()) == schema(values), "make readme"
    readme = (CHART / "README.md").read_text()
    for key, value in values.items():
        inner = [f"{key}.{below}" for below in value] if isinstance(value, dict) and value else [key]
        assert f"| {key} |" in readme or all(f"| {each}" in readme for each in inner), key


def test_every_value_has_a_comment():
    lines = (CHART / "values.yaml").read_text().splitlines()
    bare = [
        line
        for before, line in itertools.pairwise(lines)
        if re.match(r" *[A-Za-z]+: *[^ ]", line) and not before.lstrip().startswith("#")
    ]
    under_one_comment = (
        *("runAs", "fsGroup", "type:", "readOnly", "drop", "allow", "cpu", "memory"),
        *("topologyKey", "whenUns", "pathType"),
    )
    assert [line for line in bare if not line.lstrip().startswith(under_one_comment)] == []


def test_the_image_file_passes_hadolint():
    dockerfile = CHART.parents[1] / "Dockerfile"
    answer = subprocess.run(
        [Path(sys.executable).parent / "hadolint", str(dockerfile)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout
