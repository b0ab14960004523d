"""`make bench BENCH=spark`: Spark reads what the sinks wrote, and every value is held against a plain consumer's.

Real workers archive two topics under Confluent's, Aiven's and our class. Spark 4.0 (434 MB from PyPI, an environment of
its own in the cache) finds partitions by folder. It prints a row a case, and the first value that differs.
"""

import base64
import io
import json
import subprocess
import sys
import tempfile
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro

from tests.bench.peers.peer import environment
from tests.bench.spark_records import MAPS, ORDER, messy, order
from tests.servers.kafka import KafkaServer, maven_classpath
from tests.servers.process import CACHE
from tests.servers.registry import RegistryServer
from tests.servers.topics import read_topic
from tests.servers.worker import WorkerServer, wait_until

VERSION = "4.0.1"
RECORDS, PARTITIONS = 60, 2
FIRST_MS = 1_700_000_000_000
HOUR_MS = 3_600_000

CONFLUENT = {
    "connector.class": "io.confluent.connect.s3.S3SinkConnector",
    "storage.class": "io.confluent.connect.s3.storage.S3Storage",
    "flush.size": "7",
}
AIVEN = {
    "connector.class": "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector",
    "format.output.fields": "key,value,offset,timestamp,headers",
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "file.name.template": "{{topic}}/{{topic}}-{{partition}}-{{start_offset}}",
}
JSON = {
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "false",
}
PARTITIONER = "io.confluent.connect.storage.partitioner."
FOLDERS = {
    "hour": {
        "partitioner.class": f"{PARTITIONER}TimeBasedPartitioner",
        "path.format": "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH",
        "partition.duration.ms": str(HOUR_MS),
        "timestamp.extractor": "Record",
        "timezone": "UTC",
        "locale": "en",
    },
    "field": {"partitioner.class": f"{PARTITIONER}FieldPartitioner", "partition.field.name": "country"},
}
FORMAT = "io.confluent.connect.s3.format."

Case = tuple[str, str, dict[str, str]]
"""A topic, Spark's format, and the connector's keys."""


def cases(avro: dict[str, str]) -> dict[str, Case]:
    """By name; `avro` reads values by the registry."""
    made: dict[str, Case] = {}
    for folder, keys in FOLDERS.items():
        for kind in ("parquet.Parquet", "avro.Avro"):
            name = kind.partition(".")[0]
            config = {**CONFLUENT, **avro, **keys, "format.class": f"{FORMAT}{kind}Format"}
            made[f"Confluent, {name} by {folder}"] = ("orders", name, config)
            made[f"ours, {name} by {folder}"] = ("orders", name, {**avro, **keys, "format.class": name})
        config = {**CONFLUENT, **JSON, **keys, "format.class": f"{FORMAT}json.JsonFormat"}
        made[f"Confluent, json by {folder}"] = ("messy", "json", config)
        made[f"ours, columns of JSON by {folder}"] = ("messy", "parquet", {"value.converter": "json", **keys})
    for kind in ("parquet", "avro"):
        config = {**AIVEN, **avro, "format.output.type": kind, "file.compression.type": "none"}
        config["file.name.template"] += f".{kind}"
        made[f"Aiven, {kind}"] = ("orders", kind, config)
    lines = {**AIVEN, **JSON, "format.output.type": "jsonl"}
    lines["file.name.template"] += ".jsonl.gz"
    made["Aiven, jsonl"] = ("messy", "json", lines)
    return made


def spark_python() -> Path:
    """Spark's environment, made once. PyPI has 434 MB of it."""
    return environment(CACHE / f"spark-{VERSION}", f"pyspark=={VERSION}")


def avro_jar() -> str:
    """Spark's reader of Avro, which PyPI doesn't bring."""
    jars = maven_classpath(f"spark-avro-{VERSION}", ("org.apache.spark", "spark-avro_2.13", VERSION))
    return next(jar for jar in jars.split(":") if "spark-avro" in jar)


