"""The contract of `SliceConsumer` (`streamsink/consume/protocol.py`), clause by clause, on every kind of group."""

import time

import pytest

from streamsink.consume.protocol import CommittedOffset, Failure
from streamsink.errors import TerminalError, TransientError
from streamsink.record import TopicPartition
from tests.contract.slice_consumers import BACKENDS, GROUPS, ON_BROKERS, SESSION_S, FarBroker

of_groups = pytest.mark.parametrize("groups", GROUPS, indirect=True)


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    far = FarBroker(tmp_path_factory.mktemp("far-kafka"))
    yield far
    far.stop()


@pytest.fixture(params=list(BACKENDS))
def groups(request):
    made = BACKENDS[request.param](lambda: request.getfixturevalue("broker"))
    yield made
    made.close()


@pytest.fixture
def at(groups, unique):
    """The only partition of a topic with ten records."""
    groups.create_topic(unique, 1)
    groups.produce(unique, 10)
    return TopicPartition(unique, 0)


@pytest.fixture
def reader(groups, at):
    """The only member of a group, at the end of that partition."""
    member = groups.join(at.topic, at.topic)
    member.poll_until(lambda: member.ends.get(at) == 10)
    return member


def both_poll(*members, until, timeout_s=30):
    deadline = time.monotonic() + timeout_s
    while not until():
        assert time.monotonic() < deadline, [member.held for member in members]
        for member in members:
            member.poll(0.05)


def test_slices_continue_each_other_from_the_first_record_on(reader, at):
    slices = reader.slices[at]
    assert reader.held == {at: CommittedOffset(None)}
    assert slices[0].start == 0
    assert [each.start for each in slices[1:]] == [each.next_offset for each in slices[:-1]]
    assert reader.offsets(at) == list(range(10))


# Pause


def test_a_paused_partition_rests_and_then_goes_on_without_loss(groups, unique):
    groups.create_topic(unique, 2)
    resting, going = TopicPartition(unique, 0), TopicPartition(unique, 1)
    for partition in (0, 1):
        groups.produce(unique, 5_000, partition=partition)
    reader = groups.join(unique, unique)
    reader.poll_until(lambda: reader.slices[resting])
    reader.consumer.pause([resting, TopicPartition("not-ours", 0)])
    before = len(reader.offsets(resting))
    reader.poll_until(lambda: reader.ends.get(going) == 5_000)
    for _ in range(5):
        reader.poll()
    assert len(reader.offsets(resting)) == before
    assert reader.consumer.progress()[resting].paused
    reader.consumer.resume([resting, going, TopicPartition("not-ours", 0)])
    reader.poll_until(lambda: reader.ends.get(resting) == 5_000)
    assert reader.offsets(resting) == list(range(5_000))
    assert reader.offsets(going) == list(range(5_000))
    assert reader.consumer.end_offsets([resting, going]) == {resting: 5_000, going: 5_000}


@of_groups
def test_a_pause_ends_with_its_assignment_when_the_group_is_joined_anew(groups, reader, at):
    reader.on_revoked = reader.consumer.pause
    reader.consumer.rejoin()
    reader.poll_until(lambda: len(reader.assignments) == 2)
    assert not reader.consumer.progress()[at].paused
    groups.produce(at.topic, 5)
    reader.poll_until(lambda: reader.ends.get(at) == 15)


@of_groups
def test_a_pause_ends_with_its_assignment_when_another_member_comes_and_goes(groups, unique):
    groups.create_topic(unique, 2)
    names = [TopicPartition(unique, number) for number in (0, 1)]
    first = groups.join(unique, unique)
    first.poll_until(lambda: len(first.ends) == 2)
    first.consumer.pause(names)
    first.on_revoked = first.consumer.pause
    second = groups.join(unique, unique)
    both_poll(first, second, until=lambda: len(first.held) == 1 and len(second.held) == 1)
    (came_back,) = second.held
    (stayed,) = first.held
    second.consumer.close()
    first.poll_until(lambda: len(first.held) == 2)
    for name in names:
        groups.produce(unique, 5, partition=name.partition)
    first.poll_until(lambda: first.ends.get(came_back) == 5)
    assert first.offsets(came_back) == list(range(5))
    assert first.offsets(stayed) == []
    assert first.consumer.progress()[stayed].paused


