"""What Faust 0.15 does that `streamsink.faust` relies on, or guards against. A new Faust that differs fails here."""

import asyncio
import gc
import weakref

import faust
import pytest
from faust.agents import current_agent
from faust.transport.consumer import Consumer
from faust.types import TP, ConsumerMessage

from streamsink.faust.holds import Holds

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""Agents are not made to end without a worker: what is left of them says so when it is collected."""

TOPIC = TP("orders", 0)
COMMITTED = 100


def message(offset):
    return ConsumerMessage(
        "orders", 0, offset, timestamp=0.0, timestamp_type=1, headers=None, key=None, value=b"1", checksum=None,
        tp=TOPIC, generation_id=1,
    )  # fmt: skip


@pytest.fixture
def consumer(make_app):
    """Faust's own consumer with its accounts, not connected; the group has committed offset 100."""
    app = make_app("contract")
    app.topics._acking_topics.add("orders")
    consumer = app.consumer
    consumer._committed_offset[TOPIC] = COMMITTED
    return consumer


class WithoutHold:
    """Each stream acknowledges when it has done its work."""

    def __init__(self, consumer):
        self.consumer = consumer

    def deliver(self, message):
        message.incref()

    def finish(self, message):
        message.ack(self.consumer)


class WithHold:
    """As `ArchiveSink` does: what ends is stored at once here, and so released as far as it is contiguous."""

    def __init__(self, consumer):
        self.consumer = consumer
        self.holds = Holds(
            hand_over=self._stored,
            forget=lambda _: None,
            given_up=lambda _: None,
            release=lambda one: one.ack(consumer),
        )
        self._held = {}

    def _stored(self, held):
        self.holds.may_release(TOPIC, held.offset + 1)
        self.holds.release_some()

    def deliver(self, message):
        self._held[message.offset] = self.holds.hold(message)
        message.incref()

    def finish(self, message):
        message.ack(self.consumer)
        self.holds.settle(self._held[message.offset])


@pytest.mark.parametrize(
    "way",
    [
        pytest.param(
            WithoutHold,
            marks=pytest.mark.xfail(strict=True, reason="Faust's issue 606: passes one message that is still at work"),
        ),
        WithHold,
    ],
)
def test_a_message_still_at_work_is_not_committed_past(consumer, way):
    messages = [message(offset) for offset in range(COMMITTED, COMMITTED + 6)]
    way = way(consumer)
    for one in messages:
        way.deliver(one)
    for one in messages[1:]:
        way.finish(one)
    assert consumer._new_offset(TOPIC) in {None, COMMITTED}
    way.finish(messages[0])
    assert consumer._new_offset(TOPIC) == COMMITTED + 6


@pytest.mark.parametrize("way", [pytest.param(WithoutHold, marks=pytest.mark.xfail(strict=True)), WithHold])
def test_nor_in_a_group_that_has_committed_nothing(consumer, way):
    consumer._committed_offset[TOPIC] = None
    messages = [message(offset) for offset in range(6)]
    way = way(consumer)
    for one in messages:
        way.deliver(one)
    for one in messages[3:]:
        way.finish(one)
    assert consumer._new_offset(TOPIC) is None


def test_a_message_is_acknowledged_when_the_last_reference_is_given_up(consumer):
    one = message(COMMITTED)
    one.incref()
    one.incref()
    assert not one.ack(consumer)
    assert consumer._new_offset(TOPIC) is None
    assert one.ack(consumer)
    assert consumer._new_offset(TOPIC) == COMMITTED + 1


def test_a_message_that_nobody_holds_is_not_waited_for(consumer):
    one = message(COMMITTED)
    gone = weakref.ref(one)
    consumer.unacked.add(one)
    assert len(consumer.unacked) == 1
    del one
    gc.collect()
    assert gone() is None
    assert not consumer.unacked


def test_the_consumer_gives_messages_to_what_stands_at_the_conductor_when_it_is_made(make_app):
    app = make_app("callback")

    async def ours(message):
        """Stands in the way."""

    app.topics.on_message = ours
    assert app.consumer.callback is ours


def test_the_flow_is_stopped_before_messages_are_waited_for_and_signals_come_after(monkeypatch, loop, make_app):
    app = make_app("revoked")
    order = []
    monkeypatch.setattr(app.consumer, "assignment", lambda: {TOPIC})
    monkeypatch.setattr(app.consumer, "stop_flow", lambda: None)
    monkeypatch.setattr(app.consumer, "pause_partitions", lambda _: None)

    async def wait_empty(_consumer):
        order.append(("wait_empty", app.flow_control.is_active()))

    monkeypatch.setattr(Consumer, "wait_empty", wait_empty)
    app.on_partitions_revoked.connect(lambda *_, **__: order.append("signal"))
    app.flow_control.resume()
    loop.run_until_complete(app._on_partitions_revoked({TOPIC}))
    assert order == [("wait_empty", False), "signal"]


class Recorder(faust.Sensor):
    """Writes down what a stream and a sink do."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_stream_event_in(self, tp, offset, stream, event):
        self.seen.append(("in", event.value, current_agent() is not None))
        return event.value

    def on_stream_event_out(self, tp, offset, stream, event, state=None):
        self.seen.append(("out", event.value, state))

    def sink(self, value):
        self.seen.append(("sink", value, faust.current_event().value))


def test_a_result_comes_between_its_events_beginning_and_end_also_when_the_agent_fails(loop, make_app):
    app = make_app("order")
    app.flow_control.resume()
    recorder = Recorder()
    app.sensors.add(recorder)

    @app.agent(app.topic("orders", value_type=int), sink=[recorder.sink])
    async def double(stream):
        async for number in stream:
            if number == 2:
                continue
            if number == 3:
                raise ValueError(number)
            yield number * 2

    async def scenario():
        async with double.test_context() as agent:
            await agent.put(1)
            await agent.put(2, wait=False)
            await agent.put(3, wait=False)
            await asyncio.sleep(0.3)

    loop.run_until_complete(scenario())
    told = [(what, value) for what, value, _ in recorder.seen]
    assert told == [("in", 1), ("sink", 2), ("out", 1), ("in", 2), ("out", 2), ("in", 3), ("out", 3)]
    assert all(agent for what, _, agent in recorder.seen if what == "in")
    assert all(state == value for what, value, state in recorder.seen if what == "out")
    assert all(event == 1 for what, _, event in recorder.seen if what == "sink")
