"""`ArchiveSink` in an app: what it archives, and what it refuses."""

import asyncio
import contextlib
import gc
import json
import os
import signal
import subprocess
from pathlib import Path

import faust
import pytest
from faust.serializers import codecs
from faust.types import TP, ConsumerMessage

from streamsink.errors import ConfigError, TerminalError
from streamsink.faust import ArchiveSink, archive_records, archive_stream
from streamsink.upload.local import LocalStore
from tests.servers.archive_reader import archived_records

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""Agents are not made to end without a worker: what is left of them says so when it is collected."""


class Order(faust.Record):
    id: int
    total: float = 0.0


class Worker:
    """Faust's consumer, conductor, agents and streams as in a worker, fed by hand instead of by a broker."""

    def __init__(self, app, archive, agent, loop):
        self.app, self.archive, self.agent, self.loop = app, archive, agent, loop
        self.sent = 0

    async def __aenter__(self):
        topic = self.agent.channel
        self.app.consumer_generation_id = 1
        self.app.flow_control.resume()
        self.app.consumer.assignment = lambda: {TP("orders", 0)}
        self.app.topics._acking_topics.add("orders")
        await self.archive.start()
        await self.agent.start()
        await asyncio.sleep(0)
        self.app.topics._topic_name_index["orders"] = {chan for chan in self.app.topics if "orders" in chan.topics} or {
            topic
        }
        await self.app.topics.on_partitions_assigned({TP("orders", 0)})
        return self

    async def __aexit__(self, *_):
        await self.archive.stop()

    async def send(self, value):
        message = ConsumerMessage(
            "orders", 0, self.sent, 1.0, 1, [("h", b"v")], b"key", value, None, tp=TP("orders", 0), generation_id=1
        )
        self.sent += 1
        await self.app.consumer.callback(message)
        return message

    def committable(self):
        return self.app.consumer._new_offset(TP("orders", 0))

    async def until(self, reached, seconds=30):
        async with asyncio.timeout(seconds):
            while not reached():
                await asyncio.sleep(0.01)


@pytest.fixture
def stored(tmp_path):
    return lambda: archived_records(LocalStore(tmp_path))


def values(found):
    return [json.loads(value) for _, _, _, _, value, _ in sorted(found[0])]


def make(make_app, tmp_path, fun, options=None, *, concurrency=1, **settings):
    app = make_app("shop")
    archive = ArchiveSink(app, tmp_path.as_uri(), {"rotate.age.ms": 400, **(options or {})}, **settings)
    agent = app.agent(app.topic("orders", value_type=Order), sink=[archive], concurrency=concurrency)(fun)
    return app, archive, agent


async def enrich(stream):
    async for order in stream:
        if order.id == 2:
            continue
        if order.id == 3:
            raise ValueError(order.id)
        yield Order(order.id, order.id * 1.5)


def test_offsets_are_given_up_to_faust_once_their_results_are_stored(make_app, loop, tmp_path, stored):
    app, archive, agent = make(make_app, tmp_path, enrich)

    async def scenario():
        async with Worker(app, archive, agent, loop) as worker:
            for number in (0, 1, 2):
                await worker.send(json.dumps({"id": number}).encode())
            await worker.send(b"broken")
            await asyncio.sleep(0.2)
            assert worker.committable() is None
            assert not stored()
            await worker.until(lambda: stored()[0])
            await worker.until(lambda: app.consumer._acked[TP("orders", 0)])
            await asyncio.sleep(0.2)
            assert worker.committable() == 4

    loop.run_until_complete(scenario())
    assert min(stored()[0]) == (0, 1000, 0, b"key", stored()[0][0][4], (("h", b"v"),))
    assert values(stored()) == [{"id": 0, "total": 0.0}, {"id": 1, "total": 1.5}]


def test_when_the_flow_stops_everything_is_stored_and_given_up_to_faust_at_once(make_app, loop, tmp_path, stored):
    app, archive, agent = make(make_app, tmp_path, enrich, {"rotate.age.ms": 600_000})

    async def scenario():
        async with Worker(app, archive, agent, loop) as worker:
            for number in (0, 1, 2):
                await worker.send(json.dumps({"id": number}).encode())
            await asyncio.sleep(0.3)
            assert worker.committable() is None
            app.flow_control.suspend()
            await worker.until(lambda: not app.consumer.unacked)
            assert worker.committable() == 3

    loop.run_until_complete(scenario())
    assert [row["id"] for row in values(stored())] == [0, 1]


