"""A group member that comes, archives, and goes in good order, again and again: `python -m tests.storm.coming_member`.

Takes a connector's configuration, the brokers and a number of visits as JSON on its command line, and prints a line a
visit with what it held.
"""

import json
import sys
import threading
import time

from streamsink.config.reading.connector import parse_sink
from streamsink.sink.build import run_sink_task

JOIN_S = 30.0
STAY_S = 0.7


def visit(connector: dict[str, str], bootstrap: str) -> int:
    """Join the group, stay for a moment once there is something to archive, leave; gives the partitions it had."""
    config, _ = parse_sink(connector, {"bootstrap.servers": bootstrap})
    stop, archives = threading.Event(), threading.Event()
    held: set[object] = set()

    def report(snapshot) -> None:
        held.update(snapshot.partitions)
        if snapshot.records_total:
            archives.set()

    def leave() -> None:
        archives.wait(JOIN_S)
        time.sleep(STAY_S)
        stop.set()

    leaving = threading.Thread(target=leave, daemon=True)
    leaving.start()
    run_sink_task(config, task_id=0, stop=stop, report=report)
    leaving.join(JOIN_S)
    return len(held)


if __name__ == "__main__":
    told = json.loads(sys.argv[1])
    for _ in range(told["visits"]):
        print(visit(told["connector"], told["bootstrap"]), flush=True)
