from __future__ import annotations

import pytest

from streamsink.config.reading.layout import layout_fingerprint
from streamsink.errors import DecodeError
from streamsink.partition.partitioner import make_partitioner
from streamsink.sink.lanes import LaneSorter
from tests.unit.transform.conftest import chain_of, raw_slice

CAST = ("Cast$Value", {"spec": "n:int32"})
EVERY_SECOND = [[{"key": "h", "value": b""}] if row % 2 else [] for row in range(4)]
WITH_HEADER = ("HasHeaderKey", {"name": "h"})


def test_values_are_transformed_in_order(pipeline):
    run = pipeline(("HoistField$Value", {"field": "v"}), ("ExtractField$Value", {"field": "v"}), CAST)
    assert run.rows([b'{"n":"5"}', b'{"n":"-7"}']) == [{"n": 5}, {"n": -7}]


def test_one_bad_record_neither_drops_nor_stops_the_good_ones(pipeline):
    run = pipeline(CAST, errors__tolerance="all")
    decoded = run([b'{"n":"1"}', b'{"n":"x"}', b"not json", b'{"n":"4"}'])
    assert decoded.offsets.to_pylist() == [100, 103]
    assert [(bad.offset, bad.stage, bad.value) for bad in sorted(decoded.bad, key=lambda bad: bad.offset)] == [
        (101, "TRANSFORMATION", b'{"n":"x"}'),
        (102, "VALUE_CONVERTER", b"not json"),
    ]
    assert decoded.bad[-1].executing == "org.apache.kafka.connect.transforms.Cast$Value"


def test_a_bad_record_of_an_absurd_time_is_put_aside_like_any_other(pipeline):
    decoded = pipeline(CAST, errors__tolerance="all")([b'{"n":"x"}', b'{"n":"2"}'], times=[2**62, 2**62])
    assert [bad.timestamp_ms for bad in decoded.bad] == [2**62]
    assert decoded.offsets.to_pylist() == [101]


def test_without_tolerance_the_first_bad_record_is_named(pipeline):
    with pytest.raises(DecodeError, match=r"TRANSFORMATION: logs-3@101: transform t0: 'x' is no whole number"):
        pipeline(CAST)([b'{"n":"1"}', b'{"n":"x"}'])


def test_a_predicate_chooses_rows_and_their_order_stays(pipeline):
    run = pipeline(("InsertField$Value", {"static.field": "s", "static.value": "x", "predicate": WITH_HEADER}))
    rows = run.rows([b'{"n":%d}' % n for n in range(4)], headers=EVERY_SECOND)
    assert rows == [{"n": 0, "s": None}, {"n": 1, "s": "x"}, {"n": 2, "s": None}, {"n": 3, "s": "x"}]


def test_columns_once_there_stay_so_that_files_need_not_close(pipeline):
    run = pipeline(("InsertField$Value", {"static.field": "s", "static.value": "x", "predicate": WITH_HEADER}))
    with_it = run([b'{"n":1}'] * 4, headers=EVERY_SECOND).rows.schema
    assert run([b'{"n":1}'] * 4).rows.schema.equals(with_it, check_metadata=True)


def test_what_clashes_becomes_json_text_and_loses_nothing(pipeline):
    run = pipeline(("Cast$Value", {"spec": "n:string", "predicate": WITH_HEADER}))
    rows = run.rows([b'{"n":1}'] * 4, headers=EVERY_SECOND)
    assert [row["n"] for row in rows] == ["1", '"1"', "1", '"1"']


def test_filtered_records_leave_holes(pipeline):
    decoded = pipeline(("Filter", {"predicate": ("RecordIsTombstone", {})}))([b"{}", None, b"{}"])
    assert decoded.offsets.to_pylist() == [100, 102]
    assert (decoded.start, decoded.next_offset) == (100, 103)


def test_tombstones_stay_tombstones_and_null_values_are_judged_after_the_transforms(pipeline):
    insert = ("InsertField$Value", {"static.field": "s", "static.value": "x"})
    assert pipeline(insert, archive__value="both").envelopes([None])[0]["value"] is None
    assert pipeline(insert, behavior__on__null__values="ignore")([b"{}", None]).offsets.to_pylist() == [100]
    hoist = ("HoistField$Value", {"field": "v"})
    assert pipeline(hoist, behavior__on__null__values="fail").rows([b'{"a":1}', None]) == [{"v": {"a": 1}}, {"v": None}]
    with pytest.raises(DecodeError, match="behavior.on.null.values=fail"):
        pipeline(insert, behavior__on__null__values="fail")([None])


def test_keys_are_made_of_fields_and_come_out_as_bytes(pipeline):
    to_key = ("ValueToKey", {"fields": "id"})
    extract = ("ExtractField$Key", {"field": "id"})
    assert [e["key"] for e in pipeline(to_key).envelopes([b'{"id":7}'])] == [b'{"id":7}']
    assert [e["key"] for e in pipeline(to_key, extract).envelopes([b'{"id":"a"}'])] == [b"a"]
    run = pipeline(to_key, extract, key__converter="json")
    assert [e["key"] for e in run.envelopes([b'{"id":"a"}'], keys=[b"1"])] == [b'"a"']


