"""Connectors of other products' classes on a real broker: siblings through a kill, and archives that others began."""

import gzip
import io
import json
import subprocess
import sys
from collections import defaultdict

import fastavro
import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from streamsink.archive.open import open_archive
from streamsink.archive.verify import verify_archive
from streamsink.observe.points import VARIABLE, Point
from streamsink.upload.open import open_store
from tests.servers.topics import read_topic
from tests.servers.worker import WorkerServer, wait_until

CONFLUENT = {
    "connector.class": "io.confluent.connect.s3.S3SinkConnector",
    "storage.class": "io.confluent.connect.s3.storage.S3Storage",
    "format.class": "io.confluent.connect.s3.format.json.JsonFormat",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "false",
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "consumer.override.auto.offset.reset": "earliest",
}
SIBLINGS = {
    "store.kafka.keys": "true",
    "store.kafka.headers": "true",
    "headers.format.class": "io.confluent.connect.s3.format.json.JsonFormat",
    "behavior.on.null.values": "write",
    "rotate.age.ms": "1500",
    "exactly.once": "required",
    "consumer.override.session.timeout.ms": "6000",
}


@pytest.fixture
def place(request, tmp_path, seaweedfs, unique):
    """An archive on the store under test: its URL, and the connector's options for it."""
    if request.param == "local":
        return (tmp_path / "archive").as_uri(), {}
    return seaweedfs.url(unique), seaweedfs.options


def committed(kafka, name):
    return sum(offset for offset, _ in kafka.committed(f"connect-{name}", name).values())


def produce(kafka, topic, numbers):
    producer = kafka.producer()
    for number in numbers:
        value = None if number % 10 == 9 else b'{"n":%d}' % number
        producer.produce(
            topic, value, key=b"k%d" % number, partition=number % 2, headers=[("n", b"%d" % number)] * (number % 3)
        )
    assert producer.flush(30) == 0


def define(worker, name, place, **changes):
    url, options = place
    options = {f"archive.option.{key}": text for key, text in options.items()}
    member = {"consumer.override.group.instance.id": name}
    worker.connector(name, {**CONFLUENT, "topics": name, "archive.url": url, **options, **member, **changes})


def forget(kafka, group):
    """Whether the group could be deleted: a member that was killed leaves it when its session ends."""
    try:
        kafka.admin.delete_consumer_groups([group])[group].result(30)
    except KafkaException:
        return False
    return True


def avro(data):
    return list(fastavro.reader(io.BytesIO(data)))


@pytest.mark.parametrize(
    ("place", "kind", "look"),
    [
        pytest.param("local", "parquet.ParquetFormat", False, id="met on a disk"),
        pytest.param("s3", "json.JsonFormat", False, id="met on S3"),
        pytest.param("local", "json.JsonFormat", True, id="looked for"),
    ],
    indirect=["place"],
)
def test_keys_and_headers_are_stored_once_beside_values_through_a_kill(place, kind, look, kafka, tmp_path, unique):
    kafka.create_topic(unique, 2)
    produce(kafka, unique, range(600))
    worker = WorkerServer(tmp_path, kafka.bootstrap)
    changes = {**SIBLINGS, "format.class": f"io.confluent.connect.s3.format.{kind}"}
    define(worker, unique, place, **changes, **{"flush.size": "70"})
    worker.start(**{VARIABLE: f"{Point.AFTER_PUT}:2"})
    assert worker.wait_killed(timeout_s=60), worker.log()[-3000:]
    store = open_store(*place)
    values = [info.name for info in store.list("topics/") if ".keys." not in info.name]
    assert values, "an object was stored, and its siblings perhaps not"
    if look:
        # The group forgets all: what is stored is found by looking.
        wait_until("the group is deleted", lambda: forget(kafka, f"connect-{unique}"), worker=worker)
    define(worker, unique, place, **changes, **{"flush.size": "110"})
    produce(kafka, unique, range(600, 900))
    worker.start()
    wait_until("all is committed", lambda: committed(kafka, unique) == 900, timeout_s=90, worker=worker)
    assert worker.terminate() == 0
    assert_whole(store, kafka, unique)
    verdict = verify_archive(open_archive(f"{place[0]}/topics", place[1]))
    assert (verdict.sound, verdict.records) == (True, 900)
    assert_restored(kafka, place, unique)


