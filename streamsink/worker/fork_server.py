"""Has the heavy imports done in a process that task processes are forked from. Imports nothing heavy."""

from __future__ import annotations

import multiprocessing
import multiprocessing.forkserver
import sys
import threading
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext

# Imported once by the fork server, so that a child costs a few megabytes more; the program's own script is one
# of them, and so is what a child of multiprocessing imports: nothing is left to import behind the fork, since the
# machinery of imports alone makes half a megabyte of pages a child's own. Store libraries that must not see a fork
# (libuplink) are loaded in the child and stay out of here.
PRELOAD = (
    *("__main__", "multiprocessing.popen_forkserver"),
    *("pyarrow", "pyarrow.compute", "pyarrow.json", "pyarrow.parquet", "confluent_kafka"),
    *("streamsink.sink.build", "streamsink.worker.child", "streamsink.worker.preloaded"),
)

# Starting a process makes multiprocessing poll every other child; two threads that poll one child take each other's
# exit status.
PROCESSES = threading.Lock()


def context() -> ForkServerContext | SpawnContext:
    """Choose how processes are made: forked from a server with the heavy imports done, or spawned without one."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    forkserver = multiprocessing.get_context("forkserver")
    forkserver.set_forkserver_preload(list(PRELOAD))
    return forkserver


def leave_out_script() -> None:
    """Have no child load this program's script, which does nothing there; for programs of ours alone.

    Each would compile and run it behind the fork, for 1.3 MB of pages of its own. A package's `__main__` is skipped.
    """
    sys.modules["__main__"].__spec__ = find_spec("streamsink.__main__")


def warm_up() -> None:
    """Begin the heavy imports now, so that the first task need not wait for them; returns at once."""
    if context().get_start_method() == "forkserver":
        with PROCESSES:
            multiprocessing.forkserver.ensure_running()