@pytest.fixture
def disk(tmp_path):
    """A file system of 64 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], check=True)
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_holds_neither_faust_up_nor_lets_it_commit(make_app, loop, disk):
    app, archive, agent = make(make_app, disk, enrich, {"rotate.age.ms": 600_000, "drain.timeout.ms": 1000})

    async def scenario():
        async with Worker(app, archive, agent, loop) as worker:
            await worker.until(lambda: archive.snapshot is not None)
            with contextlib.suppress(OSError), (disk / "all of it").open("wb") as file:
                file.write(bytes(1_000_000))
            await worker.send(b'{"id": 0}')
            await asyncio.sleep(0.3)
            app.flow_control.suspend()
            await worker.until(lambda: not list(app.consumer.unacked))
            assert worker.committable() is None
            await worker.until(lambda: archive.snapshot.failures.get("store", 0) > 0)

    loop.run_until_complete(scenario())


def test_an_archive_that_fails_stops_the_app_which_waits_for_nothing(make_app, loop, tmp_path):
    (tmp_path / "file").touch()
    app, archive, agent = make(make_app, tmp_path / "file" / "archive", enrich)

    async def scenario():
        async with Worker(app, archive, agent, loop) as worker:
            await worker.until(lambda: archive.crashed)
            assert "a file lies where a folder is needed" in str(archive.crash_reason)
            await worker.send(b'{"id": 10}')
            await asyncio.sleep(0.3)
            assert worker.committable() is None
            gc.collect()
            assert not list(app.consumer.unacked)

    loop.run_until_complete(scenario())


def test_a_result_that_cannot_be_archived_stops_the_app_and_is_not_committed(make_app, loop, tmp_path, stored):
    async def wrong(stream):
        async for order in stream:
            yield object() if order.id == 1 else order

    app, archive, agent = make(make_app, tmp_path, wrong)

    async def scenario():
        async with Worker(app, archive, agent, loop) as worker:
            for number in (0, 1):
                await worker.send(json.dumps({"id": number}).encode())
            await worker.until(lambda: archive.crashed)
            assert isinstance(archive.crash_reason, TerminalError)
            await asyncio.sleep(0.8)
            assert worker.committable() in {None, 1}

    loop.run_until_complete(scenario())
    assert [row["id"] for row in values(stored())] in ([0], [])


def test_several_results_of_a_message_have_offsets_of_their_own(make_app, loop, tmp_path, stored):
    async def twice(stream):
        async for order in stream:
            yield {"id": order.id, "part": 0}
            yield {"id": order.id, "part": 1}

    app, archive, agent = make(make_app, tmp_path, twice, {"flush.size": 1}, results_max=10)

    async def scenario():
        async with Worker(app, archive, agent, loop) as worker:
            for number in (0, 1):
                await worker.send(json.dumps({"id": number}).encode())
            await worker.until(lambda: len(stored()[0]) == 4)
            await asyncio.sleep(0.3)
            assert worker.committable() == 2

    loop.run_until_complete(scenario())
    assert [record[0] for record in sorted(stored()[0])] == [0, 1, 10, 11]


def test_more_results_than_allowed_stop_the_app(make_app, loop, tmp_path):
    async def twice(stream):
        async for order in stream:
            yield order
            yield order

    app, archive, agent = make(make_app, tmp_path, twice)

    async def scenario():
        async with Worker(app, archive, agent, loop) as worker:
            await worker.send(b'{"id": 1}')
            await worker.until(lambda: archive.crashed)
            assert "results_max" in archive.crash_reason.hint

    loop.run_until_complete(scenario())


def test_agents_that_take_batches_are_refused(make_app, loop, tmp_path):
    async def batches(stream):
        async for orders in stream.take(2, within=0.1):
            yield len(orders)

    app, archive, agent = make(make_app, tmp_path, batches)

    async def scenario():
        async with Worker(app, archive, agent, loop) as worker:
            await worker.send(b'{"id": 1}')
            await worker.until(lambda: archive.crashed)
            assert "take()" in archive.crash_reason.message

    loop.run_until_complete(scenario())


def test_memory_of_held_messages_is_bounded_by_storing_early(make_app, loop, tmp_path, stored):
    app, archive, agent = make(make_app, tmp_path, enrich, {"rotate.age.ms": 600_000}, held_bytes_max=20_000)

    async def scenario():
        async with Worker(app, archive, agent, loop) as worker:
            for number in range(10, 210):
                await worker.send(json.dumps({"id": number}).encode())
                assert archive._holds.size_bytes < 40_000
            await worker.until(lambda: len(stored()[0]) > 100)

    loop.run_until_complete(scenario())


def test_results_that_are_of_no_message_are_archived_too_and_read_back(make_app, loop, tmp_path):
    app = make_app("shop")
    archive = ArchiveSink(app, tmp_path.as_uri())

    async def scenario():
        for value in ({"a": 1}, [1, 2], "text", 5, None):
            await archive(value)
        await archive.flush()
        found = [record async for record in archive_records(tmp_path.as_uri(), topic=app.topic("shop"))]
        await archive.stop()
        return found

    assert [record.value for record in loop.run_until_complete(scenario())] == [{"a": 1}, [1, 2], "text", 5, None]


class Reversed(codecs.Codec):
    """A codec whose bytes nobody takes for JSON."""

    def _dumps(self, obj):
        return json.dumps(obj).encode()[::-1]

    def _loads(self, s):
        return json.loads(s[::-1])


def test_a_codecs_bytes_are_archived_as_they_are_and_read_by_it(make_app, loop, tmp_path, stored):
    codecs.register("reversed", Reversed())
    app = make_app("shop")
    archive = ArchiveSink(app, tmp_path.as_uri(), value_serializer="reversed")
    topic = app.topic("shop", value_type=Order, value_serializer="reversed")

    async def scenario():
        await archive(Order(1, 2.5))
        await archive.flush()
        found = [value async for value in archive_stream(tmp_path.as_uri(), topic=topic)]
        await archive.stop()
        return found

    assert loop.run_until_complete(scenario()) == [Order(1, 2.5)]
    ((record,),) = stored().values()
    assert record[4].startswith(b"}")


def test_wrong_options_are_told_when_the_sink_is_made(make_app, tmp_path):
    with pytest.raises(ConfigError, match=r"format\.class"):
        ArchiveSink(make_app("shop"), tmp_path.as_uri(), {"format.class": "xml"})
    with pytest.raises(ConfigError, match="results_max"):
        ArchiveSink(make_app("shop"), tmp_path.as_uri(), results_max=0)


def test_two_sinks_cannot_hold_one_topic(make_app, loop, tmp_path):
    app = make_app("shop")
    sinks = [ArchiveSink(app, (tmp_path / name).as_uri()) for name in "ab"]
    app.agent(app.topic("orders", value_type=Order), sink=sinks)(enrich)

    async def scenario():
        await sinks[0].start()
        with pytest.raises(ConfigError, match="another ArchiveSink"):
            await sinks[1].start()
        await sinks[0].stop()

    loop.run_until_complete(scenario())


def test_several_results_of_a_message_come_from_one_agent_since_agents_have_no_order(make_app, loop, tmp_path):
    """Results made again after a crash must have their offsets again."""
    app, archive, agent = make(make_app, tmp_path, enrich, results_max=2)
    app.agent(agent.channel, name="second", sink=[archive])(enrich)

    async def scenario():
        with pytest.raises(ConfigError, match="orders is read by 2 agents"):
            await archive.start()

    loop.run_until_complete(scenario())


def test_actors_that_end_out_of_order_beside_another_sink_are_committed_in_order(make_app, loop, tmp_path, stored):
    beside, first_goes_on = [], asyncio.Event()

    async def slow_first(stream):
        async for order in stream:
            if order.id == 0:
                await first_goes_on.wait()
            yield Order(order.id, order.id * 1.5)

    app, archive, agent = make(make_app, tmp_path, slow_first, concurrency=3)
    agent.add_sink(lambda order: beside.append(order.id))

    async def scenario():
        async with Worker(app, archive, agent, loop) as worker:
            for number in range(6):
                await worker.send(json.dumps({"id": number}).encode())
            await worker.until(lambda: len(beside) >= 2)
            await asyncio.sleep(0.6)
            assert worker.committable() is None
            first_goes_on.set()
            await worker.until(lambda: stored() and len(stored()[0]) == 6)
            await asyncio.sleep(0.3)
            assert worker.committable() == 6

    loop.run_until_complete(scenario())
    assert sorted(beside) == list(range(6))
    assert [row["id"] for row in values(stored())] == list(range(6))


def archive_process():
    """The one process of an archive that this process has started."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    (found,) = (
        int(pid) for pid in children if b"streamsink.faust.archiver" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )
    return found


def test_an_archive_whose_process_is_killed_stops_the_app_and_says_so(make_app, loop, tmp_path, stored):
    app, archive, agent = make(make_app, tmp_path, enrich, {"rotate.age.ms": 600_000})

    async def scenario():
        async with Worker(app, archive, agent, loop) as worker:
            await worker.send(b'{"id": 10}')
            await worker.until(lambda: archive.snapshot is not None and archive.snapshot.records_total == 1)
            os.kill(archive_process(), signal.SIGKILL)
            await worker.until(lambda: archive.crashed)
            assert "process is gone" in str(archive.crash_reason)
            assert worker.committable() is None

    loop.run_until_complete(scenario())
    assert not stored()
