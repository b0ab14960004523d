"""Positions of archives that grow: each record once, whatever the lanes, arrivals and kills."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamsink.replay import lanes
from streamsink.replay.find import in_lane_order
from streamsink.replay.groups import Anchors
from streamsink.replay.plan import Candidate, Position, Selection, lane_tag, make_plan
from streamsink.replay.position import METADATA_BYTES_MAX, Kept, from_metadata, parts_of, to_metadata
from streamsink.replay.run import Positions
from streamsink.upload.description import ObjectDescription


def an_object(lane, offsets, *, partition=0, layout="1"):
    first, last = offsets[0], offsets[-1]
    name = f"topics/t/{lane}/t+{partition}+{first:010d}.parquet"
    about = ObjectDescription(
        name, "t", partition, lane, lane, first, last, len(offsets), None, None, layout=layout, writer="w"
    )
    return Candidate(name, name, 1, partition, lane, first, about)


def cut(data, offsets):
    """A lane's offsets as objects of random sizes."""
    at = 0
    while at < len(offsets):
        size = data.draw(st.integers(1, len(offsets) - at))
        yield offsets[at : at + size]
        at += size


class Archive:
    """What was stored of each lane so far, and what is yet to come."""

    def __init__(self, data, lane_count, records):
        of_lane = {}
        for offset, lane in enumerate(records):
            # -1 is a hole: a transaction's marker, or a record that was compacted away.
            if lane >= 0:
                of_lane.setdefault(f"f={lane % lane_count}", []).append(offset)
        self.rows = {}
        self.coming = {lane: list(cut(data, offsets)) for lane, offsets in of_lane.items()}
        self.candidates = []

    def grow(self, data):
        for lane, coming in self.coming.items():
            for offsets in coming[: data.draw(st.integers(0, len(coming)))]:
                self.store(lane, offsets)
            self.coming[lane] = [one for one in coming if (lane, one[0]) not in self.rows]

    def store(self, lane, offsets):
        self.rows[lane, offsets[0]] = offsets
        self.candidates.append(an_object(lane, offsets))

    def finish(self):
        for lane, coming in self.coming.items():
            for offsets in coming:
                self.store(lane, offsets)
        self.coming = {}


class Topic:
    """A target with transactions: what was sent after the last commit is gone after a kill."""

    def __init__(self):
        self.sent, self.open, self.committed = [], [], {0: to_metadata(Kept({}), "of")}

    def position(self):
        texts = self.committed[0]
        assert parts_of(texts[0]) == len(texts) - 1
        return from_metadata({0: texts[0]}, "of", "id", {0: texts[1:]}).next.get(0, Position())

    def commit(self, plan, at):
        self.committed = {0: to_metadata(Kept({0: lanes.reached(plan, at)}), "of")}
        self.sent += self.open
        self.open = []

    def round(self, archive, kill_after, commit_every):
        plan = make_plan("t", archive.candidates, Selection(), {0: self.position()})
        if not plan.partitions:
            return
        partition = plan.partitions[0]
        offsets = sorted(
            offset
            for one in partition.objects
            for offset in archive.rows[one.candidate.lane, one.candidate.first_offset]
            if offset >= partition.start.low(one.candidate.lane)
        )
        for count, offset in enumerate(offsets):
            if count == kill_after:
                self.open = []
                return
            self.open.append(offset)
            if count % commit_every == 0:
                self.commit(partition, Position(offset + 1))
        self.commit(partition, None)


@settings(deadline=None, max_examples=300)
@given(
    data=st.data(),
    lane_count=st.integers(1, 60),
    records=st.lists(st.integers(-1, 1000), min_size=1, max_size=250),
    rounds=st.integers(1, 5),
)
def test_each_record_is_sent_once_whatever_comes_late_and_whenever_it_is_killed(data, lane_count, records, rounds):
    archive, topic = Archive(data, lane_count, records), Topic()
    for _ in range(rounds):
        archive.grow(data)
        topic.round(archive, data.draw(st.integers(0, 300)), data.draw(st.integers(1, 50)))
    archive.finish()
    topic.round(archive, -1, 10)
    assert sorted(topic.sent) == [offset for offset, lane in enumerate(records) if lane >= 0]


