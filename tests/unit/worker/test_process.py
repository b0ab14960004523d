"""The fork server has its imports done before the first task needs a process."""

from __future__ import annotations

import os
import subprocess
import sys

CHILDREN = """
import pathlib
from streamsink.worker.fork_server import warm_up
def children():
    tasks = pathlib.Path("/proc/self/task").iterdir()
    return {pid for task in tasks for pid in (task / "children").read_text().split()}
if __name__ == "__main__":
    before = children()
    warm_up()
    first = children() - before
    warm_up()
    print(len(first), len(children() - before - first))
"""


def test_a_worker_begins_the_imports_of_its_tasks_once_before_there_is_a_task(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(CHILDREN)
    run = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=60, check=True)
    started, again = map(int, run.stdout.split())
    assert started >= 1
    assert again == 0


PRELOADED = """
import gc, pathlib
import streamsink.sink.build
def threads():
    return len(list(pathlib.Path("/proc/self/task").iterdir()))
before = threads()
import streamsink.worker.preloaded
print(threads() - before, gc.get_freeze_count(), len(gc.get_objects()))
"""


def test_what_the_fork_server_prepares_leaves_no_thread_and_is_out_of_the_collectors_sight():
    argv = [sys.executable, "-c", PRELOADED]
    run = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    threads, frozen, looked_at = map(int, run.stdout.split())
    assert threads == 0
    assert frozen > 10_000
    assert looked_at < 1_000
    assert run.stderr == ""


CHILD_OF_A_SCRIPT = """
print("script", flush=True)
from streamsink.worker.fork_server import context, leave_out_script
if __name__ == "__main__":
    leave_out_script()
    mine, theirs = context().Pipe()
    process = context().Process(target=exec, args=("print(ASKED.names, flush=True)", {"pipe": theirs}))
    process.start()
    process.join()
"""

ASKED_BEHIND_THE_FORK = """
import builtins, os, sys
class Asked:
    def __init__(self):
        self.process, self.names = os.getpid(), []
    def find_spec(self, name, *_):
        if os.getpid() != self.process:
            self.names.append(name)
builtins.ASKED = Asked()
sys.meta_path.insert(0, builtins.ASKED)
"""
"""What is asked for in the fork server or the program isn't counted."""


def test_a_tasks_process_imports_nothing_of_its_own_and_runs_no_script(tmp_path):
    (tmp_path / "program.py").write_text(CHILD_OF_A_SCRIPT)
    (tmp_path / "sitecustomize.py").write_text(ASKED_BEHIND_THE_FORK)
    argv = [sys.executable, str(tmp_path / "program.py")]
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}
    run = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True, env=environ)
    assert run.stdout.splitlines() == ["script", "[]"]
