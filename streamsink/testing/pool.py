"""Uploads whose order and fate the world decides: an executor without threads. Checks who uploads what."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from streamsink.encode.protocol import EncodedFile
from streamsink.errors import TransientError
from streamsink.record import TopicPartition
from streamsink.sink.look import Look
from streamsink.sink.uploads import Outcome, Uploads
from streamsink.testing.broker import SimBroker
from streamsink.testing.clock import SimClock
from streamsink.testing.store import SimStore, StoreFault
from streamsink.upload.description import ObjectDescription

Job = Callable[[], object]


class SimPool(Executor):
    """Jobs wait until they are run, in any order. Those of a process that has died may run later all the same."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Take a job.

        Args:
            fn: The job.
            *args: Its arguments.
            **kwargs: Its named arguments.

        Returns:
            A future that never ends, since uploads report by themselves.
        """
        self.jobs.append(lambda: fn(*args, **kwargs))
        return Future()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - Executor's own
        """Drop the jobs that have not run, where that is asked for.

        Args:
            wait: Has no meaning without threads.
            cancel_futures: Whether to drop them. Otherwise they may run later, as jobs of a dead process do.
        """
        del wait
        if cancel_futures:
            self.jobs.clear()

    def run(self, index: int, store: SimStore, fault: StoreFault) -> None:
        """Let one job come to its end.

        Args:
            index: Its place among the waiting jobs.
            store: The store, which fails during this job only.
            fault: How it fails.
        """
        job = self.jobs.pop(index)
        store.fault = fault
        try:
            job()
        finally:
            store.fault = StoreFault.NONE


class SimUploads(Uploads):
    """The real uploads on that pool.

    Args:
        store: Where objects go.
        pool: Where they wait.
        clock: Tells the time.
        generation: Says in which generation a partition is this member's, None where it is not.
        broker: Knows whose partitions are; None where no record ever vanishes.
        member: Whose uploads these are.
        look: Finds what is stored already.
    """

    def __init__(
        self,
        store: SimStore,
        pool: SimPool,
        clock: SimClock,
        generation: Callable[[TopicPartition], int | None],
        *,
        broker: SimBroker | None = None,
        member: int = 0,
        look: Look | None = None,
    ) -> None:
        super().__init__(store, pool, keeps_footer=True, clock=clock, look=look)
        self._generation = generation
        self._generations: dict[int, int] = {}
        self._broker = broker
        self._member = member
        self.broken: list[str] = []

    def upload(self, file_id: int, description: ObjectDescription, encoded: EncodedFile) -> None:
        """Take an upload as `Uploads.upload` does, and note in which generation it began.

        Args:
            file_id: The file's number.
            description: Names the object's topic partition.
            encoded: The object's bytes.
        """
        partition = TopicPartition(description.topic, description.partition)
        generation = self._generation(partition)
        if generation is None:
            self.broken.append(f"upload for {partition}, which was let go of")
        self._generations[file_id] = -1 if generation is None else generation
        super().upload(file_id, description, encoded)

    def _upload(self, file_id: int, description: ObjectDescription, encoded: EncodedFile) -> Outcome:
        """An upload that comes late is not taken where its first record has vanished, and keeps it where it has not."""
        partition, first = TopicPartition(description.topic, description.partition), description.first_offset
        broker, generation = self._broker, self._generations[file_id]
        if broker is None or not broker.others_since(partition, self._member, generation):
            return super()._upload(file_id, description, encoded)
        state = broker.partitions[partition]
        if first in state.superseded:
            raise TransientError("came too late", hint="wait")
        state.pinned.add(first)
        return super()._upload(file_id, description, encoded)
