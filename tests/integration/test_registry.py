"""Topics written with Confluent's serializers through a real Schema Registry, archived by a real worker."""

import io
import json
import os
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from urllib.parse import urlsplit

import duckdb
import fastavro
import pyarrow.parquet as pq
import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf.type_pb2 import Type

from streamsink.cli.main import run
from streamsink.encode.avro.reader import AvroReader
from streamsink.upload.open import open_store
from tests.servers.archive_reader import archived_records, object_rows
from tests.servers.process import free_port
from tests.servers.registry import RegistryServer
from tests.servers.tcp_proxy import TcpProxy
from tests.servers.topics import read_topic
from tests.servers.worker import wait_until

AWAY_S = float(os.environ.get("STREAMSINK_TEST_REGISTRY_AWAY_S", "3"))

ORDER = {
    "type": "record",
    "name": "Order",
    "namespace": "shop",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 10, "scale": 2}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "PAID"]}},
        {"name": "note", "type": ["null", "string"], "default": None},
        {"name": "tags", "type": {"type": "map", "values": "string"}},
        {"name": "lines", "type": {"type": "array", "items": {
            "type": "record", "name": "Line", "fields": [{"name": "sku", "type": "string"},
                                                        {"name": "n", "type": "int"}],
        }}},
    ],
}  # fmt: skip


def order(number):
    return {
        "id": number,
        "price": Decimal(number).scaleb(-2),
        "at": datetime.fromtimestamp(1_700_000_000 + number, UTC),
        "day": date(2024, 1, 1 + number % 28),
        "state": ("NEW", "PAID")[number % 2],
        "note": None if number % 3 else f"note {number}",
        "tags": {"k": str(number)},
        "lines": [{"sku": "a", "n": number}] * (number % 3),
    }


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    """Another registry."""
    server = RegistryServer(tmp_path_factory.mktemp("second"))
    server.start()
    yield server
    server.stop()


def at_end(kafka, name, topic):
    ends = {partition: end for partition, end in kafka.end_offsets(topic).items() if end}
    return {partition: at for partition, (at, _) in kafka.committed(f"connect-{name}", topic).items() if at} == ends


def archive(kafka, worker, registry, topic, folder, converter="avro", **keys):
    """Archive a whole topic and end."""
    settings = {
        "topics": topic,
        "archive.url": folder.as_uri(),
        "value.converter": converter,
        "value.converter.schema.registry.url": registry.url,
        "rotate.age.ms": "500",
        "exactly.once": "required",
    }
    worker.connector(folder.name, settings | {key.replace("__", "."): value for key, value in keys.items()})
    worker.start()
    wait_until("the group stands at the end", lambda: at_end(kafka, folder.name, topic), timeout_s=60, worker=worker)
    assert worker.terminate() == 0


def send_orders(kafka, registry, topic, count, *, schema=ORDER, value=order):
    context = SerializationContext(topic, MessageField.VALUE)
    producer = kafka.producer()
    with SchemaRegistryClient({"url": registry.url}) as client:
        serializer = AvroSerializer(client, json.dumps(schema))
        for number in range(count):
            producer.produce(topic, serializer(value(number), context), key=str(number).encode())
    producer.flush(30)


def framed(schema, schema_id, value):
    stream = io.BytesIO(b"\0" + schema_id.to_bytes(4, "big"))
    stream.seek(5)
    fastavro.schemaless_writer(stream, schema, value)
    return stream.getvalue()


def objects(folder, suffix):
    return sorted(folder.glob(f"topics/**/*{suffix}"))


def test_avro_reads_right_in_duckdb_and_pyarrow_and_keeps_its_bytes(kafka, registry, worker, unique, tmp_path):
    kafka.create_topic(unique, 1)
    send_orders(kafka, registry, unique, 500)
    folder = tmp_path / f"{unique}-a"
    archive(kafka, worker, registry, unique, folder, archive__value="both")
    found = duckdb.sql(
        f"select id, price, epoch_ms(\"at\") ms, day, state, note, tags['k'] tag, len(lines) lines "
        f"from '{folder}/topics/**/*.parquet' order by id"
    ).fetchall()
    for number, row in enumerate(found):
        wanted = order(number)
        assert row[:2] == (number, wanted["price"])
        assert row[2] == 1_700_000_000_000 + number * 1000
        assert row[3:6] == (wanted["day"], wanted["state"], wanted["note"])
        assert (row[6] if isinstance(row[6], str) else row[6][0]) == str(number)
        assert row[7] == len(wanted["lines"])
    assert len(found) == 500
    table = pq.read_table(objects(folder, ".parquet")[0])
    assert table.column("price").type.precision == 10
    assert archived_records(open_store(folder.as_uri(), {})) == read_topic(kafka, unique)
    schemas = list((folder / "_streamsink" / "schemas").glob("*/*.json"))
    assert json.loads(json.loads(schemas[0].read_bytes())["schema"])["name"] == "Order"
    assert (
        pq.read_metadata(objects(folder, ".parquet")[0])
        .metadata[b"streamsink.value.schema"]
        .endswith(schemas[0].stem.encode())
    )


