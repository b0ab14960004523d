"""Each rule of the shell around the machine, broken once: a law must notice, or a clause of its unit tests."""

from collections.abc import Callable, Sequence

import pytest

from streamsink.consume.protocol import Failure
from streamsink.sink import committer
from streamsink.sink.arrivals import Arrivals
from streamsink.sink.bad_records import BadRecords
from streamsink.sink.committer import Committer
from streamsink.sink.core import events as on
from streamsink.sink.core.commit_state import CommitState
from streamsink.sink.intake import Intake
from streamsink.sink.seeks import Seeks
from streamsink.sink.stalls import Stalls
from streamsink.sink.task import SinkTask
from streamsink.sink.uploads import Uploads
from streamsink.testing.broken import LawBrokenError
from streamsink.testing.simulate import simulate
from tests.unit.sink import test_committer, test_task

Mutation = Callable[[pytest.MonkeyPatch], None]
Clause = Callable[[], None]
BY_LAW: dict[str, tuple[Mutation, set[str]]] = {}
BY_CLAUSE: dict[str, tuple[Mutation, Sequence[Clause]]] = {}


def law(*names: str) -> Callable[[Mutation], Mutation]:
    """Register a way to break the shell, and the laws of which at least one must notice."""

    def register(mutate: Mutation) -> Mutation:
        BY_LAW[mutate.__name__] = (mutate, set(names))
        return mutate

    return register


def clause(*tests: Clause) -> Callable[[Mutation], Mutation]:
    """Register a way to break the shell, and the tests of which each must fail."""

    def register(mutate: Mutation) -> Mutation:
        BY_CLAUSE[mutate.__name__] = (mutate, tests)
        return mutate

    return register


@law("stalls_come_from_outside")
def resume_left_out_on_assignment(patch):
    original = Arrivals.admit

    def admit(self, consumer, tell):
        patch.setattr(consumer.__class__, "resume", lambda *_: None)
        try:
            original(self, consumer, tell)
        finally:
            patch.undo()
            resume_left_out_on_assignment(patch)

    patch.setattr(Arrivals, "admit", admit)


@law("drains_in_time")
def drain_unbounded(patch):
    def drain(self, leaving):
        with self._committer.waiting(leaving, float("inf")):
            self._drain_told()
            self._tell(on.Revoked(leaving, float("inf")))
            while self._ended is None and any(partition in self.machine.partitions for partition in leaving):
                self._take_outcomes(self._uploads.outcomes(wait_s=0.1))
                self._tick()

    patch.setattr(SinkTask, "_drain", drain)


@law("drains_in_time")
def a_waiting_commit_takes_its_own_time(patch):
    patch.setattr(Committer, "_left_s", lambda self: 3600.0)
    patch.setattr(committer, "COMMIT_TIMEOUT_S", 60.0)


@clause(test_committer.test_a_commit_that_falls_due_while_another_partition_leaves_is_sent_afterwards)
def commits_of_partitions_that_stay_are_dropped_with_those_that_leave(patch):
    def is_ready(self, commit):
        self._ready[commit.topic_partition] = commit

    patch.setattr(Committer, "_is_ready", is_ready)


@law("settles_when_faults_stop", "every_record_stored_once", "never_commits_past_unstored")
def a_slice_is_thrown_away(patch):
    original = Intake._take
    patch.setattr(Intake, "_take", lambda self, raw: None if raw.start % 5 == 3 else original(self, raw))


@law("settles_when_faults_stop", "every_record_stored_once", "never_commits_past_unstored")
def an_undecoded_slice_is_not_read_again(patch):
    patch.setattr(Intake, "_set_back", lambda self, part, outage, error: outage.met(error) or outage)


@law("dead_letters_safe_before_commit")
def commits_do_not_wait_for_dead_letters(patch):
    patch.setattr(BadRecords, "flush", lambda self, timeout_s: None)


@law("settles_when_faults_stop")
def an_outcome_is_lost(patch):
    original = Uploads.outcomes
    patch.setattr(Uploads, "outcomes", lambda self, **waits: original(self, **waits)[1:])


