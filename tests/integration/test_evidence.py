"""Evidence as an auditor uses it: written, signed, checked with OpenSSL, and held against the archive later."""

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from streamsink.cli.verify import verify as run_verify
from streamsink.errors import ConfigError, TerminalError
from streamsink.upload.local import LocalStore
from tests.unit.archive.made import encoding, put


@pytest.fixture
def archive(tmp_path):
    store = LocalStore(tmp_path / "store")
    put(store, range(100))
    put(store, range(100, 150), encoding=encoding("avro", "deflate"))
    put(store, range(160, 180), topic="other", encoding=encoding("raw", "none"))
    return tmp_path / "store" / "topics"


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Two private keys and their public ones, made by OpenSSL."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("ours", "theirs"):
        private = folder / f"{name}.pem"
        openssl("genpkey", "-algorithm", "ed25519", "-out", private)
        openssl("pkey", "-in", private, "-pubout", "-out", folder / f"{name}.public.pem")
    openssl("genpkey", "-algorithm", "rsa", "-out", folder / "rsa.pem")
    return folder


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def verify(archive, **options):
    """The exit status and what was printed."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        code = run_verify(str(archive), **options)
    return code, out.getvalue()


@pytest.fixture
def report(archive, keys, tmp_path):
    path = tmp_path / "evidence.json"
    assert verify(archive, report=path, sign=keys / "ours.pem")[0] == 0
    return path


def against(archive, report, **options):
    code, shown = verify(archive, against=report, json=True, **options)
    return code, json.loads(shown)["against"]


def objects_of(archive):
    return sorted(path for path in Path(archive).rglob("*") if path.is_file())


def test_a_report_tells_objects_ranges_holes_hours_and_software(archive, report):
    told = json.loads(report.read_bytes())
    assert [(one["topic"], one["records"], one["first_offset"], one["last_offset"]) for one in told["objects"]] == [
        ("logs", 100, 0, 99),
        ("logs", 50, 100, 149),
        ("other", 20, 160, 179),
    ]
    for one in told["objects"]:
        digest = openssl("dgst", "-sha256", "-r", archive / one["path"]).split()[0]
        assert one["sha256"] == digest
        assert one["size_bytes"] == (archive / one["path"]).stat().st_size
    hour = "2026-09-21T14:00:00Z"
    assert [(one["topic"], one["hour"], one["records"]) for one in told["hours"]] == [
        ("logs", hour, 150),
        ("other", hour, 20),
    ]
    assert told["sound"]
    assert told["verdict"]["looked_at"]["all"]
    assert told["verdict"]["partitions"][0]["holes"] == []
    assert {"streamsink", "python", "pyarrow"} <= told["software"].keys()


def test_openssl_checks_what_we_sign_and_we_check_what_openssl_signs(archive, keys, report):
    signature = f"{report}.sig"
    check = ("pkeyutl", "-verify", "-pubin", "-rawin", "-in", report, "-sigfile", signature, "-inkey")
    assert "Signature Verified" in openssl(*check, keys / "ours.public.pem")
    Path(signature).unlink()
    openssl("pkeyutl", "-sign", "-rawin", "-in", report, "-inkey", keys / "theirs.pem", "-out", signature)
    code, told = against(archive, report, public_key=keys / "theirs.public.pem")
    assert (code, told["signature"]) == (0, "fits")


def test_an_untouched_archive_is_as_it_was_and_a_grown_one_too(archive, report):
    code, told = against(archive, report)
    assert (code, told["kept"], told["new"], told["signature"]) == (0, True, [], "not checked")
    new = put(LocalStore(archive.parent), range(150, 170))
    code, told = against(archive, report)
    assert (code, told["kept"], told["new"]) == (0, True, [new.name.removeprefix("topics/")])
    assert against(archive, report, topic="other")[1]["new"] == []


def test_an_object_that_was_replaced_by_a_sound_one_or_is_gone_is_told(archive, report):
    replaced, gone = objects_of(archive)[0], objects_of(archive)[-1]
    name = replaced.relative_to(archive.parent).as_posix()
    replaced.unlink()
    assert put(LocalStore(archive.parent), range(100), value=b"another").name == name
    gone.unlink()
    code, told = against(archive, report)
    assert (code, told["kept"]) == (1, False)
    assert told["changed"] == [replaced.relative_to(archive).as_posix()]
    assert told["gone"] == [gone.relative_to(archive).as_posix()]
    shown = verify(archive, against=report)[1]
    assert f"CHANGED {told['changed'][0]}" in shown
    assert f"GONE {told['gone'][0]}" in shown
    assert "1 changed, 1 gone, 0 new" in shown
    assert against(archive, report, topic="logs")[1]["gone"] == []


@pytest.mark.parametrize("harm", ["report", "signature", "key", "no signature"])
def test_a_report_that_was_changed_or_signed_by_another_is_refused(archive, keys, report, harm):
    signature, key = Path(f"{report}.sig"), "ours"
    match harm:
        case "report":
            report.write_bytes(report.read_bytes().replace(b'"records": 100', b'"records": 101'))
        case "signature":
            signature.write_bytes(bytes([signature.read_bytes()[0] ^ 1, *signature.read_bytes()[1:]]))
        case "key":
            key = "theirs"
        case "no signature":
            signature.unlink()
    said = r"evidence\.json\.sig can't be read" if harm == "no signature" else "does not fit"
    with pytest.raises(TerminalError, match=said):
        verify(archive, against=report, public_key=keys / f"{key}.public.pem")


def test_evidence_is_never_overwritten_and_keys_are_looked_at_first(archive, keys, report, tmp_path):
    before, new = report.read_bytes(), tmp_path / "new.json"
    with pytest.raises(TerminalError, match="evidence is not overwritten"):
        verify(archive, report=report)
    assert report.read_bytes() == before
    for key, said in (("rsa.pem", "is not Ed25519"), ("ours.public.pem", "no private key"), ("none", "can't be read")):
        with pytest.raises(TerminalError, match=said):
            verify(archive, report=new, sign=keys / key)
        assert not new.exists()
    with pytest.raises(ConfigError, match="--sign"):
        verify(archive, sign=keys / "ours.pem")
    with pytest.raises(ConfigError, match="--public-key"):
        verify(archive, public_key=keys / "ours.public.pem")
    (tmp_path / "no.json").write_text("[]")
    with pytest.raises(TerminalError, match="is no evidence"):
        verify(archive, against=tmp_path / "no.json")


def test_the_command_takes_all_four_options(archive, keys, report, tmp_path):
    again = [*("--report", tmp_path / "again.json"), *("--sign", keys / "ours.pem")]
    earlier = ["--against", report, "--public-key", keys / "ours.public.pem"]
    command = [sys.executable, "-m", "streamsink", "archive", "verify", archive, *again, *earlier]
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "(signature: fits): 0 changed, 0 gone, 0 new" in done.stdout
    assert (tmp_path / "again.json.sig").stat().st_size == 64