def test_two_versions_in_turn_fill_two_files_and_bad_ones_the_dead_letter_topic(
    kafka, registry, worker, unique, tmp_path
):
    kafka.create_topic(unique, 1)
    newer = ORDER | {"fields": [*ORDER["fields"], {"name": "more", "type": "string", "default": "none"}]}
    ids = [registry.register(f"{unique}-value", json.dumps(schema)) for schema in (ORDER, newer)]
    old, new = (
        lambda value, schema=schema, id_=id_: framed(schema, id_, value)
        for schema, id_ in zip((ORDER, newer), ids, strict=True)
    )
    producer = kafka.producer()
    good = 300
    bad = [b"\x00\x00\x00\xff\xffrest", b"\x01\x00\x00\x00\x01rest", b"\x00\x00"]
    for number in range(good):
        producer.produce(unique, old(order(number)) if number % 2 else new(order(number) | {"more": "m"}))
    producer.produce(unique, old(order(1))[:-3])
    for value in bad:
        producer.produce(unique, value)
    producer.produce(unique, None, key=b"gone")
    producer.flush(30)
    dead = kafka.create_topic(f"{unique}-dead", 1)
    tolerant = {
        "errors__tolerance": "all",
        "errors__deadletterqueue__topic__name": dead,
        "errors__deadletterqueue__context__headers__enable": "true",
    }
    none = tmp_path / f"{unique}-none"
    archive(kafka, worker, registry, unique, none, **tolerant)
    files = objects(none, ".parquet")
    assert len(files) == 3, "one for each schema and one for tombstones, however often the versions take turns"
    assert sum(pq.read_metadata(file).num_rows for file in files) == good + 1
    assert kafka.end_offsets(dead) == {0: 4}
    backward = tmp_path / f"{unique}-backward"
    archive(kafka, worker, registry, unique, backward, schema__compatibility="BACKWARD", **tolerant)
    found = duckdb.sql(
        f"select more, count(*) from read_parquet('{backward}/topics/**/*.parquet', union_by_name=true) "
        "where id is not null group by 1 order by 1"
    ).fetchall()
    assert found == [("m", 150), ("none", 150)]
    assert len(objects(backward, ".parquet")) <= 3


def test_avro_objects_read_right_as_well(kafka, registry, worker, unique, tmp_path):
    kafka.create_topic(unique, 1)
    send_orders(kafka, registry, unique, 200)
    folder = tmp_path / f"{unique}-a"
    archive(kafka, worker, registry, unique, folder, format__class="avro")
    rows = [
        row for file in objects(folder, ".avro") for batch in AvroReader(file.read_bytes()).batches()
        for row in batch.to_pylist()
    ]  # fmt: skip
    assert [row["id"] for row in rows] == list(range(200))
    assert [row["price"] for row in rows] == [order(number)["price"] for number in range(200)]
    assert [row["at"] for row in rows] == [order(number)["at"] for number in range(200)]


KEY = {"type": "record", "name": "Key", "fields": [{"name": "id", "type": "long"}, {"name": "town", "type": "string"}]}


def test_transforms_see_the_fields_of_avro_keys(kafka, registry, worker, unique, tmp_path):
    kafka.create_topic(unique)
    context = SerializationContext(unique, MessageField.KEY)
    producer = kafka.producer()
    with SchemaRegistryClient({"url": registry.url}) as client:
        serializer = AvroSerializer(client, json.dumps(KEY))
        for number in range(30):
            key = b"plain" if number == 7 else serializer({"id": number, "town": f"t{number % 3}"}, context)
            producer.produce(unique, b'{"n":%d}' % number, key=key, partition=0)
    assert producer.flush(30) == 0
    folder, dead = tmp_path / f"{unique}-a", tmp_path / "dead"
    archive(
        kafka,
        worker,
        registry,
        unique,
        folder,
        "json",
        key__converter="io.confluent.connect.avro.AvroConverter",
        **{
            "key__converter__schema__registry__url": registry.url,
            "errors.tolerance": "all",
            "errors.deadletter.url": dead.as_uri(),
            "transforms": "town,id",
            "transforms.town.type": "HeaderFrom$Key",
            "transforms.town.fields": "town",
            "transforms.town.headers": "town",
            "transforms.town.operation": "copy",
            "transforms.id.type": "ExtractField$Key",
            "transforms.id.field": "id",
        },
    )
    rows = [row["_kafka"] for file in objects(folder, ".parquet") for row in pq.read_table(file).to_pylist()]
    found = {row["offset"]: (row["key"], [(one["key"], one["value"]) for one in row["headers"]]) for row in rows}
    wanted = {n: (b"%d" % n, [("town", b"t%d" % (n % 3))]) for n in range(30) if n != 7}
    assert found == wanted
    store = open_store(dead.as_uri(), {})
    (bad,) = [row["_kafka"] for info in store.list() for row in object_rows(store, info.name)]
    assert (bad["offset"], bad["key"]) == (7, b"plain")


