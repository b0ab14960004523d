"""Messy JSON of one topic, archived by three workers that come and go: one type a column, for every reader."""

import json
import random
import subprocess
import sys

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from streamsink.decode.column_set import from_json
from streamsink.decode.json.shape import arrow_field
from streamsink.upload.local import LocalStore
from streamsink.upload.numbered import NumberedRecords
from tests.servers.worker import WorkerServer, wait_until
from tests.unit.decode.json.test_set_columns import assert_type_lasts, restored, without_nulls

COLUMNS = (sys.executable, "-m", "streamsink", "archive", "columns")
PARTITIONS, ROUNDS, RECORDS = 4, 3, 6_000


def messy(turn: int, dice: random.Random) -> list[dict]:
    """Values whose fields change their types from turn to turn, and within one."""
    ms = [lambda: 5, lambda: dice.choice([5, 2.5]), lambda: dice.choice(["late", 7, 2.5])][turn]
    http = [lambda: {"status": 200, "path": "/"}, lambda: {"status": "gone"}, lambda: "GET /"][turn]
    made = []
    for number in range(RECORDS):
        value = {"n": number, "ms": ms(), "http": http(), "tags": dice.choice([[1, 2], [1, "a"], [], ["x"]])}
        if dice.random() < 0.3:
            value[f"key{dice.randrange(1_500)}"] = number
        if dice.random() < 0.01:
            value = dice.choice([{}, {"n": None}, [1, 2], "text"])
        made.append(value)
    return made


def test_three_workers_that_come_and_go_give_each_column_one_type(kafka, tmp_path, unique):
    kafka.create_topic(unique, PARTITIONS)
    archive = tmp_path / "archive"
    config = {
        "topics": unique,
        "archive.url": archive.as_uri(),
        "value.converter": "json",
        "rotate.age.ms": "700",
        "flush.size": "900",
        "consumer.override.session.timeout.ms": "6000",
    }
    workers = [WorkerServer(tmp_path / f"w{number}", kafka.bootstrap) for number in range(3)]
    sent: dict[int, list] = {partition: [] for partition in range(PARTITIONS)}
    dice = random.Random(15)
    producer = kafka.producer()
    try:
        for worker in workers:
            worker.connector(unique, config)
            worker.start()
        for turn in range(ROUNDS):
            for number, value in enumerate(messy(turn, dice)):
                sent[number % PARTITIONS].append(value)
                producer.produce(unique, json.dumps(value).encode(), partition=number % PARTITIONS)
                if number == RECORDS // 2:
                    producer.flush(30)
                    workers[turn].kill()
                    workers[turn].start()
            assert producer.flush(30) == 0
            ends = kafka.end_offsets(unique)
            wait_until("all is archived", lambda ends=ends: committed(kafka, unique) == ends, timeout_s=120)
    finally:
        for worker in workers:
            if worker.running:
                worker.kill()
    folder = archive / "topics" / unique
    files = sorted(folder.rglob("*.parquet"))
    assert_one_type_a_column(files, LocalStore(archive), unique)
    assert_each_value_is_found(files, sent)
    assert_views_run(folder, unique, sent)


def committed(kafka, topic):
    return {at: offset for at, (offset, _) in kafka.committed(f"connect-{topic}", topic).items()}


def assert_one_type_a_column(files, store, topic):
    sets = NumberedRecords(store, "columns", "topics")
    newest = sets.newest(topic)
    assert newest.number >= 3, "tasks raced for sets"
    shape = from_json(newest.data, "newest")
    known = {name: arrow_field(name, child) for name, child in shape.fields.items()}
    for path in files:
        schema = pq.read_schema(path)
        assert int(schema.metadata[b"streamsink.columns"]) <= newest.number
        for field in list(schema)[1:]:
            assert_type_lasts(field.type, known[field.name].type)


def assert_each_value_is_found(files, sent):
    schema = pa.unify_schemas([pq.read_schema(path) for path in files], promote_options="permissive")
    table = ds.dataset([str(path) for path in files], schema=schema).to_table()
    fields = list(table.schema)[1:]
    found = 0
    for row in table.to_pylist():
        at = row.pop("_kafka")
        value = sent[at["partition"]][at["offset"]]
        assert json.loads(at["value"]) == value
        assert without_nulls(restored(fields, row)) == without_nulls(value)
        found += 1
    assert found == sum(map(len, sent.values()))


def assert_views_run(folder, topic, sent):
    done = subprocess.run(
        [*COLUMNS, str(folder.parent), "--topic", topic, "--sql", "duckdb", "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    told = json.loads(done.stdout)
    columns = {column["name"]: column for column in told["columns"]}
    assert columns["ms__string"]["variant_of"] == "ms"
    values = [value for part in sent.values() for value in part if isinstance(value, dict)]
    assert columns["http__string"]["values"] == sum(isinstance(value.get("http"), str) for value in values)
    with duckdb.connect() as base:
        everything = f"read_parquet('{folder}/**/*.parquet', union_by_name = true)"
        count = base.sql(f"SELECT count(*), count(DISTINCT (_kafka.partition, _kafka.offset)) FROM {everything}")
        assert count.fetchall() == [(RECORDS * ROUNDS, RECORDS * ROUNDS)]
        base.sql(told["sql"])
        name = "".join(sign if sign.isalnum() else "_" for sign in topic)
        joined = base.sql(f'SELECT _kafka.partition, _kafka.offset, ms, http, tags FROM "{name}_joined"').fetchall()
    assert len(joined) == RECORDS * ROUNDS
    for partition, offset, ms, http, tags in joined:
        value = sent[partition][offset]
        value = value if isinstance(value, dict) else {}
        assert ms == text_of(value.get("ms"), ms)
        assert_like(http, value.get("http"))
        assert_like(tags, value.get("tags"))


def text_of(value, shown):
    """What the view shows of a scalar, whichever column of numbers it lies in."""
    if value is None or isinstance(value, str):
        return value
    return shown if float(shown) == value else str(value)


def assert_like(shown, value):
    if value is None or isinstance(value, str):
        assert shown == value
        return
    found = without_nulls(json.loads(shown))
    if isinstance(found, dict):
        # A number in a column that has a variant of strings is a text, inside structs too.
        value = {**value, "status": str(value["status"])}
    assert found == value
