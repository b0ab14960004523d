"""What an operator has to do with: retention that overtakes a sink, and a topic made anew. Comes after the storm."""

from typing import TYPE_CHECKING

import numpy as np

from tests.servers.worker import wait_until
from tests.storm.harness.oracle import compare
from tests.storm.harness.plan import Grouping
from tests.storm.harness.producer import Source
from tests.storm.harness.workers import failed_tasks

if TYPE_CHECKING:
    from tests.storm.harness.storm import Storm

MORE = 6000
LEFT = 300


def retention_overtakes(storm: "Storm") -> None:
    """Records go before a paused sink has read them: it says how many, and goes on from where it is told to."""
    sink = storm.sinks[0]
    place = sink.places[0]
    _each(storm, "pause")
    _produce(storm, MORE)
    at = storm.broker.committed(sink.group, [place])[place]
    end = storm.broker.ends([place])[place]
    low = end - LEFT
    storm.witness.caught_up({place: end})
    storm.broker.delete_records(place, low)
    _each(storm, "resume")
    _wait_failed(storm, f"retention has removed {low - at} records")
    _each(storm, "stop")
    body = {
        "offsets": [
            {"partition": {"kafka_topic": place[0], "kafka_partition": place[1]}, "offset": {"kafka_offset": low}}
        ]
    }
    first = storm.workers[0]
    wait_until(
        "the offset is set",
        lambda: first.ask("PATCH", f"/connectors/{sink.name}/offsets", body, timeout_s=60)[0] == 200,
        timeout_s=120,
        worker=first.server,
    )
    _each(storm, "resume")
    if not storm.settle([sink]):
        return
    truths = storm.witness.truths()
    seen = truths[place].required
    gone = (seen >= at) & (seen < low)
    truths = storm.witness.truths({place: seen[~gone]})
    compared = {each: truths[each] for each in sink.places}
    stored = storm.stored([sink])
    assert not np.isin(seen[gone], stored[place].column("offset").to_numpy()).any()
    storm.report.verdicts.append(compare("after retention overtook", compared, stored))


def topic_is_made_anew(storm: "Storm") -> None:
    """The sink stops at once, and stores the new topic where it is told to."""
    sink = storm.sinks[0]
    before = storm.stored([sink])
    _each(storm, "pause")
    storm.broker.delete_topic(sink.name)
    storm.broker.create_topic(sink.name, sink.partitions, dict(sink.topic))
    _produce(storm, MORE)
    _each(storm, "resume")
    _wait_failed(storm, "was made anew")
    assert {place: table.num_rows for place, table in storm.stored([sink]).items()} == {
        place: table.num_rows for place, table in before.items()
    }
    for number, worker in enumerate(storm.workers):
        config = {**storm.config(sink, number), "topics.dir": "second"}
        if storm.plan.grouping is Grouping.STANDALONE:
            worker.server.connector(sink.name, config)
        elif number == 0:
            status, told = worker.ask("PUT", f"/connectors/{sink.name}/config", config, timeout_s=90)
            assert status == 200, told
    witness = storm.watch([sink])
    try:
        if storm.settle([sink]):
            storm.judge("after a topic was made anew", [sink], witness, "second")
    finally:
        witness.stop()


def _each(storm: "Storm", what: str) -> None:
    """Pause, resume or stop the sink, wherever it has tasks, and wait until it is so."""
    sink = storm.sinks[0]
    workers = storm.workers if storm.plan.grouping is Grouping.STANDALONE else storm.workers[:1]
    for worker in workers:
        wait_until(
            f"the worker takes the {what}",
            lambda worker=worker: worker.ask("PUT", f"/connectors/{sink.name}/{what}")[0] in {202, 204},
            worker=worker.server,
        )
    if what == "resume":
        return

    def idle() -> bool:
        found = [task for worker in workers for task in worker.tasks() if task["sink"] == sink.name]
        return all(task["state"] in {"PAUSED", "STOPPED"} for task in found)

    wait_until(f"tasks end after {what}", idle, worker=workers[0].server)


def _produce(storm: "Storm", count: int) -> None:
    source = Source(storm.broker.direct, storm.sinks[0], records_a_second=1, seed=storm.plan.seed)
    source.turn(count)
    source.finish()


def _wait_failed(storm: "Storm", words: str) -> None:
    wait_until(
        f"a task fails: {words}",
        lambda: any(words in task["trace"] for _, task in failed_tasks(storm.workers)),
        timeout_s=90,
        worker=storm.workers[0].server,
    )