@pytest.mark.parametrize(("timeout_ms", "least_s", "most_s"), [(0, 0.0, 3.0), (4000, 3.9, 9.0)])
def test_a_task_fails_when_the_registry_is_away_for_longer_than_is_allowed_and_goes_on_when_it_is_back(
    kafka, registry, worker, unique, tmp_path, timeout_ms, least_s, most_s
):
    kafka.create_topic(unique)
    send_orders(kafka, registry, unique, 20)
    proxy = TcpProxy(free_port(), urlsplit(registry.url).port)
    proxy.start()
    proxy.cut()
    folder = tmp_path / f"{unique}-a"
    config = {
        "topics": unique,
        "archive.url": folder.as_uri(),
        "value.converter": "avro",
        "value.converter.schema.registry.url": registry.url.replace(str(registry.port), str(proxy.port)),
        "rotate.age.ms": "500",
        "errors.tolerance": "all",
        "errors.retry.timeout": str(timeout_ms),
        "errors.retry.delay.max.ms": "1000",
    }
    worker.connector(folder.name, config)
    worker.start()
    try:
        wait_until("it can't decode", lambda: "records can't be decoded now" in worker.log(), worker=worker)
        met_s = time.monotonic()
        failed = lambda: "Schema Registry" in worker.task(folder.name).get("trace", "")  # noqa: E731
        wait_until("it fails", failed, timeout_s=20, worker=worker)
        assert least_s <= time.monotonic() - met_s <= most_s
        proxy.restore()
        wait_until("all is archived", lambda: at_end(kafka, folder.name, unique), timeout_s=60, worker=worker)
    finally:
        proxy.stop()
    assert worker.terminate() == 0
    ids = sorted(row["id"] for file in objects(folder, ".parquet") for row in pq.read_table(file).to_pylist())
    assert ids == list(range(20))


def test_the_task_waits_for_a_registry_that_is_away_and_nothing_is_lost(kafka, registry, worker, unique, tmp_path):
    kafka.create_topic(unique, 2)
    send_orders(kafka, registry, unique, 200)
    proxy = TcpProxy(free_port(), urlsplit(registry.url).port)
    proxy.start()
    proxy.cut()
    folder = tmp_path / f"{unique}-a"
    config = {
        "topics": unique,
        "archive.url": folder.as_uri(),
        "value.converter": "io.confluent.connect.avro.AvroConverter",
        "value.converter.schema.registry.url": registry.url.replace(str(registry.port), str(proxy.port)),
        "rotate.age.ms": "1000",
    }
    worker.connector(folder.name, config)
    worker.start()
    try:
        wait_until("it says that it waits", lambda: "Schema Registry" in worker.log(), timeout_s=30, worker=worker)
        time.sleep(AWAY_S)
        assert worker.task(folder.name)["state"] == "RUNNING"
        proxy.restore()
        wait_until("all is archived", lambda: at_end(kafka, folder.name, unique), timeout_s=60, worker=worker)
        proxy.cut()
        send_orders(kafka, registry, unique, 50)
        wait_until("the cache is enough", lambda: at_end(kafka, folder.name, unique), timeout_s=60, worker=worker)
    finally:
        proxy.stop()
    assert worker.terminate() == 0
    ids = sorted(row["id"] for file in objects(folder, ".parquet") for row in pq.read_table(file).to_pylist())
    assert ids == sorted([*range(200), *range(50)])


