"""Our transforms against Kafka Connect's own, from its jar: the same cases, drawn by chance, in one JVM.

Where they may differ, and why:

* Null fields and empty objects count as missing: a column has no other way to say so.
* A whole number without schema that stands in a column of doubles is an integer (Connect knows `1.0` from `1`).
* A value that is no object becomes the column `value`.
* Fields of an object within a header stand in the order of the columns, Connect's in that of a hash map.
* A topic's name that Kafka would refuse is an error here; so is a schema's field named twice everywhere.
* `InsertHeader` writes its literal as it is, Connect reads it first (`1.50` becomes `1.5`).
* A null that a transform took out of a struct has no schema any more, so that transforms pass it over; and
  `SetSchemaMetadata` takes values that are no structs. Connect fails on both with "Cannot list fields on
  non-struct type".
* A tombstone that `HoistField` makes a struct of has the schema of the values beside it, in Connect none.
* A year beyond 9999 is an error here.
* Java before 19 writes some floats with a digit too many.
* A type that a predicate leaves two of in one batch becomes JSON text; types are compared where there is but one.
"""

import base64
import json
import os
import subprocess
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from streamsink.config.reading.connector import parse_sink
from streamsink.record import HEADERS_TYPE, RAW_SCHEMA, TIMESTAMP_TYPE, RawSlice, TopicPartition
from streamsink.sink.transforming import with_transforms
from tests.contract.connect.cases import draw
from tests.servers.kafka import VERSION, maven_classpath

