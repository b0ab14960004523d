"""Moves consumer groups to the same records in the target topic. Joins no group, and moves none that has members.

A group's place in a source partition is its committed offset: its next record is the first one replayed from there on.
Where that record went is told by its own delivery report, and kept with the replay's position, so that a replay that
was killed still knows it. A place behind the last record becomes the target partition's end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from confluent_kafka import Consumer, ConsumerGroupState, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from streamsink.consume.clients import make_client
from streamsink.errors import ConfigError, Problem, TerminalError
from streamsink.replay.job import GroupMove
from streamsink.replay.target import ASK_TIMEOUT_S, Rule, explain

_EMPTY = frozenset({ConsumerGroupState.EMPTY, ConsumerGroupState.DEAD})


def check_rule(rule: Rule, groups: Iterable[str]) -> None:
    """Refuse to move groups unless each source partition goes to one target partition.

    Args:
        rule: Where partitions go.
        groups: The groups to move; empty names don't count.

    Raises:
        ConfigError: It doesn't.
    """
    if any(groups) and rule is not Rule.KEEP:
        raise ConfigError(
            [Problem("--groups", f"with --partitions {rule} a group's offset is no offset of one partition")],
            hint="groups can be moved with --partitions keep",
        )


def read_groups(properties: Mapping[str, Any], groups: Iterable[str], topic: str, partitions: int) -> list[GroupMove]:
    """Ask where groups stand in the source topic.

    Args:
        properties: How to reach the brokers, in librdkafka's words.
        groups: The groups' names.
        topic: The source topic.
        partitions: Partitions of the source topic.

    Returns:
        One move for each group and partition with a committed offset. The target offsets are not known yet.

    Raises:
        TerminalError: A group has live members, or has committed nothing in this topic.
        TransientError: The brokers can't be asked now.
    """
    moves: list[GroupMove] = []
    for group in groups:
        _refuse_live(properties, group)
        client = _client(properties, group)
        asked = [TopicPartition(topic, partition) for partition in range(partitions)]
        try:
            found = client.committed(asked, timeout=ASK_TIMEOUT_S)
        except KafkaException as error:
            raise explain(error, f"the offsets of group {group} can't be read") from error
        finally:
            client.close()
        own = [GroupMove(group, at.partition, at.offset) for at in found if at.offset >= 0]
        if not own:
            raise TerminalError(
                f"group {group} has committed no offset of topic {topic}",
                hint="streamsink replay --groups takes groups that read the archived topic on the same brokers",
            )
        moves += own
    return moves


class Anchors:
    """The records at which groups stand, and the target offsets they get.

    Args:
        moves: Where groups stand.
        kept: What an earlier run has found out: source and target offset by group and partition.
        positions: The next source offset of each partition begun before.

    Raises:
        TerminalError: A group's record was sent before anybody asked where it goes.
    """

    def __init__(
        self,
        moves: Iterable[GroupMove],
        kept: Mapping[tuple[str, int], tuple[int, int]],
        positions: Mapping[int, int],
    ) -> None:
        self._moves: dict[tuple[str, int], GroupMove] = {}
        self._waiting: dict[int, list[GroupMove]] = {}
        for move in moves:
            source, target = kept.get((move.group, move.partition), (None, None))
            passed = positions.get(move.partition, 0) > move.source_offset
            if source == move.source_offset:
                self._moves[move.group, move.partition] = replace(move, target_offset=target)
            elif passed:
                raise TerminalError(
                    f"group {move.group} stands at {move.source_offset} of partition {move.partition}, which was "
                    "replayed before",
                    hint="groups are given from the first run on, and don't read meanwhile",
                )
            else:
                self._moves[move.group, move.partition] = move
                self._waiting.setdefault(move.partition, []).append(move)

    def take(self, partition: int, offsets: npt.NDArray[np.int64]) -> list[tuple[int, Callable[[int], None]]]:
        """Take the groups' places that lie in a batch. Each place is taken once.

        Args:
            partition: The source partition.
            offsets: Source offsets of the records about to be sent, ascending.

        Returns:
            Indexes into the batch, ascending. With each comes the function that is told the record's target offset.
        """
        waiting = self._waiting.get(partition)
        if not waiting or not len(offsets):
            return []
        found: dict[int, list[GroupMove]] = {}
        for move in [move for move in waiting if move.source_offset <= offsets[-1]]:
            found.setdefault(int(np.searchsorted(offsets, move.source_offset)), []).append(move)
            waiting.remove(move)
        return [(index, self._teller(moves)) for index, moves in sorted(found.items())]

    def kept(self, partition: int) -> dict[tuple[str, int], tuple[int, int]]:
        """Give the moves that are known of a partition, for its position's metadata."""
        return {
            key: (move.source_offset, move.target_offset)
            for key, move in self._moves.items()
            if move.partition == partition and move.target_offset is not None
        }

    def moves(self) -> list[GroupMove]:
        """All, with target offsets where they are known."""
        return list(self._moves.values())

    def _teller(self, moves: list[GroupMove]) -> Callable[[int], None]:
        def tell(target_offset: int) -> None:
            for move in moves:
                self._moves[move.group, move.partition] = replace(move, target_offset=target_offset)

        return tell


