"""Endpoints as people write them."""

import pytest

from streamsink.errors import ConfigError
from streamsink.upload.endpoint import check_endpoint
from streamsink.upload.open import open_store


@pytest.mark.parametrize(
    ("endpoint", "path_style", "said", "hint"),
    [
        ("127.0.0.1:9000", True, "has no scheme", "write https://127.0.0.1:9000 or http://127.0.0.1:9000"),
        ("minio", True, "has no scheme", "https://minio"),
        ("ftp://minio", True, "has no scheme", "https://minio"),
        ("http://host:port", True, "is no URL", "https://host:port"),
        ("http://:9000", True, "names no host", "https://host:port"),
        ("http://minio:9000/logs", True, "has the bucket in its path", "write http://minio:9000: the bucket is in"),
        ("http://minio:9000/logs/", False, "has the bucket in its path", "write http://minio:9000"),
        ("http://minio:9000/else", False, "has a path", "write http://minio:9000"),
        ("http://minio:9000/?x=1", True, "has more than", "write http://minio:9000"),
        ("http://127.0.0.1:9000", False, "127.0.0.1 is an address", "leave path_style out"),
        ("http://[::1]:9000", False, "::1 is an address", "leave path_style out"),
    ],
)
def test_a_slip_is_told_with_what_to_write_instead(endpoint, path_style, said, hint):
    with pytest.raises(ConfigError, match="archive.option.endpoint") as caught:
        check_endpoint(endpoint, "logs", path_style=path_style)
    assert said in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize("endpoint", ["", "http://minio:9000", "https://s3.example.org/", "http://gateway/prefix"])
def test_what_works_is_taken(endpoint):
    check_endpoint(endpoint, "logs", path_style=True)


def test_opening_a_store_checks_its_endpoint():
    with pytest.raises(ConfigError, match="has no scheme"):
        open_store("s3://logs/a", {"endpoint": "127.0.0.1:9000", "region": "us-east-1"})