def archive(folder: Path) -> tuple[dict[str, Case], dict[str, list[tuple[Any, ...]]]]:
    """Archive both topics in all ways. Gives the cases, and the topics as a plain consumer reads them."""
    kafka, registry = KafkaServer(folder / "kafka"), RegistryServer(folder / "registry")
    kafka.start()
    registry.start()
    worker = WorkerServer(folder / "worker", kafka.bootstrap, **{"offset.flush.interval.ms": "2000"})
    try:
        schema_id = registry.register("orders-value", json.dumps(ORDER))
        produce(kafka, "orders", [framed(order(number), schema_id) for number in range(RECORDS)])
        produce(kafka, "messy", [json.dumps(messy(number)).encode() for number in range(RECORDS)])
        converter = "io.confluent.connect.avro.AvroConverter"
        made = cases({"value.converter": converter, "value.converter.schema.registry.url": registry.url})
        for number, (topic, _, config) in enumerate(made.values()):
            more = {"topics": topic, "archive.url": place(folder, number).as_uri(), "rotate.age.ms": "1000"}
            worker.connector(f"case-{number}", {**more, "consumer.override.auto.offset.reset": "earliest", **config})
        worker.start()

        def done() -> bool:
            found = (kafka.committed(f"connect-case-{at}", topic) for at, (topic, *_) in enumerate(made.values()))
            return all(sum(offset for offset, _ in one.values()) == RECORDS for one in found)

        wait_until("all is archived", done, timeout_s=240, worker=worker)
        assert worker.terminate() == 0
        truth = {
            topic: [(partition, *row) for partition, rows in read_topic(kafka, topic).items() for row in rows]
            for topic in ("orders", "messy")
        }
    finally:
        if worker.running:
            worker.kill()
        kafka.close_clients()
        kafka.stop()
        registry.stop()
    return made, truth


def place(folder: Path, number: int) -> Path:
    return folder / f"archive-{number}"


def produce(kafka: KafkaServer, topic: str, values: list[bytes]) -> None:
    kafka.create_topic(topic, PARTITIONS)
    producer = kafka.producer()
    for number, value in enumerate(values):
        time_ms = FIRST_MS + number * HOUR_MS
        producer.produce(topic, value, key=b"k%d" % number, partition=number % PARTITIONS, timestamp=time_ms)
    assert producer.flush(60) == 0


def framed(value: dict[str, Any], schema_id: int) -> bytes:
    stream = io.BytesIO()
    stream.write(b"\0" + schema_id.to_bytes(4, "big"))
    fastavro.schemaless_writer(stream, fastavro.parse_schema(ORDER), value)
    return stream.getvalue()


def questions(folder: Path, made: dict[str, Case]) -> dict[str, dict[str, Any]]:
    """What Spark is asked: each archive, and the view over ours of JSON."""
    asked: dict[str, dict[str, Any]] = {}
    for number, (name, (topic, kind, _)) in enumerate(made.items()):
        root = place(folder, number) / ("" if name.startswith("Aiven") else "topics")
        asked[name] = {"format": kind, "path": str(root / topic)}
        if name.startswith("ours, columns of JSON"):
            command = [sys.executable, "-m", "streamsink", "archive", "columns", root.as_uri(), "--topic", topic]
            told = subprocess.run([*command, "--sql", "spark"], capture_output=True, text=True, timeout=60, check=True)
            view = told.stdout.strip().rstrip(";")
            asked[f"{name}, the view"] = {"sql": [view, f"SELECT * FROM {topic}_joined"]}
    return asked


