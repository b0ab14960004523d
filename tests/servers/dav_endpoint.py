"""What tests ask of any WebDAV server with one user, below `/dav`. Starts nothing itself."""

from pathlib import Path

from tests.servers.process import ServerProcess, free_port


class DavEndpoint:
    """A server's place and login; `start` of each kind sets `_process`."""

    username: str
    password: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: ServerProcess | None = None

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None

    @property
    def options(self) -> dict[str, str]:
        return {"username": self.username, "password": self.password}

    def url(self, path: str, *, port: int | None = None) -> str:
        return f"webdav+http://127.0.0.1:{port or self.port}/dav/{path}"
