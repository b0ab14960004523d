"""An archive in a NextCloud folder, copied to Storj and back as the stores' page says: it verifies in both places."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.servers.archives import archive_topic
from tests.servers.sabredav import PASSWORD, USERNAME
from tests.servers.topics import fill_awkwardly

RCLONE = Path(sys.executable).parent / "rclone"


def run(*command, environment=None):
    done = subprocess.run(
        list(map(str, command)),
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def verify(url, options):
    told = [word for key, value in options.items() for word in ("--option", f"{key}={value}")]
    return run(sys.executable, "-m", "streamsink", "archive", "verify", url, *told)


def test_an_archive_goes_from_a_cloud_folder_to_storj_and_back(kafka, sabredav, storj, unique, tmp_path):
    kafka.create_topic(unique, 2)
    fill_awkwardly(kafka, unique, 600, partitions=2)
    archive_topic(kafka, unique, sabredav.url(unique), options=sabredav.options, format_class="raw", flush_size="200")
    environment = {
        "RCLONE_CONFIG": str(tmp_path / "rclone.conf"),
        "RCLONE_CONFIG_CLOUD_TYPE": "webdav",
        "RCLONE_CONFIG_CLOUD_URL": sabredav.url("").removeprefix("webdav+"),
        "RCLONE_CONFIG_CLOUD_VENDOR": "other",
        "RCLONE_CONFIG_CLOUD_USER": USERNAME,
        "RCLONE_CONFIG_CLOUD_PASS": run(RCLONE, "obscure", PASSWORD).strip(),
        "RCLONE_CONFIG_STORJ_TYPE": "storj",
        "RCLONE_CONFIG_STORJ_ACCESS_GRANT": storj.options["access_grant"],
    }
    first = verify(f"{sabredav.url(unique)}/topics", sabredav.options)
    assert "sound" in first
    run(RCLONE, "mkdir", f"storj:bucket-{unique}", environment=environment)
    run(RCLONE, "copy", "--immutable", f"cloud:{unique}", f"storj:bucket-{unique}/archive", environment=environment)
    assert verify(f"sj://bucket-{unique}/archive/topics", storj.options) == first

    shutil.rmtree(sabredav.folder / "data" / unique)
    run(RCLONE, "copy", "--immutable", f"storj:bucket-{unique}/archive", f"cloud:{unique}", environment=environment)
    assert verify(f"{sabredav.url(unique)}/topics", sabredav.options) == first
