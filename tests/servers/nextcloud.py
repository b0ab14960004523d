"""NextCloud's WebDAV as far as its manual tells of it: sabre/dav with a user's files, and chunked uploads beside them.

The uploads are written after NextCloud's developer manual (chunked upload v2): folders made with the destination named,
chunks 1 to 10000 of 5 MB at least but the last, put together by a move of `.file`, which checks OC-Total-Length.
NextCloud itself, with its database and storages, is not here.
"""

from urllib.parse import quote

from tests.servers.sabredav import _SERVE, USERNAME, SabreDavServer

CHUNK_BYTES_MIN = 5 * 1000 * 1000

_TREE = """
class NextCloudTree extends RenamingTree {
    public function move($source, $target) {
        if (basename($source) != '.file') {
            return parent::move($source, $target);
        }
        $folder = getenv('DAV_DATA') . '/' . dirname($source);
        $chunks = glob($folder . '/*');
        sort($chunks);
        $size = array_sum(array_map('filesize', $chunks));
        foreach (array_slice($chunks, 0, -1) as $chunk) {
            if (filesize($chunk) < getenv('DAV_CHUNK_MIN')) {
                throw new Sabre\\DAV\\Exception\\BadRequest('a chunk is too small');
            }
        }
        if ((string)$size !== $_SERVER['HTTP_OC_TOTAL_LENGTH']) {
            throw new Sabre\\DAV\\Exception\\BadRequest("Chunks on server do not sum up, but to $size bytes");
        }
        $part = getenv('DAV_DATA') . '/' . $target . '.part';
        $out = fopen($part, 'w');
        foreach ($chunks as $chunk) {
            $in = fopen($chunk, 'r');
            stream_copy_to_stream($in, $out);
            fclose($in);
        }
        fclose($out);
        rename($part, getenv('DAV_DATA') . '/' . $target);
        array_map('unlink', $chunks);
        rmdir($folder);
        $this->markDirty(dirname($source));
        $this->markDirty($target);
    }
}
class Uploads extends Sabre\\DAV\\ServerPlugin {
    private $server;
    public function initialize(Sabre\\DAV\\Server $server) {
        $this->server = $server;
        $server->subscribeEvent('beforeMethod', array($this, 'check'), 200);
    }
    public function check($method, $uri) {
        if (strpos($uri, 'uploads/') !== 0 || $method == 'DELETE') {
            return true;
        }
        if (!in_array($method, array('MKCOL', 'PUT', 'MOVE'))) {
            throw new Sabre\\DAV\\Exception\\MethodNotAllowed('Reading intermediate uploads is not allowed');
        }
        if (!$this->server->httpRequest->getHeader('Destination')) {
            throw new Sabre\\DAV\\Exception\\BadRequest('no Destination');
        }
        if ($method == 'PUT' && !(ctype_digit(basename($uri)) && basename($uri) >= 1 && basename($uri) <= 10000)) {
            throw new Sabre\\DAV\\Exception\\BadRequest('Invalid chunk name, must be numeric between 1 and 10000');
        }
        return true;
    }
}
"""


class NextCloudLikeServer(SabreDavServer):
    """One user's files below `/remote.php/dav/files`.

    Args:
        folder: For data and log.
        uploads: Whether it has chunked uploads.
    """

    base = "/remote.php/dav/"

    def __init__(self, folder, *, uploads: bool = True) -> None:
        super().__init__(folder, DAV_CHUNK_MIN=str(CHUNK_BYTES_MIN))
        self.files = folder / "data" / "files" / USERNAME
        self.uploads = folder / "data" / "uploads" / USERNAME
        self.files.mkdir(parents=True)
        if uploads:
            self.uploads.mkdir(parents=True)

    def script(self) -> str:
        """What PHP runs for each request."""
        plugin = "$server->addPlugin(new Uploads());\n$server->exec();"
        served = _SERVE.replace("new RenamingTree(", "new NextCloudTree(").replace("$server->exec();", plugin)
        return served.replace("$server = new", f"{_TREE}$server = new", 1)

    def url(self, path: str, *, port: int | None = None) -> str:
        """As `archive.url` takes it."""
        return f"webdav+http://127.0.0.1:{port or self.port}{self.base}files/{quote(USERNAME)}/{path}"
