"""`streamsink replay` as people and scripts use it: what is chosen, refused, left out, moved and said."""

import json
import random
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from confluent_kafka import Consumer, TopicPartition

from streamsink.cli.main import run
from streamsink.replay import target
from streamsink.upload.local import LocalStore
from tests.servers.kafka import QUIET
from tests.servers.topics import read_topic
from tests.unit.archive.made import FIRST_MS, encoding, put

OBJECT_1 = "logs/partition=0/logs+0+0000000100.zstd.parquet"


@pytest.fixture
def archive(tmp_path):
    """Topic logs: offsets 0..299 of partition 0 in three objects, 0..49 of partition 1 in one."""
    store = LocalStore(tmp_path)
    for first in (0, 100, 200):
        put(store, range(first, first + 100))
    put(store, range(50), partition=1)
    return tmp_path / "topics"


@pytest.fixture
def replay(kafka, archive, unique, capfd):
    """Runs one command line in this process: exit status, standard output, standard error."""

    def call(*options, to=unique, bootstrap=kafka.bootstrap, url=None):
        capfd.readouterr()
        words = ["replay", url or archive.as_uri(), "--to", to, "--bootstrap-server", bootstrap]
        status = run([*words, *map(str, options)])
        out, err = capfd.readouterr()
        return status, out, err

    return call


def keys(kafka, topic):
    return {
        partition: [int(record[3].removeprefix(b"key-")) for record in rows]
        for partition, rows in read_topic(kafka, topic).items()
        if rows
    }


def test_a_topic_is_created_with_the_archived_number_of_partitions(kafka, replay, unique):
    status, out, err = replay("--create-topic")
    assert (status, out.splitlines()[0].split(",")[0]) == (0, "replayed 350 records of logs into " + unique)
    assert "--resume-id replay-" in err
    assert keys(kafka, unique) == {0: list(range(300)), 1: list(range(50))}


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["--partition", 1], {1: range(50)}),
        (["--from-offset", 40, "--until-offset", 120], {0: range(40, 120), 1: range(40, 50)}),
        (["--from", FIRST_MS + 150, "--until", FIRST_MS + 250], {0: range(150, 250)}),
        (["--from", "2026-09-21T14:13:20.250Z", "--until", FIRST_MS + 260], {0: range(250, 260)}),
        (["--key", "key-7"], {0: [7], 1: [7]}),
        (["--where", "_kafka.offset % 100 = 3 and _kafka.partition = 0"], {0: [3, 103, 203]}),
        (["--where", "decode(value) = 'same'", "--until-offset", 2], {0: range(2), 1: range(2)}),
        (["--partitions", "0:1,1:0"], {1: range(300), 0: range(50)}),
    ],
)
def test_what_is_chosen_is_forecast_and_replayed(kafka, replay, unique, options, wanted):
    kafka.create_topic(unique, 2)
    wanted = {partition: list(rows) for partition, rows in wanted.items()}
    count = sum(map(len, wanted.values()))
    told = json.loads(replay(*options, "--dry-run", "--json")[1])
    assert (told["records"], kafka.end_offsets(unique)) == (count, {0: 0, 1: 0})
    assert told["bytes"] > 0
    status, out, _ = replay(*options, "--json")
    assert (status, json.loads(out)["records"]) == (0, count)
    assert keys(kafka, unique) == wanted


def test_hashed_records_go_where_javas_producer_sends_them(kafka, replay, unique):
    kafka.create_topic(unique, 3)
    assert replay("--partitions", "hash", "--partition", 0)[0] == 0
    found = keys(kafka, unique)
    assert sorted(number for rows in found.values() for number in rows) == list(range(300))
    # From org.apache.kafka.common.utils.Utils.murmur2: toPositive(murmur2("key-0")) % 3 and so on.
    assert {number: partition for partition, rows in found.items() for number in rows if number < 6} == {
        number: (murmur2(b"key-%d" % number) & 0x7FFFFFFF) % 3 for number in range(6)
    }