def test_a_pause_inside_assigned_holds(groups, at):
    reader = groups.join(at.topic, at.topic)
    reader.on_assigned = reader.consumer.pause
    reader.poll_until(lambda: reader.held)
    for _ in range(5):
        assert reader.poll() == ([], [])
    reader.consumer.resume([at])
    reader.poll_until(lambda: reader.ends.get(at) == 10)
    assert reader.offsets(at) == list(range(10))


# Seek and positions


def test_seek_goes_back_and_forward_and_nothing_older_follows(groups, unique):
    groups.create_topic(unique, 1)
    groups.produce(unique, 20_000)
    at = TopicPartition(unique, 0)
    reader = groups.join(unique, unique)
    reader.poll_until(lambda: reader.slices[at])
    for target in (15_000, 3, 19_990):
        reader.slices.clear()
        reader.consumer.seek(at, target)
        reader.poll_until(lambda: reader.slices[at])
        assert reader.slices[at][0].start == target
        assert reader.offsets(at) == list(range(target, target + len(reader.offsets(at))))
    reader.poll_until(lambda: reader.ends.get(at) == 20_000)


def test_a_seek_right_after_an_assignment_counts_from_the_first_slice_on(groups, at):
    reader = groups.join(at.topic, at.topic)
    while not reader.held:
        reader.poll(0)
    reader.slices.clear()
    reader.ends.clear()
    reader.consumer.seek(at, 6)
    reader.poll_until(lambda: reader.ends.get(at) == 10)
    assert reader.offsets(at) == [6, 7, 8, 9]


def test_a_seek_leaves_a_pause_as_it_is(reader, at):
    reader.consumer.pause([at])
    reader.consumer.seek(at, 4)
    for _ in range(5):
        assert reader.poll() == ([], [])
    reader.slices.clear()
    reader.consumer.resume([at])
    reader.poll_until(lambda: reader.offsets(at) == [4, 5, 6, 7, 8, 9])


def test_a_seek_inside_assigned_counts_from_the_first_slice_on(groups, at):
    reader = groups.join(at.topic, at.topic)
    reader.on_assigned = lambda committed: [reader.consumer.seek(partition, 6) for partition in committed]
    reader.poll_until(lambda: reader.ends.get(at) == 10)
    assert reader.slices[at][0].start == 6
    assert reader.offsets(at) == [6, 7, 8, 9]


def test_a_seek_of_a_partition_that_is_not_assigned_is_ignored(reader, at):
    reader.consumer.seek(TopicPartition(at.topic, 7), 0)
    reader.consumer.seek(TopicPartition("not-ours", 0), 0)
    assert reader.poll(0.01) == ([], [])
    assert reader.consumer.progress().keys() == {at}


@of_groups
def test_progress_tells_position_end_pause_and_silence(groups, reader, at):
    seen = reader.consumer.progress()[at]
    assert (seen.next_offset, seen.end_offset, seen.at_end, seen.paused) == (10, 10, True, False)
    time.sleep(0.3)
    assert reader.consumer.progress()[at].silent_s >= 0.3
    reader.consumer.seek(at, 5)
    seen = reader.consumer.progress()[at]
    assert (seen.next_offset, seen.at_end) == (5, False)
    assert seen.silent_s < 0.3
    reader.poll_until(lambda: reader.consumer.progress()[at].at_end)
    reader.consumer.pause([at])
    groups.produce(at.topic, 5)
    reader.poll()
    assert reader.consumer.progress()[at].paused
    reader.consumer.resume([at])
    assert not reader.consumer.progress()[at].at_end
    reader.poll_until(lambda: reader.consumer.progress()[at].next_offset == 15)


def test_an_end_is_told_again_after_a_seek_to_it_and_after_a_rest(reader, at):
    reader.ends.clear()
    reader.consumer.seek(at, 10)
    reader.poll_until(lambda: reader.ends.get(at) == 10)
    reader.ends.clear()
    reader.consumer.pause([at])
    reader.poll()
    reader.consumer.resume([at])
    reader.poll_until(lambda: reader.ends.get(at) == 10)
    assert reader.consumer.progress()[at].at_end


# Commits


