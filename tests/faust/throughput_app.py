"""An agent that enriches small orders, with an archive or without, and says how long it took over a number of them."""

import os
import time

import faust

from streamsink.faust import ArchiveSink


class Order(faust.Record):
    id: int
    customer: str
    amount: float
    total: float = 0.0


app = faust.App(os.environ["APP"], broker=os.environ["BROKER"], topic_disable_leader=True)
orders = app.topic(os.environ["TOPIC"], value_type=Order)
sinks = []
if os.environ.get("ARCHIVE"):
    sinks.append(ArchiveSink(app, os.environ["ARCHIVE"], {"rotate.age.ms": 2000}))
count = int(os.environ["COUNT"])
warm = count // 10


@app.agent(orders, sink=sinks)
async def enrich(stream):
    seen, began_s = 0, 0.0
    async for order in stream:
        order.total = round(order.amount * 1.2, 2)
        yield order
        seen += 1
        if seen == warm:
            began_s = time.monotonic()
        if seen == count:
            print(f"SECONDS {time.monotonic() - began_s:.3f}", flush=True)


if __name__ == "__main__":
    app.main()
