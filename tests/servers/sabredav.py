"""A real sabre/dav server, NextCloud's own library: Debian's package behind PHP's server, one user."""

from pathlib import Path

from tests.servers.dav_endpoint import DavEndpoint
from tests.servers.debian import program
from tests.servers.process import ServerProcess

PACKAGES = ("php-cli", "php-sabre-dav")
USERNAME, PASSWORD = "süd", "sabre-test: secret"
PROCESSES = 8

_SERVE = """<?php
require '/usr/share/php/Sabre/autoload.php';
date_default_timezone_set('UTC');
// As NextCloud's: a move is a rename. sabre/dav alone copies to another folder, where half a file would show.
class RenamingTree extends Sabre\\DAV\\ObjectTree {
    public function move($source, $target) {
        if (!@rename(getenv('DAV_DATA') . '/' . $source, getenv('DAV_DATA') . '/' . $target)) {
            throw new Sabre\\DAV\\Exception\\Forbidden('Could not rename');
        }
        $this->markDirty($source);
        $this->markDirty($target);
    }
}
$server = new Sabre\\DAV\\Server(new RenamingTree(new Sabre\\DAV\\FSExt\\Directory(getenv('DAV_DATA'))));
$server->setBaseUri(getenv('DAV_BASE'));
class OneUser extends Sabre\\DAV\\Auth\\Backend\\AbstractBasic {
    protected function validateUserPass($user, $password) {
        return $user === getenv('DAV_USER') && $password === getenv('DAV_PASSWORD');
    }
}
$server->addPlugin(new Sabre\\DAV\\Auth\\Plugin(new OneUser(), 'sabre'));
$server->exec();
"""


class SabreDavServer(DavEndpoint):
    """An endpoint with one user, below `/dav`."""

    username, password = USERNAME, PASSWORD
    base = "/dav/"

    def __init__(self, folder: Path, **environment: str) -> None:
        super().__init__(folder)
        self.environment = environment

    def script(self) -> str:
        """What PHP runs for each request."""
        return _SERVE

    def start(self) -> None:
        data, script = self.folder / "data", self.folder / "serve.php"
        data.mkdir(parents=True, exist_ok=True)
        script.write_text(self.script())
        environment = {
            **self.environment,
            "DAV_BASE": self.base,
            "DAV_DATA": str(data),
            "DAV_USER": USERNAME,
            "DAV_PASSWORD": PASSWORD,
            "PHP_CLI_SERVER_WORKERS": str(PROCESSES),
        }
        settings = ["-d", "display_errors=0", "-d", "upload_max_filesize=1G", "-d", "post_max_size=1G"]
        program("sabredav", *PACKAGES)  # comes with the library
        argv = [program("php", *PACKAGES), *settings, "-S", f"127.0.0.1:{self.port}", str(script)]
        self._process = ServerProcess.start("sabredav", argv, log_path=self.folder / "sabre.log", env=environment)
        self._process.wait_for_port(self.port, timeout_s=30)