def murmur2(data):
    """Kafka's variant, from its description, to compare with librdkafka's."""
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = 0x9747B28C ^ len(data)
    whole = len(data) // 4 * 4
    for at in range(0, whole, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    rest = data[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def test_a_finished_replay_run_again_with_its_resume_id_adds_nothing(kafka, replay, unique):
    for option in ("--transactional", "--no-transactional"):
        topic = f"{unique}{option}"
        options = ("--create-topic", "--resume-id", topic, option, "--json")
        assert json.loads(replay(*options, to=topic)[1])["records"] == 350
        ends = kafka.end_offsets(topic)
        again = json.loads(replay(*options, to=topic)[1])
        assert (again["records"], again["resumed"], kafka.end_offsets(topic)) == (0, True, ends)
        status, _, err = replay(*options, "--key", "k", to=topic)
        assert (status, "another topic or with other choices" in err) == (1, True)


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        ((), 1, "does not exist"),
        (("--to", "logs"), 2, "is the topic that was archived"),
        (("--topic", "lgos"), 1, "does not have topic lgos"),
        (("--partitions", "0:1"), 2, "does not say where partition 1 goes"),
        (("--partitions", "half"), 2, "--partitions"),
        (("--from", "yesterday"), 2, "ISO 8601"),
        (("--where", "offset ="), 2, "--where"),
        (("--where", "true; drop table rows"), 2, "--where"),
        (("--where", "(select count(*) from read_csv('/etc/passwd')) > 0", "--create-topic"), 2, "--where"),
        (("--where", "nothing = 1", "--create-topic"), 2, "nothing"),
        (("--rate", "0"), 2, "--rate"),
        (("--speed", "x"), 2, "--speed"),
        (("--groups", "g", "--partitions", "hash", "--create-topic"), 2, "--groups"),
        (("--groups", "nobody", "--create-topic"), 1, "has committed no offset"),
    ],
)
def test_what_cannot_be_is_one_clear_line(replay, unique, options, status, said):
    if "--to" in options:
        found, out, err = replay(to=options[1])
    else:
        found, out, err = replay(*options)
    told = [line for line in err.splitlines() if "if it is interrupted" not in line]
    assert (found, out, len(told)) == (status, "", 1), err
    assert said in told[0]


def test_a_topic_with_too_few_partitions_is_named_with_the_number_needed(kafka, replay, unique):
    kafka.create_topic(unique, 1)
    status, _, err = replay()
    assert (status, "has 1 partitions, and the records need 2" in err) == (1, True)
    told = json.loads(replay("--dry-run", "--json")[1])
    assert "need 2" in told["warnings"][0]


def test_an_absent_broker_is_said_and_a_forecast_needs_none(replay, monkeypatch):
    monkeypatch.setattr(target, "ASK_TIMEOUT_S", 2.0)
    began = time.monotonic()
    status, _, err = replay(bootstrap="127.0.0.1:9")
    assert (status, "is the broker up" in err, time.monotonic() - began < 30) == (1, True, True)
    status, out, _ = replay("--dry-run", "--json", bootstrap="127.0.0.1:9")
    assert (status, json.loads(out)["records"]) == (0, 350)


def test_a_record_too_large_for_the_topic_is_said(kafka, replay, unique, tmp_path):
    kafka.create_topic(unique, 1, max_message_bytes="2000")
    put(LocalStore(tmp_path / "large"), range(1), topic="large", value=random.Random(1).randbytes(5000))
    status, _, err = replay(url=(tmp_path / "large/topics").as_uri())
    assert (status, "max.message.bytes" in err) == (1, True)
    assert keys(kafka, unique) == {}


def flipped(path):
    """Change a byte of the values: a page's own header has no checksum, and without a manifest nothing else has one."""
    data = bytearray(path.read_bytes())
    rows = pq.ParquetFile(pa.BufferReader(bytes(data))).metadata.row_group(0)
    values = rows.column(rows.num_columns - 1)
    start = values.dictionary_page_offset or values.data_page_offset
    data[start + values.total_compressed_size - 2] ^= 1
    path.write_bytes(data)


def cut(path):
    path.write_bytes(path.read_bytes()[:-20])


def gone(path):
    path.unlink()


def wrong_footer(path):
    store = LocalStore(path.parents[3])
    path.unlink()
    put(store, range(100, 150), claim=(100, 199), manifest=False)


