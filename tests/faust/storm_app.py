"""An app whose agent enriches, filters and fails, with an archive that is told by the environment where to be."""

import asyncio
import os
import signal

import faust

from streamsink.faust import ArchiveSink


class Order(faust.Record):
    id: int
    amount: float


app = faust.App(
    os.environ["APP"],
    broker=os.environ["BROKER"],
    broker_session_timeout=6.0,
    broker_heartbeat_interval=1.0,
    broker_commit_interval=0.3,
    stream_buffer_maxsize=1000,
    stream_publish_on_commit=False,
    topic_disable_leader=True,
)
orders = app.topic(os.environ["TOPIC"], value_type=Order)
concurrency = int(os.environ.get("CONCURRENCY", "1"))
archive = ArchiveSink(app, os.environ["ARCHIVE"], {"rotate.age.ms": 600, "flush.size": 300}, topic="results")


class RefusedError(Exception):
    """What the agent raises for some orders."""


@app.agent(orders, sink=[archive], concurrency=concurrency)
async def enrich(stream):
    async for order in stream:
        if order.id % 10 == 0:
            continue
        if concurrency == 1 and order.id % 1009 == 0:
            raise RefusedError(order.id)
        if order.id % 50 == 1:
            await asyncio.sleep(0.02)
        yield {"id": order.id, "total": order.amount * 1.2}


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    app.main()