@law("never_commits_past_unstored", "every_record_stored_once")
def a_failed_upload_is_taken_for_a_stored_one(patch):
    original = SinkTask._tell

    def drain(self):
        self._told = type(self._told)(
            on.Uploaded(event.file_id) if isinstance(event, on.UploadFailed) else event for event in self._told
        )
        self._committer._tell = self._told.append
        original_drain(self)

    original_drain = SinkTask._drain_told
    patch.setattr(SinkTask, "_drain_told", drain)
    patch.setattr(SinkTask, "_tell", original)


@law("settles_when_faults_stop", "stalls_come_from_outside", "every_record_stored_once", "never_commits_past_unstored")
def a_seek_is_not_carried_out(patch):
    patch.setattr(Seeks, "seek", lambda self, partition, offset: None)


@law("stalls_are_said")
def stalls_are_never_looked_for(patch):
    patch.setattr(Stalls, "look", lambda self, resting, seek: None)


@law("settles_when_faults_stop")
def a_refused_commit_is_not_told(patch):
    original = Committer._told

    def told(self, offsets, refused):
        original(self, {name: at for name, at in offsets.items() if name not in refused}, {})

    patch.setattr(Committer, "_told", told)


@law("settles_when_faults_stop")
def a_commit_waits_for_its_manifest_for_ever(patch):
    original = Committer.manifest_written
    patch.setattr(
        Committer, "manifest_written", lambda self, written: None if written.error else original(self, written)
    )


@law("silent_after_revoke")
def a_loss_is_not_heard_of(patch):
    patch.setattr(SinkTask, "lost", lambda self, partitions: None)


@law("silent_after_revoke")
def a_revoke_returns_before_its_drain_has_ended(patch):
    patch.setattr(SinkTask, "_drain", lambda self, leaving: self._tell(on.Revoked(leaving, float("inf"))))


@clause(test_committer.test_a_denied_commit_ends_the_task_with_the_reason)
def fenced_for_denied(patch):
    original = committer.what_follows
    patch.setattr(
        committer,
        "what_follows",
        lambda failure: on.Refusal.FENCED if failure is Failure.DENIED else original(failure),
    )


@clause(test_committer.test_the_answer_to_an_old_commit_is_not_taken_for_the_new_one)
def an_answer_for_an_old_commit_taken_for_the_new_one(patch):
    original = CommitState.taken
    patch.setattr(CommitState, "taken", lambda self, commit: original(self, self.committing))


@clause(test_committer.test_a_fenced_member_lets_go_of_the_partition_and_joins_the_group_anew)
def a_fenced_member_stays_in_the_group(patch):
    original = SinkTask._carry_out
    patch.setattr(
        SinkTask, "_carry_out", lambda self, order: None if "Rejoin" in repr(order) else original(self, order)
    )


@clause(test_task.test_records_of_a_partition_that_the_machine_has_let_go_of_are_not_dropped_in_silence)
def slices_that_nobody_holds_are_dropped(patch):
    patch.setattr(Intake, "_unheld", lambda self, partition: None)


@clause(
    test_committer.test_dead_letters_that_are_away_while_a_partition_leaves_cost_no_assertion_and_the_partition_comes_back
)
def dead_letters_that_are_away_raise_out_of_a_revoke(patch):
    patch.setattr(
        Committer, "_dead_letters_are_safe", lambda self, offsets, timeout_s: self._bad_records.flush(timeout_s) or True
    )


@clause(test_task.test_a_seek_that_fails_is_made_before_the_next_poll)
def a_failed_seek_is_forgotten(patch):
    patch.setattr(Seeks, "again", lambda self: None)


@pytest.mark.parametrize("name", sorted(BY_LAW))
def test_a_law_notices_when_the_shell_is_broken(name, monkeypatch):
    mutate, laws = BY_LAW[name]
    mutate(monkeypatch)
    for seed in range(150):
        try:
            simulate(seed, 250, sorted(laws))
        except LawBrokenError as broken:
            assert str(broken).split(":")[0] in laws
            return
        except AssertionError:
            return
    pytest.fail(f"{name}: no law noticed in 150 histories")


@pytest.mark.parametrize("name", sorted(BY_CLAUSE))
def test_a_clause_notices_when_the_shell_is_broken(name, monkeypatch):
    mutate, tests = BY_CLAUSE[name]
    mutate(monkeypatch)
    for test in tests:
        with pytest.raises((Exception, pytest.fail.Exception)):
            test()