def test_keys_with_schemas_are_read_and_written(pipeline):
    schema = b'{"type":"struct","fields":[{"field":"id","type":"int32"},{"field":"x","type":"string"}]}'
    key = b'{"schema":' + schema + b',"payload":{"id":7,"x":"y"}}'
    run = pipeline(("ExtractField$Key", {"field": "id"}), key__converter="json", key__converter__schemas__enable="true")
    assert run.envelopes([b"{}"], keys=[key])[0]["key"] == b'{"schema":{"type":"int32","optional":true},"payload":7}'


def test_keys_that_no_transform_had_in_hand_keep_their_bytes(pipeline):
    run = pipeline(("HoistField$Key", {"field": "k", "predicate": WITH_HEADER}), key__converter="json")
    keys = [e["key"] for e in run.envelopes([b"{}"] * 4, keys=[b'{ "a" : 1 }'] * 4, headers=EVERY_SECOND)]
    assert keys == [b'{ "a" : 1 }', b'{"k":{"a":1}}', b'{ "a" : 1 }', b'{"k":{"a":1}}']


def test_raw_values_stay_their_bytes_while_transforms_read_them(pipeline):
    run = pipeline(("HeaderFrom$Value", {"fields": "a", "headers": "A", "operation": "copy"}), archive__value="raw")
    decoded = run([b'{ "a": [1, 2] }'])
    assert decoded.rows.column("value").to_pylist() == [b'{ "a": [1, 2] }']
    assert decoded.rows.to_pylist()[0]["_kafka"]["headers"] == [{"key": "A", "value": b"[1,2]"}]


def test_strings_become_columns_where_a_transform_changes_them(pipeline):
    run = pipeline(("HoistField$Value", {"field": "line"}), value__converter="string")
    assert run.rows([b"hello"]) == [{"line": "hello"}]


def test_fields_that_transforms_speak_of_are_never_in_the_rest(pipeline):
    run = pipeline(("MaskField$Value", {"fields": "secret"}), value__columns__max="2")
    assert run.rows([b'{"a":1,"b":2,"c":3,"secret":"x"}']) == [{"a": 1, "b": 2, "secret": "", "_rest": '{"c":3}'}]


def test_a_field_named_as_the_envelope_gets_another_name(pipeline):
    run = pipeline(("InsertField$Value", {"static.field": "_kafka", "static.value": "x"}))
    assert run([b"{}"]).rows.schema.names == ["_kafka", "_kafka_"]


def lanes(run, values, **more):
    sorter = LaneSorter(run.decoder, make_partitioner(run.config), with_times=False)
    polled, _ = sorter.sort(raw_slice(values, **more), now_ms=0)
    return {lane.lane.key: lane.offsets.tolist() for lane in polled.runs}


def test_routed_records_have_lanes_of_their_own(pipeline):
    route = ("RegexRouter", {"regex": "(.*)", "replacement": "a-$1", "predicate": WITH_HEADER})
    found = lanes(pipeline(route), [b"{}"] * 4, headers=EVERY_SECOND)
    assert found == {"partition=3": [100, 102], "a-logs:partition=3": [101, 103]}


def test_routes_and_fields_make_lanes_together(pipeline):
    run = pipeline(
        ("TimestampRouter", {"timestamp.format": "yyyyMMdd"}),
        partitioner__class="field",
        partition__field__name="n",
        archive__value="raw",
    )
    found = lanes(run, [b'{"n":%d}' % (n % 2) for n in range(4)], times=[0, 0, 86_400_000, 86_400_000])
    assert found == {
        "logs-19700101:n=0": [100],
        "logs-19700101:n=1": [101],
        "logs-19700102:n=0": [102],
        "logs-19700102:n=1": [103],
    }


def test_a_transform_decides_the_field_that_folders_are_made_of(pipeline):
    run = pipeline(
        ("InsertField$Value", {"static.field": "site", "static.value": "b"}),
        partitioner__class="field",
        partition__field__name="site",
    )
    assert lanes(run, [b"{}"]) == {"site=b": [100]}


def test_a_topic_that_none_can_have_is_a_bad_record(pipeline):
    run = pipeline(("TimestampRouter", {"topic.format": "../${topic}"}), errors__tolerance="all")
    assert "is no name of a topic" in run([b"{}"]).bad[0].error


def test_transforms_are_part_of_the_layout(pipeline):
    one, other = (pipeline(("Cast$Value", {"spec": f"n:{kind}"})).config for kind in ("int32", "int64"))
    again = pipeline(("Cast$Value", {"spec": "n:int32"})).config
    assert layout_fingerprint(one) == layout_fingerprint(again) != layout_fingerprint(other)
    negated = chain_of(("Filter", {"predicate": WITH_HEADER, "negate": "true"}))
    plain = chain_of(("Filter", {"predicate": WITH_HEADER}))
    assert negated.keys() - plain.keys() == {"transforms.t0.negate"}
