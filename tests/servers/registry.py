"""A real Schema Registry: Apicurio, one Java process from Maven, at its Confluent-compatible path."""

import fcntl
import json
import shutil
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.servers.kafka import CACHE
from tests.servers.process import ServerError, ServerProcess, free_port

VERSION = "2.6.13.Final"
ARTIFACT = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"


def registry_folder() -> Path:
    """Apicurio unpacked, fetched once into a cache outside the tree."""
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            raise ServerError(f"{tool} is needed to run a real Schema Registry for this test, and is not on the PATH")
    folder = CACHE / f"apicurio-{VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    ready = folder / "ready"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if ready.exists():
            return folder
        done = subprocess.run(
            ["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={folder}"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if done.returncode:
            raise ServerError(f"Maven could not fetch Apicurio:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        for archive in folder.glob("*.tar.gz"):
            with tarfile.open(archive) as packed:
                packed.extractall(folder, filter="data")
        ready.touch()
    return folder


class RegistryServer:
    """A registry in memory: what was registered is gone once it stops."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/apis/ccompat/v7"
        self._process: ServerProcess | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        """Start it and wait until it answers."""
        jar = next(registry_folder().rglob("*-runner.jar"))
        argv = ["java", "-Xmx384m", "-XX:TieredStopAtLevel=1", "-Dquarkus.http.host=127.0.0.1"]
        argv += [f"-Dquarkus.http.port={self.port}", "-jar", str(jar)]
        self._process = ServerProcess.start("registry", argv, log_path=self.folder / "registry.log", cwd=self.folder)
        self._process.wait_for_port(self.port, timeout_s=90)
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/subjects", timeout=5).close()
            except (urllib.error.URLError, OSError) as error:
                if time.monotonic() > deadline:
                    raise ServerError(f"the registry does not answer: {error}") from error
                time.sleep(0.2)
            else:
                return

    def stop(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def register(self, subject: str, schema: str, kind: str = "AVRO", references: list[dict] | None = None) -> int:
        """Register a schema and give its id; any goes, as this registry checks no compatibility unless told to."""
        body = {"schema": schema, "schemaType": kind, "references": references or []}
        return int(self._call("POST", f"/subjects/{subject}/versions", body)["id"])

    def _call(self, method: str, path: str, body: dict) -> dict:
        request = urllib.request.Request(
            f"{self.url}{path}",
            data=json.dumps(body).encode(),
            method=method,
            headers={"Content-Type": "application/vnd.schemaregistry.v1+json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)