def assert_whole(store, kafka, topic):
    """Every key and header of the topic is in a sibling once, in its object's order; tombstones are keys alone."""
    wanted = {partition: {key for _, _, _, key, _, _ in rows} for partition, rows in read_topic(kafka, topic).items()}
    keys, stems = defaultdict(list), defaultdict(set)
    for info in store.list("topics/"):
        stem, _, ending = info.name.partition(".")
        stems[stem].add(ending.partition(".")[0])
        if ".keys.avro" in info.name:
            keys[int(stem.split("+")[1])] += [key.encode() for key in avro(store.get(info.name))]
        if ".headers.json" in info.name:
            numbers = [int(key[1:]) for key in avro(store.get(f"{stem}.keys.avro"))]
            lines = [json.loads(line)["headers"] for line in store.get(info.name).splitlines()]
            assert lines == [[{"key": "n", "value": str(number)}] * (number % 3) for number in numbers]
    assert {partition: set(found) for partition, found in keys.items()} == wanted
    assert all(len(found) == len(set(found)) for found in keys.values()), "no key is stored twice"
    for stem, kinds in stems.items():
        assert kinds == ({"keys"} if "/tombstone/" in stem else {"keys", "headers", *(kinds & {"json", "snappy"})})
        assert "/tombstone/" in stem or kinds & {"json", "snappy"}


def assert_restored(kafka, place, topic):
    """A replay gives keys, headers and tombstones back, each beside its value."""
    url, options = place
    target = f"{topic}-back"
    kafka.create_topic(target, 2)
    told = [part for key, text in options.items() for part in ("--option", f"{key}={text}")]
    command = [sys.executable, "-m", "streamsink", "replay", f"{url}/topics", "--to", target, "--json", *told]
    command += ["--topic", topic, "--bootstrap-server", kafka.bootstrap]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    originals, copies = read_topic(kafka, topic), read_topic(kafka, target)
    for partition, rows in originals.items():
        assert [(key, headers) for _, _, _, key, _, headers in copies[partition]] == [row[3::2] for row in rows]
        assert [meaning(row[4]) for row in copies[partition]] == [meaning(row[4]) for row in rows]


def meaning(value):
    return None if value is None else json.loads(value)


def set_group(kafka, name, offsets):
    """A group as another product's sink leaves it: offsets, and no metadata of ours."""
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap, "group.id": f"connect-{name}"})
    consumer.commit(
        offsets=[TopicPartition(name, partition, offset) for partition, offset in offsets.items()], asynchronous=False
    )
    consumer.close()


def test_an_archive_that_confluents_sink_began_goes_on_at_its_offsets(kafka, worker, tmp_path, unique):
    kafka.create_topic(unique, 2)
    produce_plain(kafka, unique, 500)
    archive = tmp_path / "archive"
    for partition in (0, 1):
        folder = archive / "topics" / unique / f"partition={partition}"
        folder.mkdir(parents=True)
        for start in (0, 50):
            numbers = range(start * 2 + partition, (start + 50) * 2, 2)
            lines = "".join(f'{{"n":{number}}}\n' for number in numbers)
            (folder / f"{unique}+{partition}+{start:010d}.json").write_text(lines)
    set_group(kafka, unique, {0: 100, 1: 100})
    define(worker, unique, (archive.as_uri(), {}), **{"flush.size": "50"})
    worker.start()
    wait_until("all is committed", lambda: committed(kafka, unique) == 500, worker=worker)
    assert worker.terminate() == 0
    for partition in (0, 1):
        files = sorted((archive / "topics" / unique / f"partition={partition}").iterdir())
        assert [file.name for file in files] == [f"{unique}+{partition}+{at:010d}.json" for at in range(0, 250, 50)]
        read = [json.loads(line)["n"] for file in files for line in file.read_text().splitlines()]
        assert read == list(range(partition, 500, 2))


AIVEN = {
    "connector.class": "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector",
    "format.output.type": "jsonl",
    "format.output.fields": "key,value,offset",
    "file.compression.type": "gzip",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "false",
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "consumer.override.auto.offset.reset": "earliest",
    "exactly.once": "required",
}


