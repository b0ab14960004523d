"""Runs calls ahead of their use on a few threads; gives results in order, bounded in bytes. Decides nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def read_ahead(
    call: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    threads: int,
    size_bytes: Callable[[Item], int] = lambda _item: 0,
    bytes_max: int = 0,
    ended: Event | None = None,
) -> Generator[Result, None, None]:
    """Results in the order of their items, twice as many calls begun as there are threads at most.

    Args:
        call: What to do with an item; called in a thread.
        items: Taken as they are needed.
        threads: How many calls run at once.
        size_bytes: The memory that an item's call holds until its result is taken.
        bytes_max: No call begins while those begun hold more than this together; one always runs. 0 is no bound.
        ended: Set once no more results are wanted: those calls that run are waited for, and long ones may look at it.

    Raises:
        Exception: A call's error, when its turn comes.
    """
    held = 0
    with ThreadPoolExecutor(threads, thread_name_prefix="ahead") as pool:
        begun: deque[tuple[Future[Result], int]] = deque()
        try:
            for item in items:
                size = size_bytes(item)
                while begun and (len(begun) >= 2 * threads or (bytes_max and held + size > bytes_max)):
                    future, freed = begun.popleft()
                    held -= freed
                    yield future.result()
                begun.append((pool.submit(call, item), size))
                held += size
            while begun:
                yield begun.popleft()[0].result()
        finally:
            if ended is not None:
                ended.set()
            for future, _ in begun:
                future.cancel()