def move_groups(properties: Mapping[str, Any], topic: str, moves: Iterable[GroupMove]) -> list[GroupMove]:
    """Commit the groups' offsets in the target topic.

    Where a group's record is not known, the group is moved to the end of the target partition.

    Args:
        properties: How to reach the brokers, in librdkafka's words.
        topic: The target topic.
        moves: Where groups stand, with the target offsets found.

    Returns:
        The moves with the offsets that were committed.

    Raises:
        TerminalError: A group has live members now.
        TransientError: The brokers can't do it now.
    """
    by_group: dict[str, list[GroupMove]] = {}
    for move in moves:
        by_group.setdefault(move.group, []).append(move)
    done: list[GroupMove] = []
    for group, own in by_group.items():
        _refuse_live(properties, group)
        client = _client(properties, group)
        try:
            settled = [_settled(client, topic, move) for move in own]
            settled = _not_behind(client, topic, settled)
            offsets = [TopicPartition(topic, move.partition, move.target_offset or 0) for move in settled]
            client.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            raise explain(error, f"group {group} can't be moved") from error
        finally:
            client.close()
        done += settled
    return done


def _settled(client: Consumer, topic: str, move: GroupMove) -> GroupMove:
    if move.target_offset is not None:
        return move
    _, end = client.get_watermark_offsets(TopicPartition(topic, move.partition), timeout=ASK_TIMEOUT_S)
    return replace(move, target_offset=end)


def _not_behind(client: Consumer, topic: str, moves: list[GroupMove]) -> list[GroupMove]:
    """A group that has gone on in the target since a finished replay moved it is left where it is."""
    asked = [TopicPartition(topic, move.partition) for move in moves]
    reached = {at.partition: at.offset for at in client.committed(asked, timeout=ASK_TIMEOUT_S)}
    return [replace(move, target_offset=max(reached[move.partition], move.target_offset or 0)) for move in moves]


def _refuse_live(properties: Mapping[str, Any], group: str) -> None:
    admin = make_client(AdminClient, {**properties, "log_level": 2})
    try:
        found = admin.describe_consumer_groups([group], request_timeout=ASK_TIMEOUT_S)[group].result(ASK_TIMEOUT_S)
    except KafkaException as error:
        raise explain(error, f"group {group} can't be asked for") from error
    if found.state not in _EMPTY:
        raise TerminalError(
            f"group {group} has {len(found.members)} live members: its offsets are theirs to commit",
            hint="stop its consumers first",
        )


def _client(properties: Mapping[str, Any], group: str) -> Consumer:
    settings = {**properties, "group.id": group, "enable.auto.commit": False, "log_level": 2}
    return make_client(Consumer, settings)