@of_groups
@pytest.mark.parametrize("waiting", [True, False])
def test_a_commit_keeps_offset_and_metadata_for_the_next_member(groups, reader, at, waiting):
    commit = CommittedOffset(7, '{"v":1,"ahead":{"dt=ü":9}}')
    answers = []
    if waiting:
        assert reader.consumer.commit_and_wait({at: commit}, timeout_s=10) == {}
    else:
        reader.consumer.commit({at: commit}, done=lambda *answer: answers.append(answer))
        assert answers == []
        reader.poll_until(lambda: answers)
        assert answers == [({at: commit}, {})]
    assert groups.committed(at.topic, at.topic) == {0: (7, commit.metadata)}
    reader.consumer.close()
    second = groups.join(at.topic, at.topic)
    second.poll_until(lambda: second.ends.get(at) == 10)
    assert second.held == {at: commit}
    assert second.offsets(at) == [7, 8, 9]
    assert second.slices[at][0].start == 7


def test_each_of_many_commits_is_answered_once_and_in_order(reader, at):
    answered = []
    for offset in (1, 2, 2, 3, 10):
        reader.consumer.commit({at: CommittedOffset(offset)}, done=lambda told, _: answered.append(told[at].offset))
    reader.poll_until(lambda: len(answered) == 5)
    for _ in range(3):
        reader.poll()
    assert answered == [1, 2, 2, 3, 10]


@of_groups
def test_an_answer_that_comes_late_is_told_once_when_it_comes(groups, reader, at):
    answers = []
    groups.silence()
    reader.consumer.commit({at: CommittedOffset(5)}, done=lambda *answer: answers.append(answer))
    for _ in range(5):
        reader.poll()
    assert answers == []
    groups.restore()
    reader.poll_until(lambda: answers)
    reader.poll()
    assert answers == [({at: CommittedOffset(5)}, {})]


@of_groups
def test_where_no_answer_comes_the_outcome_is_unknown_and_the_late_answer_is_nobody_elses(
    groups, reader, at, monkeypatch
):
    groups.answer_within(1.0, monkeypatch)
    first, second = [], []
    groups.silence()
    reader.consumer.commit({at: CommittedOffset(5)}, done=lambda _, refused: first.append(refused))
    reader.poll_until(lambda: first, timeout_s=5)
    assert first[0][at].failure is Failure.UNKNOWN_OUTCOME
    monkeypatch.undo()
    reader.consumer.commit({at: CommittedOffset(5)}, done=lambda _, refused: second.append(refused))
    groups.restore()
    reader.poll_until(lambda: second)
    for _ in range(3):
        reader.poll()
    assert (len(first), second) == (1, [{}])


@pytest.mark.parametrize("groups", ON_BROKERS, indirect=True)
def test_a_commit_that_the_brokers_can_not_take_is_rejected(reader, at):
    answers = []
    reader.consumer.commit({at: CommittedOffset(5, "x" * 5_000)}, done=lambda _, refused: answers.append(refused))
    reader.poll_until(lambda: answers)
    assert answers[0][at].failure is Failure.REJECTED
    assert isinstance(answers[0][at].error, TerminalError)


@of_groups
def test_waiting_for_many_commits_has_one_bound(groups, unique):
    groups.create_topic(unique, 12)
    reader = groups.join(unique, unique)
    reader.poll_until(lambda: len(reader.ends) == 12)
    offsets = {at: CommittedOffset(0, "x") for at in reader.held}
    groups.silence()
    began_s = time.monotonic()
    refused = reader.consumer.commit_and_wait(offsets, timeout_s=2)
    took_s = time.monotonic() - began_s
    assert {each.failure for each in refused.values()} == {Failure.UNKNOWN_OUTCOME}
    assert refused.keys() == offsets.keys()
    assert 1.5 < took_s < 3
    groups.restore()
    assert reader.consumer.commit_and_wait(offsets, timeout_s=20) == {}


@of_groups
def test_what_an_answer_to_a_commit_raises_comes_out_of_poll_and_records_stay(groups, reader, at):
    def fail(*_):
        raise TerminalError("the answer can't", hint="none")

    reader.consumer.commit({at: CommittedOffset(10)}, done=fail)
    groups.produce(at.topic, 10)
    with pytest.raises(TerminalError, match="the answer can't"):
        reader.poll_until(lambda: False)
    reader.poll_until(lambda: reader.ends.get(at) == 20)
    assert reader.offsets(at) == list(range(20))


# Coming and going


