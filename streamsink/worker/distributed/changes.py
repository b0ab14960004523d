"""Changes of connectors, one at a time over all workers: under a lock of the connector's name, in the config topic."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from streamsink.config.secrets import unmask
from streamsink.errors import NameTakenError, NotFoundError, RebalanceError
from streamsink.worker.distributed.bulletin import Bulletin
from streamsink.worker.distributed.config_topic import definition_of
from streamsink.worker.distributed.log import DELIVERY_S
from streamsink.worker.distributed.records import connector_record, target_record
from streamsink.worker.distributed.slots import LOCK_S, lock_record
from streamsink.worker.folder import Definition
from streamsink.worker.herder import ORDER_S
from streamsink.worker.lifecycle import Planner
from streamsink.worker.status import TargetState

WAIT_S = ORDER_S / 3
_LOOK_S = 0.01


class ConnectorChanges:
    """Every method may be called from any thread of any worker, and blocks until its change has been read back.

    The lock is a record of the slots topic: the first of a name that has not been given back holds, and its
    holder has read all that the config topic had by then. So two creates of one name are told apart, and no patch is
    lost.
    """

    def __init__(self, bulletin: Bulletin, plan: Planner, worker_id: str) -> None:
        self._bulletin = bulletin
        self._plan = plan
        self._worker_id = worker_id

    def create(self, connector: str, config: Mapping[str, str], state: TargetState) -> None:
        """Make a connector, unless there is one of that name.

        Args:
            connector: The connector's name.
            config: Its flat map, secrets as references.
            state: The state that it is meant to be in.

        Raises:
            NameTakenError: There is one.
            ConfigError: The configuration can't be used.
            RebalanceError: Others are changing the connector, or Kafka is too slow to do it safely.
            RequestTimeoutError: A record was not written within the bound.
        """
        self._check(connector, config)
        with self._changing(connector) as write:
            if connector in self._bulletin.configs.definitions:
                raise NameTakenError(f"Connector {connector} already exists")
            if state is not self._bulletin.configs.target(connector):
                write(*target_record(connector, state))
            write(*connector_record(connector, {**config, "name": connector}))

    def put(self, connector: str, config: Mapping[str, str]) -> bool:
        """Replace a connector's configuration, or make the connector.

        Args:
            connector: The connector's name.
            config: Its flat map. A value that reads `[hidden]` keeps the stored one.

        Returns:
            True where the connector was made.

        Raises:
            ConfigError: The configuration can't be used.
            RebalanceError: Others are changing the connector, or Kafka is too slow to do it safely.
            RequestTimeoutError: A record was not written within the bound.
        """
        with self._changing(connector) as write:
            before = self._bulletin.configs.definitions.get(connector)
            wanted = unmask(config, _stored(before))
            self._check(connector, wanted)
            if before is None and self._bulletin.configs.target(connector) is not TargetState.RUNNING:
                write(*target_record(connector, None))
            write(*connector_record(connector, {**wanted, "name": connector}))
        return before is None

    def patch(self, connector: str, patch: Mapping[str, str | None]) -> None:
        """Change some keys of a connector's configuration.

        Args:
            connector: The connector's name.
            patch: New values by key. None removes the key.

        Raises:
            NotFoundError: There is no such connector.
            ConfigError: The configuration can't be used.
            RebalanceError: Others are changing the connector, or Kafka is too slow to do it safely.
            RequestTimeoutError: A record was not written within the bound.
        """
        with self._changing(connector) as write:
            stored = _stored(self._known(connector))
            merged = stored | unmask({key: value for key, value in patch.items() if value is not None}, stored)
            wanted = {key: merged[key] for key in merged if patch.get(key, "") is not None}
            self._check(connector, wanted)
            write(*connector_record(connector, {**wanted, "name": connector}))

    def delete(self, connector: str) -> None:
        """Forget it, and what it is meant to be."""
        with self._changing(connector) as write:
            self._known(connector)
            write(*connector_record(connector, None))
            write(*target_record(connector, None))

    def set_target(self, connector: str, state: TargetState) -> None:
        """Keep the state that a connector is meant to be in.

        Args:
            connector: The connector's name.
            state: RUNNING, PAUSED or STOPPED.

        Raises:
            NotFoundError: There is no such connector.
            RebalanceError: Others are changing the connector, or Kafka is too slow to do it safely.
            RequestTimeoutError: A record was not written within the bound.
        """
        with self._changing(connector) as write:
            self._known(connector)
            if state is not self._bulletin.configs.target(connector):
                write(*target_record(connector, state))

    def _check(self, connector: str, config: Mapping[str, str]) -> None:
        """Nothing is kept of a configuration that can't be used."""
        self._plan(definition_of(connector, config))

    def _known(self, connector: str) -> Definition:
        found = self._bulletin.configs.definitions.get(connector)
        if found is None:
            raise NotFoundError(f"Connector {connector} not found")
        return found

    @contextmanager
    def _changing(self, connector: str) -> Iterator[Callable[[str, bytes | None], None]]:
        """Hold the lock; what is handed out writes to the config topic, as long as the lock surely holds."""
        bulletin, nonce = self._bulletin, uuid.uuid4().hex
        log = bulletin.slots_log
        log.put(*lock_record(connector, nonce, self._worker_id))
        try:
            held_at = self._wait_for_turn(connector, nonce)
            for given_up in bulletin.slots.before(connector, nonce):
                log.post(*lock_record(connector, given_up, None))
            bulletin.config_log.read_to_end()

            def write(key: str, value: bytes | None) -> None:
                if time.monotonic() - held_at > LOCK_S - DELIVERY_S:
                    raise RebalanceError("Kafka is too slow to change a connector safely", hint="try again")
                bulletin.config_log.put(key, value)

            yield write
        finally:
            log.post(*lock_record(connector, nonce, None))

    def _wait_for_turn(self, connector: str, nonce: str) -> float:
        deadline = time.monotonic() + WAIT_S
        while (now := time.monotonic()) < deadline:
            held = self._bulletin.slots.holds(connector, nonce, now)
            if held:
                return now
            if held is None:
                break
            time.sleep(_LOOK_S)
        raise RebalanceError(f"Connector {connector} is being changed by others", hint="try again")


def _stored(definition: Definition | None) -> dict[str, str]:
    return dict(definition.config or {}) if definition else {}