def test_without_tolerance_the_task_fails_naming_record_and_schema_id(kafka, registry, worker, unique, tmp_path):
    kafka.create_topic(unique, 1)
    send_orders(kafka, registry, unique, 3)
    producer = kafka.producer()
    producer.produce(unique, b"\x00\x00\x01\xe2\x40rest")
    producer.flush(30)
    folder = tmp_path / f"{unique}-a"
    config = {
        "topics": unique,
        "archive.url": folder.as_uri(),
        "value.converter": "avro",
        "value.converter.schema.registry.url": registry.url,
    }
    worker.connector(folder.name, config)
    worker.start()
    wait_until("it fails", lambda: worker.task(folder.name).get("state") == "FAILED", timeout_s=60, worker=worker)
    trace = worker.task(folder.name)["trace"]
    assert f"{unique}-0@3" in trace
    assert "schema id 123456" in trace


def test_protobuf_values_are_read_in_duckdb_and_keep_their_bytes(kafka, registry, worker, unique, tmp_path):
    kafka.create_topic(unique, 1)
    context = SerializationContext(unique, MessageField.VALUE)
    producer = kafka.producer()
    with SchemaRegistryClient({"url": registry.url}) as client:
        serializer = ProtobufSerializer(Type, client, {"use.deprecated.format": False})
        for number in range(300):
            message = Type(name=f"type {number}", edition="x" * (number % 3))
            message.fields.add(name="f", number=number)
            producer.produce(unique, serializer(message, context))
    producer.flush(30)
    folder = tmp_path / f"{unique}-a"
    archive(kafka, worker, registry, unique, folder, converter="protobuf", archive__value="both")
    query = f"select name, edition, fields[1].number, syntax from '{folder}/topics/**/*.parquet' order by 3"
    wanted = [(f"type {number}", "x" * (number % 3), number, "SYNTAX_PROTO2") for number in range(300)]
    assert duckdb.sql(query).fetchall() == wanted
    assert archived_records(open_store(folder.as_uri(), {})) == read_topic(kafka, unique)


def test_json_schema_values_become_columns_and_keep_their_bytes(kafka, registry, worker, unique, tmp_path):
    kafka.create_topic(unique, 1)
    schema = {
        "title": "Order",
        "type": "object",
        "properties": {"id": {"type": "integer"}, "name": {"type": "string"}, "price": {"type": "number"}},
    }
    context = SerializationContext(unique, MessageField.VALUE)
    producer = kafka.producer()
    with SchemaRegistryClient({"url": registry.url}) as client:
        serializer = JSONSerializer(json.dumps(schema), client)
        for number in range(300):
            producer.produce(unique, serializer({"id": number, "name": f"n{number}", "price": number / 4}, context))
    producer.produce(unique, b"\0\0\0\0\1{")
    producer.flush(30)
    folder = tmp_path / f"{unique}-a"
    keys = {"archive__value": "both", "errors__tolerance": "all"}
    archive(kafka, worker, registry, unique, folder, "io.confluent.connect.json.JsonSchemaConverter", **keys)
    found = duckdb.sql(f"select id, name, price from '{folder}/topics/**/*.parquet' order by id").fetchall()
    assert found == [(number, f"n{number}", number / 4) for number in range(300)]
    truth = {partition: rows[:-1] for partition, rows in read_topic(kafka, unique).items()}
    assert archived_records(open_store(folder.as_uri(), {})) == truth


@pytest.mark.parametrize("value", ["columns", "both"])
def test_a_replay_brings_the_original_bytes_and_another_registrys_ids_if_asked(
    kafka, registry, second, worker, unique, tmp_path, value
):
    kafka.create_topic(unique, 1)
    send_orders(kafka, registry, unique, 120)
    folder = tmp_path / f"{unique}-a"
    archive(kafka, worker, registry, unique, folder, archive__value=value)
    again, other = kafka.create_topic(f"{unique}-again", 1), kafka.create_topic(f"{unique}-other", 1)
    replay = ["replay", f"{folder.as_uri()}/topics", "--bootstrap-server", kafka.bootstrap, "--to"]
    assert run([*replay, again]) == 0
    wanted = [record[3:5] for record in read_topic(kafka, unique)[0]]
    assert [record[3:5] for record in read_topic(kafka, again)[0]] == wanted
    second.register(f"unrelated-{value}", f'{{"type": "enum", "name": "E{value}", "symbols": []}}')
    assert run([*replay, other, "--register-schemas", second.url]) == 0
    with SchemaRegistryClient({"url": second.url}) as client:
        found = client.get_latest_version(f"{other}-value")
    ids = {int.from_bytes(record[4][1:5], "big") for record in read_topic(kafka, other)[0]}
    assert ids == {found.schema_id}
    assert [record[4][5:] for record in read_topic(kafka, other)[0]] == [value[5:] for _, value in wanted]
