"""Versions of a subject in a real Schema Registry, archived by a real worker under each mode of `schema.compatibility`.

`tests/unit/dropin/test_schemas.py` has the table of cases; here a registry gives ids and versions, and a task asks it.
"""

import io
import json

import fastavro
import pytest

from tests.servers.worker import WorkerServer, wait_until

CONFLUENT = {
    "connector.class": "io.confluent.connect.s3.S3SinkConnector",
    "storage.class": "io.confluent.connect.s3.storage.S3Storage",
    "format.class": "io.confluent.connect.s3.format.avro.AvroFormat",
    "value.converter": "io.confluent.connect.avro.AvroConverter",
    "consumer.override.auto.offset.reset": "earliest",
    "exactly.once": "required",
    "flush.size": "4",
    "rotate.age.ms": "2000",
}
OLD = [{"name": "id", "type": "int"}]
NEW = [{"name": "id", "type": "int"}, {"name": "more", "type": "string", "default": "none"}]
MODES = ("NONE", "BACKWARD", "FORWARD", "FULL")
ALTERNATING = [0, 1] * 6
"""Twelve records in turn of both versions: three files of four where they are projected."""
RISING = [0] * 3 + [1] * 3


def schema(fields):
    return {"type": "record", "name": "R", "namespace": "n", "fields": fields}


def produce(kafka, registry, topic, versions):
    """Records of two versions of the topic's subject, registered in their order."""
    kafka.create_topic(topic)
    ids = [registry.register(f"{topic}-value", json.dumps(schema(fields))) for fields in (OLD, NEW)]
    producer = kafka.producer()
    for number, version in enumerate(versions):
        stream = io.BytesIO()
        stream.write(b"\0" + ids[version].to_bytes(4, "big"))
        value = {"id": number, **({"more": f"m{number}"} if version else {})}
        fastavro.schemaless_writer(stream, fastavro.parse_schema(schema([OLD, NEW][version])), value)
        producer.produce(topic, stream.getvalue(), partition=0)
    assert producer.flush(30) == 0


@pytest.fixture(scope="module")
def flips(kafka, registry, tmp_path_factory):
    """What one worker stored of both topics under each mode: rows and columns of each object, by its first offset."""
    folder = tmp_path_factory.mktemp("flips")
    worker = WorkerServer(folder, kafka.bootstrap)
    topics = {"flips-alternating": ALTERNATING, "flips-rising": RISING}
    for topic, versions in topics.items():
        produce(kafka, registry, topic, versions)
    for mode in MODES:
        place = {"topics": ",".join(topics), "archive.url": (folder / mode).as_uri()}
        asks = {"value.converter.schema.registry.url": registry.url, "schema.compatibility": mode}
        worker.connector(f"flips-{mode}", {**CONFLUENT, **place, **asks})
    worker.start()

    def done():
        return all(
            sum(at for at, _ in kafka.committed(f"connect-flips-{mode}", topic).values()) == len(versions)
            for topic, versions in topics.items()
            for mode in MODES
        )

    wait_until("all is committed", done, timeout_s=90, worker=worker)
    assert worker.terminate() == 0
    return {(topic.removeprefix("flips-"), mode): stored(folder / mode, topic) for topic in topics for mode in MODES}


def stored(archive, topic):
    """First offset, columns and ids of each object."""
    found = []
    for file in sorted((archive / "topics" / topic).rglob("*.avro")):
        reader = fastavro.reader(io.BytesIO(file.read_bytes()))
        names = [field["name"] for field in reader.writer_schema["fields"]]
        found.append((int(file.stem.rpartition("+")[2]), names, [row["id"] for row in reader]))
    return found


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        pytest.param(
            "NONE",
            [
                (0, ["id"], [0, 2]),
                (1, ["id", "more"], [1, 3]),
                (4, ["id"], [4, 6]),
                (5, ["id", "more"], [5, 7]),
                (8, ["id"], [8, 10]),
                (9, ["id", "more"], [9, 11]),
            ],
            id="NONE: OURS versions in turn have a file each",
        ),
        pytest.param(
            "BACKWARD",
            [
                (0, ["id"], [0]),
                (1, ["id", "more"], [1, 2, 3, 4]),
                (5, ["id", "more"], [5, 6, 7, 8]),
                (9, ["id", "more"], [9, 10, 11]),
            ],
            id="BACKWARD: after one flip the older version is projected",
        ),
        pytest.param(
            "FULL",
            [
                (0, ["id"], [0]),
                (1, ["id", "more"], [1, 2, 3, 4]),
                (5, ["id", "more"], [5, 6, 7, 8]),
                (9, ["id", "more"], [9, 10, 11]),
            ],
            id="FULL: as BACKWARD",
        ),
        pytest.param(
            "FORWARD",
            [(0, ["id"], [0, 1, 2, 3]), (4, ["id"], [4, 5, 6, 7]), (8, ["id"], [8, 9, 10, 11])],
            id="FORWARD: the newer version is projected",
        ),
    ],
)
def test_versions_in_turn(flips, mode, wanted):
    assert flips["alternating", mode] == wanted


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        pytest.param(
            "NONE",
            [(0, ["id"], [0, 1, 2]), (3, ["id", "more"], [3]), (4, ["id", "more"], [4, 5])],
            id="NONE: OURS a flip closes nothing, flush.size counts both",
        ),
        pytest.param("BACKWARD", [(0, ["id"], [0, 1, 2]), (3, ["id", "more"], [3, 4, 5])], id="BACKWARD"),
        pytest.param("FULL", [(0, ["id"], [0, 1, 2]), (3, ["id", "more"], [3, 4, 5])], id="FULL"),
        pytest.param(
            "FORWARD",
            [(0, ["id"], [0, 1, 2, 3]), (4, ["id"], [4, 5])],
            id="FORWARD: OURS the oldest version met decides behind a commit too",
        ),
    ],
)
def test_a_newer_version(flips, mode, wanted):
    assert flips["rising", mode] == wanted