@pytest.mark.parametrize("count", [90, 150, 1000, 20_000])
def test_no_lane_is_forgotten_however_many_there_are(count):
    first = [an_object(f"f={lane}", range(lane, 3 * count, count)) for lane in range(count)]
    second = [an_object(f"f={lane}", range(3 * count + lane, 6 * count, count)) for lane in range(count)]
    seen = [*first, *second[count // 3 :]]
    plan = make_plan("t", seen, Selection(), {}).partitions[0]
    texts = to_metadata(Kept({0: lanes.reached(plan, None)}), "of")
    assert max(len(text.encode()) for text in texts) <= METADATA_BYTES_MAX
    back = from_metadata({0: texts[0]}, "of", "id", {0: texts[1:]}).next
    later = make_plan("t", [*first, *second], Selection(), back).partitions[0]
    assert [one.candidate.lane for one in later.objects] == [f"f={lane}" for lane in range(count // 3)]


def test_lanes_that_all_have_passed_without_a_hole_are_forgotten():
    found = [an_object("f=a", [0, 2, 4]), an_object("f=b", [1, 3]), an_object("f=c", [7, 8])]
    plan = make_plan("t", found, Selection(), {}).partitions[0]
    at = lanes.reached(plan, None)
    assert (at.offset, at.lanes) == (5, {lane_tag("f=c"): 9})
    found.append(an_object("f=d", [5, 6]))
    plan = make_plan("t", found, Selection(), {0: at}).partitions[0]
    assert lanes.reached(plan, None) == Position(9)


def test_a_hole_may_be_a_record_of_a_lane_that_is_slow():
    plan = make_plan("t", [an_object("f=a", [0, 1, 3])], Selection(), {}).partitions[0]
    assert lanes.reached(plan, None) == Position(0, 0, {lane_tag("f=a"): 4})


@pytest.mark.parametrize(
    "doubled", [an_object("f=a", [1, 2]), an_object("f=b", [1, 2], layout="2")], ids=["overlap", "layout"]
)
def test_records_that_are_in_two_objects_prove_nothing(doubled):
    # Counted, they make up for offset 3, which is in neither.
    plan = make_plan("t", [an_object("f=a", [0, 1, 2]), doubled, an_object("f=c", [4])], Selection(), {}).partitions[0]
    assert lanes.reached(plan, None).offset <= 3


def test_a_damaged_object_of_a_growing_archive_moves_no_position():
    damaged = Candidate("n", "n", 1, 0, "l", 5, None, problem="damaged")
    plan = make_plan("t", [damaged], Selection(), {}).partitions[0]
    assert lanes.reached(plan, None) == Position()
    plan = make_plan("t", [damaged, an_object("f=a", [0, 1])], Selection(), {}).partitions[0]
    assert lanes.reached(plan, None) == Position(2)


def foreign(lane, start):
    name = f"topics/t/{lane}/t+0+{start:010d}.json"
    return Candidate(name, name, 1, 0, lane, start)


def test_other_programs_objects_come_late_as_well():
    first = [foreign("f=a", 0), foreign("f=a", 20)]
    at = lanes.reached(make_plan("t", first, Selection(), {}).partitions[0], None)
    plan = make_plan("t", [*first, foreign("f=b", 3)], Selection(), {0: at}).partitions[0]
    assert [one.candidate.start_offset for one in plan.objects] == [3]
    begun = lanes.reached(plan, Position(3, 7))
    texts = to_metadata(Kept({0: begun}), "of")
    back = from_metadata({0: texts[0]}, "of", "id").next[0]
    assert (back.low("f=a"), back.low("f=b"), back.rows_of(3), back.rows_of(20)) == (21, 3, 7, 0)


def test_positions_of_the_first_version_go_on():
    old = {lane_tag("f=a")[:8]: 12}
    text = json.dumps({"v": 1, "replay": "of", "next": {"0": {"from": 3, "lanes": old}}})
    position = from_metadata({0: text}, "of", "id").next[0]
    renamed = lanes.renamed(position, [an_object("f=a", [0, 11]), an_object("f=b", [4])])
    assert renamed == Position(3, 0, {lane_tag("f=a"): 12})


def test_an_object_is_taken_only_with_those_before_it_in_its_lane():
    one, two, three, other = (an_object(lane, [first]) for lane, first in (("a", 1), ("a", 2), ("a", 3), ("b", 9)))
    # The first listing passed the place of 1 before it was there; 3 and all of b came after it.
    found = in_lane_order([one, two, three, other], {two.name})
    assert found == [one, two]


def test_a_round_without_news_commits_its_own_positions_again():
    plan = make_plan("t", [an_object("f=a", [0, 1])], Selection(), {0: Position(2)})
    positions = Positions(Kept({0: Position(2), 1: Position(9)}), "of", 4, plan)
    positions.refresh()
    # Partition 1 is another task's, which may have gone on meanwhile.
    assert [(one.partition, one.offset) for one in positions.changed(Anchors([], {}, {}))] == [(0, 2)]