def differences(name: str, rows: list[dict[str, Any]], truth: list[tuple[Any, ...]]) -> list[str]:
    """What Spark has otherwise than the consumer."""
    found: list[str] = []
    wanted = {value["id"]: (value, *about) for value, *about in map(read, truth)}
    if len(rows) != len(wanted):
        found.append(f"{len(rows)} rows for {len(wanted)} records")
    for row in rows:
        got = row["value"] if name.startswith("Aiven") else row
        value, partition, offset, time_ms = wanted.pop(got["id"])
        found += cell_differences(name, got, value)
        at = datetime.fromtimestamp(time_ms / 1000, UTC)
        if "by hour" in name and "view" not in name:
            there = [row[unit] for unit in ("year", "month", "day", "hour")]
            found += [] if there == [at.year, at.month, at.day, at.hour] else [f"folder {there} for {at}"]
        if name.startswith("ours"):
            about = [row["_kafka"][one] for one in ("partition", "offset", "timestamp")]
            said = [partition, offset, {"time": at.replace(tzinfo=None).isoformat()}]
            found += [] if about == said else [f"_kafka {about} for {said}"]
    return found + [f"lost {key}" for key in wanted]


def cell_differences(name: str, got: dict[str, Any], value: dict[str, Any]) -> list[str]:
    """Columns of changing types are compared where they have one, and as text in the view."""
    if "json" in name.lower():
        mixed = {key: as_text(value[key]) for key in ("http", "tags")} if "view" in name else {}
        # Whether 5 is "5" or "5.0" follows from what the first slice had beside it.
        if "view" in name:
            mixed["ms"] = got["ms"] if same_number(got["ms"], value["ms"]) else str(value["ms"])
        value = {key: one for key, one in value.items() if key in STABLE} | mixed
    return [f"{key}: {got.get(key)!r} for {one!r}" for key, one in value.items() if got.get(key) != one]


def same_number(text: str, value: Any) -> bool:
    return text == value if isinstance(value, str) else float(text) == value


STABLE = {"id", "third", "never", "a.b", "q`uote", "nested", "items", "country"}


def as_text(value: Any) -> str:
    """What the view has of a column with variants: text as it is, else JSON, whose members are texts where mixed."""
    if isinstance(value, dict):
        return json.dumps({key: str(one) for key, one in value.items()}, separators=(",", ":"))
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def read(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Of a consumer's record its value as `spark_rows` writes cells, partition, offset and time."""
    partition, offset, time_ms, _, _, data, _ = row
    if data[:1] == b"{":
        return json.loads(data), partition, offset, time_ms
    value = fastavro.schemaless_reader(io.BytesIO(data[5:]), ORDER)
    shown = {key: plain(one) for key, one in value.items()}
    maps = {key: {"map": sorted(([name, one] for name, one in value[key].items()), key=str)} for key in MAPS}
    return shown | maps, partition, offset, time_ms


def plain(value: Any) -> Any:  # noqa: PLR0911 - one case a type
    """A value as `spark_rows` writes cells."""
    match value:
        case bytes():
            return {"bytes": base64.b64encode(value).decode()}
        case Decimal():
            return {"decimal": str(value)}
        case datetime():
            return {"time": value.replace(tzinfo=None).isoformat()}
        case date():
            return {"time": value.isoformat()}
        case list():
            return [plain(one) for one in value]
        case dict():
            return {key: plain(one) for key, one in value.items()}
    return value


def main() -> int:
    """Archive, ask Spark, compare; 1 where anything differs."""
    python, jar = spark_python(), avro_jar()
    with tempfile.TemporaryDirectory(prefix="streamsink-spark-") as text:
        folder = Path(text)
        made, truth = archive(folder)
        asked, answered = folder / "asked.json", folder / "answered.json"
        asked.write_text(json.dumps(questions(folder, made)))
        script = Path(__file__).with_name("spark_rows.py")
        subprocess.run([python, script, asked, answered, jar], check=True, timeout=600)
        worst = 0
        for name, answer in json.loads(answered.read_text()).items():
            topic = made[name.removesuffix(", the view")][0]
            faults = [answer["error"]] if "error" in answer else differences(name, answer["rows"], truth[topic])
            worst = max(worst, len(faults))
            said = faults[0] if faults else "as a consumer reads them"
            print(f"{name:48} {len(answer.get('rows', ())):>5} rows   {said}")
    return 1 if worst else 0