@of_groups
def test_a_second_member_takes_half_after_the_first_has_committed_in_its_callback(groups, unique):
    groups.create_topic(unique, 4)
    for partition in range(4):
        groups.produce(unique, 5, partition=partition)
    first = groups.join(unique, unique)
    first.poll_until(lambda: len(first.ends) == 4)

    def leave(leaving):
        first.consumer.commit(dict.fromkeys(leaving, CommittedOffset(4)), done=lambda *_: pytest.fail("it has ended"))
        first.consumer.pause(leaving)
        first.consumer.resume(leaving)
        for at in leaving:
            first.consumer.seek(at, 3)
        offsets = dict.fromkeys(leaving, CommittedOffset(5, "left"))
        assert first.consumer.commit_and_wait(offsets, timeout_s=10) == {}

    first.on_revoked = leave
    second = groups.join(unique, unique)
    both_poll(first, second, until=lambda: len(first.held) == 2 and len(second.held) == 2)
    assert set().union(*first.revocations) == set(second.held)
    assert set(second.held.values()) == {CommittedOffset(5, "left")}
    assert not first.losses


@of_groups
def test_joining_anew_revokes_what_is_held_and_reads_on_where_the_group_stands(groups, reader, at):
    reader.on_revoked = lambda leaving: reader.commit(dict.fromkeys(leaving, CommittedOffset(8)))
    reader.on_assigned = lambda _: reader.slices.clear()
    reader.consumer.rejoin()
    reader.poll_until(lambda: len(reader.assignments) == 2)
    assert reader.revocations == [{at}]
    assert reader.held == {at: CommittedOffset(8)}
    reader.poll_until(lambda: reader.offsets(at) == [8, 9])
    assert reader.slices[at][0].start == 8


@of_groups
def test_a_member_that_was_silent_past_its_session_loses_its_partitions_and_gets_them_back(groups, reader, at):
    groups.silence()
    time.sleep(SESSION_S + 1)
    groups.restore()
    answers = []
    reader.consumer.commit(
        {at: CommittedOffset(10)}, done=lambda _, refused: answers.append((refused, list(reader.losses)))
    )
    reader.poll_until(lambda: reader.losses and at in reader.held, patient=True, timeout_s=60)
    assert all(refused and not lost for refused, lost in answers), "refused while it was held, or not answered at all"
    groups.produce(at.topic, 5)
    reader.poll_until(lambda: reader.ends.get(at) == 15)


@of_groups
@pytest.mark.parametrize("callback", ["on_assigned", "on_revoked"])
def test_what_a_listener_raises_comes_out_of_poll(groups, at, callback):
    reader = groups.join(at.topic, at.topic)

    def fail(_):
        raise TerminalError("the listener can't", hint="none")

    setattr(reader, callback, fail)
    if callback == "on_revoked":
        reader.poll_until(lambda: reader.held)
        reader.consumer.rejoin()
    with pytest.raises(TerminalError, match="the listener can't"):
        reader.poll_until(lambda: False)


@of_groups
def test_a_broker_that_goes_is_told_and_its_return_is_enough(groups, reader, at):
    groups.cut()
    with pytest.raises(TransientError, match="broker"):
        reader.poll_until(lambda: False)
    began_s = time.monotonic()
    refused = reader.consumer.commit_and_wait({at: CommittedOffset(10)}, timeout_s=2)
    assert refused[at].failure is Failure.UNKNOWN_OUTCOME
    assert time.monotonic() - began_s < 3
    groups.restore()
    groups.produce(at.topic, 10)
    reader.poll_until(lambda: set(reader.offsets(at)) == set(range(20)), timeout_s=60, patient=True)
    assert reader.consumer.commit_and_wait({at: CommittedOffset(20)}, timeout_s=20) == {}


@of_groups
@pytest.mark.parametrize("fault", ["cut", "silence"])
def test_leaving_a_group_whose_broker_does_not_answer_is_bounded(groups, reader, fault):
    refused = []

    def commit(leaving):
        offsets = dict.fromkeys(leaving, CommittedOffset(10))
        refused.extend(reader.consumer.commit_and_wait(offsets, timeout_s=2).values())

    reader.on_revoked = commit
    getattr(groups, fault)()
    began_s = time.monotonic()
    reader.consumer.close()
    assert time.monotonic() - began_s < 22
    assert [each.failure for each in refused] == [Failure.UNKNOWN_OUTCOME]
    reader.consumer.close()
    assert len(reader.revocations) == 1
