"""A real WebDAV server: wsgidav, from its PyPI package, files in a folder, one user."""

import json
import sys
from pathlib import Path

from tests.servers.dav_endpoint import DavEndpoint
from tests.servers.process import ServerProcess

USERNAME, PASSWORD = "süd", "webdav-test: secret"

_RUN = """
import json, sys
from cheroot import wsgi
from wsgidav.wsgidav_app import WsgiDAVApp
config = json.loads(sys.argv[1])
server = wsgi.Server((config["host"], config["port"]), WsgiDAVApp(config), numthreads=40)
server.start()
"""


class WsgiDavServer(DavEndpoint):
    """An endpoint with one user, below `/dav`."""

    username, password = USERNAME, PASSWORD

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.data = folder / "data"

    def start(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        config = {
            "host": "127.0.0.1",
            "port": self.port,
            "provider_mapping": {"/dav": str(self.data)},
            "simple_dc": {"user_mapping": {"*": {USERNAME: {"password": PASSWORD}}}},
            "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
            "dir_browser": {"enable": False},
            "verbose": 1,
        }
        argv = [sys.executable, "-W", "ignore", "-c", _RUN, json.dumps(config)]
        self._process = ServerProcess.start("wsgidav", argv, log_path=self.folder / "wsgidav.log", cwd=self.folder)
        self._process.wait_for_port(self.port, timeout_s=30)
