"""InfluxDB 2.x beyond the contract, on a stub: stretches of time, types that clash, what comes meanwhile."""

import contextlib

import orjson
import pytest

from streamsink.database.influxdb2 import database as influxdb2
from streamsink.errors import ConfigError, TerminalError
from tests.contract.influxdb2_database import Influx2Backend
from tests.servers.influxdb2_stub import Influx2Stub

ROWS = 120


@pytest.fixture
def backend():
    stub = Influx2Stub()
    yield Influx2Backend(stub)
    stub.stop()


def read(snapshot):
    rows = {}
    for table in snapshot.tables:
        for batch in snapshot.rows(table, after=None, batch_rows=50):
            pairs = zip(batch.keys.to_pylist(), batch.values.to_pylist(), strict=True)
            rows.setdefault(table.name, []).extend(pairs)
    return rows


@pytest.mark.parametrize("most", [1, 15, 100])
def test_rows_do_not_depend_on_how_much_memory_holds(backend, unique, most, monkeypatch):
    backend.fill(unique, ROWS)
    with contextlib.closing(backend.open(unique).snapshot([])) as snapshot:
        whole = read(snapshot)
        monkeypatch.setattr(influxdb2, "VALUES_MAX", most)
        monkeypatch.setattr(influxdb2, "STRETCH_NS", 10**15)
        assert read(snapshot) == whole
    assert len(whole["orders"]) == ROWS


def test_a_field_that_gets_another_type_meanwhile_ends_the_snapshot_with_what_to_do(backend, unique):
    backend.fill(unique, ROWS)
    with contextlib.closing(backend.open(unique).snapshot(["untagged"])) as snapshot:
        backend.stub.write(["untagged v=1.5 99"], unique)
        with pytest.raises(TerminalError, match="field v is float") as raised:
            read(snapshot)
    assert raised.value.hint


def test_tags_and_fields_that_come_meanwhile_are_not_in_the_view(backend, unique):
    backend.fill(unique, ROWS)
    with contextlib.closing(backend.open(unique).snapshot(["untagged"])) as snapshot:
        before = read(snapshot)
        backend.stub.write(["untagged,new=tag v=1u 7", "untagged other=1 8", "untagged other=1 99"], unique)
        assert read(snapshot) == before


def test_a_line_break_in_a_text_comes_back_without_the_carriage_return_that_the_answer_has(backend, unique):
    backend.stub.make_bucket(unique)
    backend.stub.write(['texts v="a\nb\n\n" 1'], unique)
    with contextlib.closing(backend.open(unique).snapshot([])) as snapshot:
        [(_, value)] = read(snapshot)["texts"]
    assert orjson.loads(value)["fields"] == {"v": "a\nb\n\n"}


def test_a_series_that_has_one_point_is_read_as_one_with_many(backend, unique):
    backend.stub.make_bucket(unique)
    lines = [f"wide,host=h{n % 40},rack=r{n % 7} a={n}i,b={n / 3!r} {n // 3}" for n in range(1_000)]
    lines += [f'wide,host=h{n % 40} c="{n}" {n // 3}' for n in range(0, 1_000, 9)]
    backend.stub.write(lines, unique)
    with contextlib.closing(backend.open(unique).snapshot([])) as snapshot:
        found = [orjson.loads(value) for _, value in read(snapshot)["wide"]]
    wanted = [
        {"time": n // 3, "tags": {"host": f"h{n % 40}", "rack": f"r{n % 7}"}, "fields": {"a": n, "b": n / 3}}
        for n in range(1_000)
    ] + [{"time": n // 3, "tags": {"host": f"h{n % 40}"}, "fields": {"c": str(n)}} for n in range(0, 1_000, 9)]
    assert found == sorted(wanted, key=lambda row: (row["time"], row["tags"]["host"], row["tags"].get("rack", "")))


def test_an_organization_must_be_named(backend, unique):
    with pytest.raises(ConfigError, match="option org"):
        influxdb2.open_database("influxdb2://127.0.0.1:1/x", {}).snapshot([])