CASES = int(os.environ.get("STREAMSINK_TRANSFORM_CASES", "600"))
SEED = int(os.environ.get("STREAMSINK_TRANSFORM_SEED", "7"))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TYPES = {
    pa.bool_(): "boolean",
    pa.float32(): "float32",
    pa.float64(): "float64",
    pa.string(): "string",
    pa.binary(): "bytes",
    pa.date32(): "Date",
    pa.time32("ms"): "Time",
    TIMESTAMP_TYPE: "Timestamp",
    **{kind: str(kind) for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64())},
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """The cases, and what Connect makes of their records."""
    kafka = "org.apache.kafka"
    classpath = maven_classpath(
        f"connect-transforms-{VERSION}",
        (kafka, "connect-transforms", VERSION),
        (kafka, "connect-json", VERSION),
        ("org.slf4j", "slf4j-nop", "1.7.36"),
    )
    cases = [draw(SEED * 1_000_000 + number) for number in range(CASES)]
    done = subprocess.run(
        [
            *("java", "-XX:TieredStopAtLevel=1", "-Duser.timezone=UTC", "-Duser.language=en", "-Duser.country=US"),
            *("-cp", classpath, str(Path(__file__).parent / "connect" / "Transforms.java")),
        ],
        input="\n".join(json.dumps(case) for case in cases),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return list(zip(cases, map(json.loads, done.stdout.splitlines()), strict=True))


def test_they_agree_with_connects(answers):
    agreed, wrong = 0, []
    for number, (case, theirs) in enumerate(answers):
        ours = ours_of(case)
        differences = list(differing(case, ours, theirs))
        agreed += not differences
        if differences:
            wrong.append(f"case {number}: {json.dumps(case['steps'])}\n   " + "\n   ".join(differences[:2]))
    assert not wrong, f"{len(wrong)} of {CASES} cases differ:\n" + "\n".join(wrong[:8])
    assert agreed == CASES


def test_the_cases_cover_every_transform_both_ways_and_fail_now_and_then(answers):
    kinds = {step["class"].rpartition(".")[2] for case, _ in answers for step in case["steps"]}
    assert len(kinds) == 26
    outcomes = [record for _, records in answers for record in records]
    shares = {what: sum(what in one for one in outcomes) / len(outcomes) for what in ("error", "dropped", "value")}
    assert shares["value"] > 0.6
    assert shares["error"] > 0.05
    assert shares["dropped"] > 0.01


def ours_of(case):
    raw = {
        "name": "c",
        "connector.class": "streamsink.ArchiveSink",
        "topics": "logs-a",
        "archive.url": "file:///tmp/archive",
        "archive.value": "columns",
        "errors.tolerance": "all",
        "transforms": ",".join(f"t{number}" for number in range(len(case["steps"]))),
    }
    for side in ("key", "value"):
        raw |= {f"{side}.converter": "json", f"{side}.converter.schemas.enable": str(case["schemas"]).lower()}
    predicates = []
    for number, step in enumerate(case["steps"]):
        prefix = f"transforms.t{number}."
        raw |= {f"{prefix}type": step["class"]} | {f"{prefix}{key}": text for key, text in step["settings"].items()}
        if "predicate" in step:
            predicates.append(f"p{number}")
            raw |= {f"{prefix}predicate": f"p{number}", f"{prefix}negate": str(step["negate"]).lower()}
            raw[f"predicates.p{number}.type"] = step["predicate"]["class"]
            raw |= {f"predicates.p{number}.{key}": text for key, text in step["predicate"]["settings"].items()}
    if predicates:
        raw["predicates"] = ",".join(predicates)
    config, _ = parse_sink(raw, {"bootstrap.servers": "b:1"})
    return with_transforms(config).decode(slice_of(case["records"]))


def slice_of(records):
    headers = [[{"key": key, "value": value.encode()} for key, value in one["headers"]] for one in records]
    columns = [
        pa.array([one["offset"] for one in records], pa.int64()),
        pa.array([one["timestamp"] for one in records], TIMESTAMP_TYPE),
        pa.array([1] * len(records), pa.int8()),
        pa.array([one["key"] and one["key"].encode() for one in records], pa.binary()),
        pa.array([one["value"] and one["value"].encode() for one in records], pa.binary()),
        pa.array(headers, HEADERS_TYPE),
    ]
    rows = pa.RecordBatch.from_arrays(columns, schema=RAW_SCHEMA)
    return RawSlice(TopicPartition("logs-a", 3), 100, 100 + len(records), rows)


def differing(case, ours, theirs):
    """What differs, in words."""
    kept = dict(zip(ours.offsets.to_pylist(), range(len(ours.offsets)), strict=True))
    bad = {record.offset: record.error for record in ours.bad}
    rows = ours.rows.to_pylist()
    topics = None if ours.topics is None else ours.topics.to_pylist()
    keys_touched = any("Key" in step["class"] for step in case["steps"])
    for record, their in zip(case["records"], theirs, strict=True):
        offset = record["offset"]
        if excused(case, record, bad.get(offset, ""), their.get("error", "")):
            continue
        if "error" in their or "dropped" in their:
            found = "error" if offset in bad else "dropped" if offset not in kept else "value"
            if found not in their:
                yield f"{offset}: ours has {found} {bad.get(offset, '')}, theirs {their}; {record['value']}"
            continue
        if offset not in kept:
            yield f"{offset}: ours has error {bad.get(offset)}, theirs {their}"
            continue
        row = rows[kept[offset]]
        pairs = {"value": (our_value(row, ours.rows.schema), whole(their["value"]))}
        pairs["topic"] = (topics[kept[offset]] if topics else "logs-a", their["topic"])
        found = [
            [one["key"], None if one["value"] is None else one["value"].decode()] for one in row["_kafka"]["headers"]
        ]
        pairs["headers"] = (parsed(found), parsed(their["headers"]))
        if keys_touched:
            pairs["key"] = (our_key(row["_kafka"]["key"]), pruned(their["key"]))
        for what, (mine, expected) in pairs.items():
            if not same(mine, expected):
                yield f"{offset}: {what}: ours {mine!r}, theirs {expected!r}; {record['value']}"
    yield from schemas_differing(ours, theirs)


def excused(case, record, our_error, their_error):
    """Whether the list above says so."""
    hoists = any("HoistField" in step["class"] for step in case["steps"])
    return (
        "Cannot list fields on non-struct type" in their_error
        or "years 1 to 9999" in our_error
        or "java.lang.Double objects as timestamps" in their_error
        or (hoists and case["schemas"] and None in {record["value"], record["key"]})
    )


def schemas_differing(ours, theirs):
    schemas = [one["value_schema"] for one in theirs if one.get("value_schema") and one.get("value") is not None]
    if not schemas or any(one != schemas[0] for one in schemas) or ours.bad:
        return
    if any("value" in one and one["value"] is not None and not one["value_schema"] for one in theirs):
        return
    kinds = {kind.name: type_of(kind.type) for kind in ours.rows.schema if kind.name != "_kafka"}
    expected = schemas[0]["fields"] if schemas[0]["type"] == "struct" else {"value": schemas[0]}
    if kinds != expected:
        yield f"types: ours {kinds}, theirs {expected}"


def type_of(kind):
    if pa.types.is_struct(kind):
        return {"type": "struct", "fields": {child.name: type_of(child.type) for child in kind}}
    if pa.types.is_list(kind):
        return {"type": "array", "items": type_of(kind.value_type)}
    if pa.types.is_decimal(kind):
        return {"type": "Decimal"}
    return {"type": TYPES.get(kind, str(kind))}


def our_value(row, schema):
    document = {}
    for kind in schema:
        if kind.name != "_kafka" and row[kind.name] is not None:
            document[kind.name] = told(row[kind.name], kind)
    return pruned(document)


def told(value, kind):  # noqa: PLR0911 - one case a type
    match value:
        case str() if kind.metadata:
            return json.loads(value)
        case dict():
            return {child.name: told(value[child.name], child) for child in kind.type}
        case list():
            return [told(one, kind.type.value_field) for one in value]
        case bytes():
            return f"bytes:{base64.b64encode(value).decode()}"
        case datetime():
            return f"date:{(value - EPOCH) // timedelta(milliseconds=1)}"
        case date():
            return f"date:{(value - EPOCH.date()).days * 86_400_000}"
        case time():
            return f"date:{((value.hour * 60 + value.minute) * 60 + value.second) * 1000 + value.microsecond // 1000}"
        case Decimal():
            return decimal_text(value)
    return value


def decimal_text(value):
    text = format(value.normalize(), "f")
    return f"decimal:{'0' if text in {'-0', '0'} else text}"


def our_key(key):
    if key is None:
        return None
    document = json.loads(key)
    if isinstance(document, dict) and document.keys() == {"schema", "payload"}:
        return pruned(by_schema(document["payload"], document["schema"]))
    return pruned(document)


def by_schema(value, schema):  # noqa: PLR0911 - one case a type
    """A payload in the form that the Java side tells it."""
    if value is None or schema is None:
        return value
    name = schema.get("name", "").rpartition(".")[2]
    if name == "Decimal":
        unscaled = int.from_bytes(base64.b64decode(value), "big", signed=True)
        return decimal_text(Decimal(unscaled).scaleb(-int(schema["parameters"]["scale"])))
    if name in {"Date", "Time", "Timestamp"}:
        return f"date:{value * (86_400_000 if name == 'Date' else 1)}"
    match schema["type"]:
        case "struct":
            return {one["field"]: by_schema(value.get(one["field"]), one) for one in schema["fields"]}
        case "array":
            return [by_schema(one, schema["items"]) for one in value]
        case "bytes":
            return f"bytes:{value}"
    return value


def pruned(value):
    """Without nulls and empty objects."""
    if isinstance(value, dict):
        members = {key: pruned(one) for key, one in value.items()}
        return {key: one for key, one in members.items() if one is not None} or None
    return [pruned(one) for one in value] if isinstance(value, list) else value


def whole(value):
    """A value that is no object, as the column it becomes."""
    return pruned(value if isinstance(value, dict) or value is None else {"value": value})


def parsed(headers):
    found = []
    for key, text in headers:
        is_object = text is not None and text.startswith("{")
        found.append([key, pruned(json.loads(text)) if is_object else text])
    return found


def same(mine, expected):
    if isinstance(mine, bool) is not isinstance(expected, bool):
        return False
    if isinstance(mine, dict) and isinstance(expected, dict):
        return mine.keys() == expected.keys() and all(same(mine[key], expected[key]) for key in mine)
    if isinstance(mine, list) and isinstance(expected, list):
        return len(mine) == len(expected) and all(map(same, mine, expected))
    if isinstance(mine, float) and isinstance(expected, float):
        return mine == expected or abs(mine - expected) <= abs(expected) * 1e-7
    return mine == expected or in_json(mine, expected)


def in_json(mine, expected):
    """Whether ours is what JSON text has for theirs: the one way to hold two types in a column."""
    what, _, rest = expected.partition(":") if isinstance(expected, str) else ("", "", "")
    match what:
        case "date" if isinstance(mine, str):
            moment = EPOCH + timedelta(milliseconds=int(rest))
            forms = (
                moment.isoformat(timespec="milliseconds")[:-6] + "Z",
                str(moment.date()),
                moment.time().isoformat(),
            )
            return mine in forms
        case "bytes":
            return mine == rest
        case "decimal" if isinstance(mine, int | float):
            return Decimal(str(mine)) == Decimal(rest)
    return False