@pytest.mark.parametrize(
    ("harm", "indexed"), [(flipped, True), (flipped, False), (cut, True), (gone, True), (wrong_footer, False)]
)
def test_a_corrupt_object_stops_it_and_is_named_with_its_range(kafka, replay, archive, unique, harm, indexed):
    harm(archive / OBJECT_1)
    if not indexed and harm is not gone:
        for path in (archive.parent / "_streamsink/manifest").rglob("*.jsonl"):
            path.unlink()
    status, out, err = replay("--create-topic")
    assert (status, out) == (1, "")
    assert OBJECT_1 in err
    assert "offsets 100.." in err
    sent = keys(kafka, unique)
    assert sent in ({}, {0: list(range(100))}, {0: list(range(150))})
    status, out, _ = replay("--skip-corrupt", "--create-topic", "--json", to=f"{unique}-2")
    report = json.loads(out)
    assert (status, [one["object"] for one in report["left_out"]]) == (0, [OBJECT_1])
    kept = keys(kafka, f"{unique}-2")
    assert kept[1] == list(range(50))
    assert set(kept[0]) >= {*range(100), *range(200, 300)}
    assert set(kept[0]) <= {*range(150), *range(200, 300)}


def test_gaps_without_a_trace_are_reported(replay, archive):
    (archive / OBJECT_1).unlink()
    for path in (archive.parent / "_streamsink/manifest").rglob("*.jsonl"):
        path.unlink()
    status, out, _ = replay("--create-topic", "--json")
    assert status == 0
    assert json.loads(out)["gaps"] == [{"partition": 0, "first_offset": 100, "last_offset": 199}]


def test_objects_that_overlap_are_read_once_by_offset(kafka, replay, archive, unique):
    store = LocalStore(archive.parent)
    put(store, range(150, 350), encoding=encoding("avro", "deflate"))
    put(store, range(300, 400, 2), encoded="lane=even")
    put(store, range(351, 400, 2), encoded="lane=odd")
    assert replay("--create-topic", "--partition", 0)[0] == 0
    assert keys(kafka, unique)[0] == [*range(350), *range(350, 400)]


def commit(kafka, group, topic, offsets):
    consumer = Consumer({**QUIET, "bootstrap.servers": kafka.bootstrap, "group.id": group})
    consumer.commit(offsets=[TopicPartition(topic, p, o) for p, o in offsets.items()], asynchronous=False)
    consumer.close()


def test_groups_move_to_the_same_records(kafka, replay, archive, unique, tmp_path):
    source, group = f"{unique}-source", f"{unique}-group"
    kafka.create_topic(source, 2)
    store = LocalStore(tmp_path / "a")
    for first in (0, 100):
        put(store, [offset for offset in range(first, first + 100) if offset % 10], topic=source)
    put(store, range(50), topic=source, partition=1)
    commit(kafka, group, source, {0: 110, 1: 50})
    kafka.create_topic(unique, 2)
    kafka.producer().produce(unique, b"was here before", partition=0)
    url = (tmp_path / "a/topics").as_uri()
    told = json.loads(replay("--groups", group, "--dry-run", "--json", url=url)[1])
    assert [(move["partition"], move["source_offset"]) for move in told["groups"]] == [(0, 110), (1, 50)]
    options = ("--groups", group, "--resume-id", f"{unique}-id", "--json")
    status, out, err = replay(*options, url=url)
    assert status == 0, err
    moved = {partition: at for partition, (at, _) in kafka.committed(group, unique).items()}
    assert moved == {move["partition"]: move["target_offset"] for move in json.loads(out)["groups"]}
    rows = read_topic(kafka, unique)
    assert next(record[3] for record in rows[0] if record[0] >= moved[0]) == b"key-111"
    assert moved[1] == kafka.end_offsets(unique)[1]
    again = json.loads(replay(*options, url=url)[1])
    assert (again["records"], {move["partition"]: move["target_offset"] for move in again["groups"]}) == (0, moved)


def test_a_group_with_live_members_is_refused(kafka, replay, unique):
    kafka.create_topic(unique, 2)
    consumer = Consumer({**QUIET, "bootstrap.servers": kafka.bootstrap, "group.id": f"{unique}-live"})
    consumer.subscribe([unique])
    deadline = time.monotonic() + 30
    while not consumer.assignment():
        consumer.poll(0.2)
        assert time.monotonic() < deadline
    status, _, err = replay("--groups", f"{unique}-live")
    consumer.close()
    assert (status, "1 live members" in err) == (1, True)


def test_the_pace_is_kept(kafka, replay, unique):
    kafka.create_topic(unique, 2)
    began = time.monotonic()
    assert replay("--rate", 200, "--from-offset", 0)[0] == 0
    assert 1.4 < time.monotonic() - began < 12
    # 300 ms of records, a tenth as fast.
    began = time.monotonic()
    assert replay("--speed", "0.1x", "--dry-run", "--json")[0] == 0
    assert replay("--speed", "0.1x")[0] == 0
    assert 2.9 < time.monotonic() - began < 14
