"""A real Azure Blob Storage server for tests: Azurite, from npm, into a cache outside the tree."""

import base64
import datetime as dt
import hashlib
import hmac
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.servers.npm import npm_file
from tests.servers.process import ServerError, ServerProcess, free_port

VERSION = "3.37.0"
CONTAINER = "archive"
ACCOUNT = "devstoreaccount1"


class AzuriteServer:
    """A blob endpoint with one account and one container."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}/{ACCOUNT}"
        self.account_key = base64.b64encode(hashlib.sha512(b"streamsink-test").digest()).decode()
        self._process: ServerProcess | None = None

    def start(self) -> None:
        argv = [
            *(
                "node",
                str(npm_file("azurite", VERSION, "dist/src/blob/main.js")),
                "--silent",
                "--skipApiVersionCheck",
                "--disableTelemetry",
            ),
            *("--blobHost", "127.0.0.1", "--blobPort", str(self.port), "--location", str(self.folder)),
        ]
        environment = {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{self.account_key}"}
        log_path = self.folder / "azurite.log"
        self._process = ServerProcess.start("azurite", argv, log_path=log_path, env=environment, cwd=self.folder)
        self._process.wait_for_port(self.port, timeout_s=60)
        self._create_container()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None

    @property
    def options(self) -> dict[str, str]:
        return {"account_name": ACCOUNT, "account_key": self.account_key, "endpoint": self.endpoint}

    def url(self, prefix: str) -> str:
        return f"az://{CONTAINER}/{prefix}"

    def _create_container(self) -> None:
        """Signed by hand: obstore has no call for this."""
        now = dt.datetime.now(dt.UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        headers = {"x-ms-date": now, "x-ms-version": "2021-08-06"}
        resource = f"/{ACCOUNT}/{ACCOUNT}/{CONTAINER}\nrestype:container"
        text = "PUT" + "\n" * 12 + "".join(f"{key}:{value}\n" for key, value in headers.items()) + resource
        digest = hmac.new(base64.b64decode(self.account_key), text.encode(), hashlib.sha256).digest()
        headers["Authorization"] = f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}"
        url = f"{self.endpoint}/{CONTAINER}?restype=container"
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(urllib.request.Request(url, method="PUT", headers=headers), timeout=10).close()
            except urllib.error.HTTPError as error:
                if error.code == 409:
                    return
                raise ServerError(f"no container: {error.read().decode()}") from error
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return
