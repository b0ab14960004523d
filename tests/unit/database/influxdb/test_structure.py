"""Names, shards and continuous queries of InfluxDB 1.x."""

import numpy as np
import pytest

from streamsink.database.influxdb.structure import (
    EARLIEST,
    LATEST,
    Policy,
    nanoseconds,
    parts_of,
    shard_around,
    shard_starts,
    table_name,
)

HOUR = 3600 * 10**9


def test_a_continuous_querys_text_is_cut_where_the_databases_name_stands_and_nowhere_else():
    query = (
        'CREATE CONTINUOUS QUERY shop ON shop BEGIN SELECT mean(shop) AS "shop.x" INTO shop."bri.ef".m2 '
        "FROM shop.autogen.shop, shop.autogen./shop.x/ WHERE host = 'shop.a.b' GROUP BY time(1h), shop END"
    )
    parts = parts_of(query, "shop")
    assert len(parts) == 5
    assert "shop".join(parts) == query
    assert "copy".join(parts).count("copy") == 4
    assert 'INTO copy."bri.ef".m2 FROM copy.autogen.shop, copy.autogen./shop.x/' in "copy".join(parts)


def test_a_quoted_name_is_found_as_well():
    query = (
        'CREATE CONTINUOUS QUERY q ON "my db" BEGIN SELECT mean(v) INTO "my db".autogen.a FROM "my db".autogen.b END'
    )
    assert len(parts_of(query, "my db")) == 4


@pytest.mark.parametrize(
    ("text", "expected"), [("168h0m0s", 168 * HOUR), ("1h30m0s", 1.5 * HOUR), ("0s", 0), ("1m1s", 61 * 10**9)]
)
def test_durations_are_read_as_go_writes_them(text, expected):
    assert nanoseconds(text) == expected


def test_shards_begin_where_influxdb_begins_them():
    week = 168 * HOUR
    # SHOW SHARDS of a real 1.6: 2023-11-13 to 2023-11-20, Mondays.
    assert shard_around(1_700_000_000 * 10**9, week) == (1_699_833_600 * 10**9, 1_700_438_400 * 10**9)
    assert shard_around(EARLIEST, week)[0] == EARLIEST
    assert shard_around(LATEST, week)[1] == LATEST + 1


def test_names_of_tables_are_unique_whatever_policies_and_measurements_are_called():
    policies = [Policy(name, "0s", "1h0m0s", 1, name == "autogen") for name in ("autogen", "a", "a.b", "a%2Eb")]
    names = [policy.name for policy in policies]
    measurements = ["m", "b.m", "a.m", "a.b.m", "a%2Eb.m", "autogen.m", "a%252Eb.m"]
    tables = [table_name(policy, one, names) for policy in policies for one in measurements]
    assert len(set(tables)) == len(tables)
    assert table_name(policies[0], "cpu.load", names) == "cpu.load"


@pytest.mark.parametrize("length", [1, 3600 * 10**9, 7 * 86_400 * 10**9, 10**18 + 1, LATEST])
def test_points_are_cut_where_their_shard_ends(length):
    times = [EARLIEST, EARLIEST + 1, -length, -1, 0, 1, length - 1, length, length + 1, LATEST - 1, LATEST]
    times = sorted(time for time in times if EARLIEST <= time <= LATEST)
    shards = [shard_around(time, length)[0] for time in times]
    wanted = [at for at in range(1, len(times)) if shards[at] != shards[at - 1]]
    assert shard_starts(np.array(times, np.int64), length) == wanted
    assert shard_starts(np.array([], np.int64), length) == []