def test_an_archive_that_aivens_sink_began_goes_on_through_a_kill(kafka, worker, tmp_path, unique):
    kafka.create_topic(unique, 2)
    produce_plain(kafka, unique, 500)
    archive = tmp_path / "archive"
    archive.mkdir()
    for partition, start in ((0, 0), (0, 50), (1, 0), (1, 50)):
        lines = [aivens_line(partition, offset) for offset in range(start, start + 50)]
        (archive / f"{unique}-{partition}-{start}.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    set_group(kafka, unique, {0: 100, 1: 100})
    member = {"consumer.override.group.instance.id": unique, "topics": unique, "archive.url": archive.as_uri()}
    worker.connector(unique, {**AIVEN, **member, "file.max.records": "40"})
    worker.start(**{VARIABLE: f"{Point.AFTER_PUT}:3"})
    assert worker.wait_killed(timeout_s=60), worker.log()[-3000:]
    worker.connector(unique, {**AIVEN, **member, "file.max.records": "60"})
    worker.keys["offset.flush.interval.ms"] = "1500"
    worker.start()
    wait_until("all is committed", lambda: committed(kafka, unique) == 500, worker=worker)
    assert worker.terminate() == 0
    for partition in (0, 1):
        files = sorted(archive.glob(f"{unique}-{partition}-*.gz"), key=lambda file: int(file.stem.rpartition("-")[2]))
        read = [line for file in files for line in gzip.decompress(file.read_bytes()).decode().split("\n")]
        assert read == [aivens_line(partition, offset) for offset in range(250)]
    ours = verify_archive(open_archive(archive.as_uri(), {}))
    assert (ours.sound, ours.records) == (True, 300)


def aivens_line(partition, offset):
    number = offset * 2 + partition
    return f'{{"key":"k{number}","value":{{"n":{number}}},"offset":{offset}}}'


def produce_plain(kafka, topic, count):
    producer = kafka.producer()
    for number in range(count):
        producer.produce(topic, b'{"n":%d}' % number, key=b"k%d" % number, partition=number % 2)
    assert producer.flush(30) == 0


LENSES = {
    "connector.class": "io.lenses.streamreactor.connect.aws.s3.sink.S3SinkConnector",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "false",
    "consumer.override.auto.offset.reset": "earliest",
    "exactly.once": "required",
}


def test_an_archive_that_lenses_sink_began_goes_on_through_a_kill(kafka, worker, tmp_path, unique):
    kafka.create_topic(unique, 2)
    produce_plain(kafka, unique, 500)
    archive = tmp_path / "archive"
    for partition in (0, 1):
        folder = archive / "raw" / unique / str(partition)
        folder.mkdir(parents=True)
        for start in (0, 50):
            lines = [f'{{"n":{offset * 2 + partition}}}\n' for offset in range(start, start + 50)]
            # Lenses names an object by its last offset, and by its first and last time.
            (folder / f"{start + 49:012d}_1796000000000_1796000000999.json").write_text("".join(lines))
    set_group(kafka, unique, {0: 100, 1: 100})
    member = {"consumer.override.group.instance.id": unique, "topics": unique, "archive.url": archive.as_uri()}
    statement = f"INSERT INTO bucket:raw SELECT * FROM `{unique}` PROPERTIES('flush.count'={{}},'flush.interval'=2)"
    worker.connector(unique, {**LENSES, **member, "connect.s3.kcql": statement.format(40)})
    worker.start(**{VARIABLE: f"{Point.AFTER_PUT}:3"})
    assert worker.wait_killed(timeout_s=60), worker.log()[-3000:]
    worker.connector(unique, {**LENSES, **member, "connect.s3.kcql": statement.format(60)})
    worker.start()
    wait_until("all is committed", lambda: committed(kafka, unique) == 500, worker=worker)
    assert worker.terminate() == 0
    for partition in (0, 1):
        files = sorted((archive / "raw" / unique / str(partition)).iterdir())
        read = [json.loads(line)["n"] for file in files for line in file.read_text().splitlines()]
        assert read == list(range(partition, 500, 2))


def test_keys_of_a_registry_are_stored_in_their_own_schema(kafka, registry, worker, tmp_path, unique):
    kafka.create_topic(unique)
    schema = {"type": "record", "name": "Key", "namespace": "shop", "fields": [{"name": "id", "type": "long"}]}
    about = SerializationContext(unique, MessageField.KEY)
    producer = kafka.producer()
    with SchemaRegistryClient({"url": registry.url}) as client:
        serialize = AvroSerializer(client, json.dumps(schema))
        for number in range(20):
            producer.produce(unique, b'{"n":%d}' % number, key=serialize({"id": number}, about), partition=0)
    assert producer.flush(30) == 0
    keys = {
        "store.kafka.keys": "true",
        "key.converter": "io.confluent.connect.avro.AvroConverter",
        "key.converter.schema.registry.url": registry.url,
    }
    define(worker, unique, ((tmp_path / "archive").as_uri(), {}), **keys, **{"flush.size": "10"})
    worker.start()
    wait_until("all is committed", lambda: committed(kafka, unique) == 20, worker=worker)
    assert worker.terminate() == 0
    found = sorted((tmp_path / "archive" / "topics" / unique / "partition=0").glob("*.keys.avro"))
    assert [avro(file.read_bytes()) for file in found] == [
        [{"id": number} for number in range(10)],
        [{"id": number} for number in range(10, 20)],
    ]
