import pytest

from streamsink.errors import TerminalError
from streamsink.replay.plan import Candidate, Position, Selection, Span, make_plan
from streamsink.replay.position import Kept, fingerprint, from_metadata, to_metadata
from streamsink.upload.description import ObjectDescription


def an_object(first, last, *, partition=0, lane="p", times=None, count=None, **more):
    name = f"topics/t/{lane}/t+{partition}+{first:010d}.parquet"
    about = ObjectDescription(
        name,
        "t",
        partition,
        lane,
        lane,
        first,
        last,
        count or last - first + 1,
        *(times or (first, last)),
        layout="1",
        writer="w",
    )
    return Candidate(name, name, 100, partition, lane, first, about, **more)


def planned(candidates, *, start=None, **selection):
    plan = make_plan("t", candidates, Selection(**selection), start or {})
    return [(one.candidate.first_offset, one.whole) for partition in plan.partitions for one in partition.objects]


THREE = [an_object(100, 199), an_object(0, 99), an_object(200, 299)]


def test_objects_come_by_first_offset_and_say_how_many_records_they_give():
    plan = make_plan("t", THREE, Selection(), {})
    assert planned(THREE) == [(0, True), (100, True), (200, True)]
    assert (plan.objects, plan.size_bytes, plan.partition_count) == (3, 300, 1)
    assert [one.records for one in plan.partitions[0].objects] == [100, 100, 100]


@pytest.mark.parametrize(
    ("selection", "wanted"),
    [
        ({"from_offset": 100}, [(100, True), (200, True)]),
        ({"from_offset": 199, "until_offset": 200}, [(100, False)]),
        ({"until_offset": 200}, [(0, True), (100, True)]),
        ({"from_ms": 200}, [(200, False)]),
        ({"until_ms": 100}, [(0, False)]),
        ({"key": b"k"}, [(0, False), (100, False), (200, False)]),
        ({"partitions": frozenset({1})}, []),
    ],
)
def test_objects_that_cannot_have_a_chosen_record_are_not_read(selection, wanted):
    assert planned(THREE, **selection) == wanted


def test_a_partition_goes_on_where_it_stopped():
    assert planned(THREE, start={0: Position(150)}) == [(100, False), (200, True)]
    assert planned(THREE, start={0: Position(300)}) == []


def test_gaps_and_overlaps_are_reported_lanes_that_interleave_are_neither():
    lanes = [an_object(0, 90, lane="a", count=50), an_object(3, 99, lane="b", count=50)]
    one = make_plan("t", [*lanes, an_object(120, 130), an_object(125, 140)], Selection(), {}).partitions[0]
    assert one.gaps == [Span(100, 119)]
    assert one.overlaps == [Span(125, 130)]


def test_a_missing_object_is_known_before_anything_is_sent_and_no_gap_besides():
    plan = make_plan("t", [an_object(0, 9), an_object(10, 19, missing=True), an_object(20, 29)], Selection(), {})
    assert [one.first_offset for one in plan.lost] == [10]


def test_positions_come_back_from_metadata_the_furthest_of_each():
    of = fingerprint("t", Selection(key=b"\xff"), "keep")
    (first,) = to_metadata(Kept({0: Position(17), 4: Position(5, 3)}, {("group", 0): (11, 12)}), of)
    (second,) = to_metadata(Kept({0: Position(9)}), of)
    kept = from_metadata({0: first, 1: second}, of, "id")
    assert kept.next == {0: Position(17), 4: Position(5, 3)}
    assert kept.groups == {("group", 0): (11, 12)}


@pytest.mark.parametrize("text", ["", "{}", "something", '{"v":3,"replay":"x","next":{}}'])
def test_a_group_that_is_no_replays_is_refused(text):
    with pytest.raises(TerminalError, match="no replay's"):
        from_metadata({0: text}, "x", "id")


def test_another_replays_position_is_refused():
    (text,) = to_metadata(Kept({0: Position(1)}), fingerprint("t", Selection(), "keep"))
    with pytest.raises(TerminalError, match="other choices"):
        from_metadata({0: text}, fingerprint("t", Selection(until_ms=5), "keep"), "id")


def test_positions_that_do_not_fit_are_refused():
    with pytest.raises(TerminalError, match="don't fit"):
        to_metadata(Kept({number: Position(10**12) for number in range(400)}), "x")
