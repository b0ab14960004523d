import pytest

from streamsink.config.sink import Naming
from streamsink.errors import TerminalError
from streamsink.upload.description import METADATA_BYTES_MAX, ObjectDescription
from streamsink.upload.name import ParsedName, object_name, parse_name


def test_names_are_confluents():
    name = object_name(Naming(), "logs", "year=2026/month=11", 3, 1841, ".zstd.parquet")
    assert name == "topics/logs/year=2026/month=11/logs+3+0000001841.zstd.parquet"
    assert (
        object_name(Naming(topics_dir=""), "logs", "partition=0", 0, 0, ".avro")
        == "logs/partition=0/logs+0+0000000000.avro"
    )


@pytest.mark.parametrize("topic", ["logs", "a.b", "a-1", "x+0", "0"])
@pytest.mark.parametrize("suffix", ["", "w0123456789ab"])
@pytest.mark.parametrize(
    "naming", [Naming(), Naming(topics_dir=""), Naming("a/b", "/", "-", 0), Naming("t", "/", "_", 20)]
)
def test_names_are_read_back(topic, suffix, naming):
    name = object_name(naming, topic, "f=a/dt=1", 2, 77, ".json.gz", suffix=suffix)
    assert parse_name(name, naming) == ParsedName(topic, "f=a/dt=1", 2, 77, suffix, ".json.gz")


def test_a_routed_file_lies_in_its_topic_s_folder_and_keeps_the_name_of_its_source():
    name = object_name(Naming(), "logs-a", "partition=0", 0, 5, ".avro", folder="logs")
    assert name == "topics/logs/partition=0/logs-a+0+0000000005.avro"
    assert parse_name(name) == ParsedName("logs-a", "partition=0", 0, 5, "", ".avro")


def test_a_topic_named_as_its_folders_is_read_back():
    name = object_name(Naming(), "topics", "partition=0/topics", 0, 5, ".avro")
    assert parse_name(name) == ParsedName("topics", "partition=0/topics", 0, 5, "", ".avro")


@pytest.mark.parametrize(
    "name", ["", "x", "topics/logs/readme.txt", "other/logs+0+1.avro", "logs/logs+0.avro", "logs/logs+a+1.avro"]
)
def test_other_names_are_not_ours(name):
    assert parse_name(name) is None


def describe(**changes):
    values = {
        "name": "topics/lögs/x",
        "topic": "logs",
        "partition": 1,
        "encoded_partition": "city=Zürich%2F1",
        "lane": "city=Zürich%2F1",
        "first_offset": 5,
        "last_offset": 9,
        "record_count": 4,
        "timestamp_min_ms": -1,
        "timestamp_max_ms": None,
        "layout": "9f2c",
        "writer": "sink-0-abc",
        "reason": "age",
    }
    return ObjectDescription(**{**values, **changes})


def test_a_description_comes_back_from_footer_metadata_and_manifest():
    description = describe().sealed(sha256="ab" * 32, md5="cd" * 16, size_bytes=100)
    assert ObjectDescription.from_footer(description.name, description.to_footer()) == describe()
    assert ObjectDescription.from_metadata(description.name, description.to_metadata(), size_bytes=100) == description
    assert ObjectDescription.from_json(description.to_json()) == description


def test_metadata_is_ascii_and_fits_every_store():
    metadata = describe(lane="ü" * 400, encoded_partition="ü" * 400).to_metadata()
    assert all(value.isascii() for value in metadata.values())
    assert sum(len(key) + len(value) for key, value in metadata.items()) <= METADATA_BYTES_MAX


def test_rclones_md5_is_base64():
    sealed = describe().sealed(sha256="ab" * 32, md5="00" * 16, size_bytes=1)
    assert sealed.to_metadata()["md5chksum"] == "AAAAAAAAAAAAAAAAAAAAAA=="


def test_what_is_not_ours_is_refused_in_words():
    with pytest.raises(TerminalError, match="does not say its first_offset"):
        ObjectDescription.from_footer("x", {"streamsink.topic": "t", "streamsink.partition": "0"})
    with pytest.raises(TerminalError, match="not a number"):
        ObjectDescription.from_footer("x", {**describe().to_footer(), "streamsink.last_offset": "nine"})
    assert ObjectDescription.from_metadata("x", {"other": "thing"}, size_bytes=1) is None
