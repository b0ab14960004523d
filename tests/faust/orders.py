"""An app of thirty lines: it enriches orders, archives what comes of them, and goes through all of it again."""

import os
from typing import Optional

import faust

from streamsink.faust import ArchiveSink, archive_stream


class Order(faust.Record):
    id: int
    amount: float
    total: Optional[float] = None  # noqa: UP045 - Faust's models read annotations of this form


app = faust.App("shop", broker=os.environ.get("BROKER", "kafka://127.0.0.1:9092"))
orders = app.topic("orders", value_type=Order)
archive = ArchiveSink(app, os.environ.get("ARCHIVE", "file:///tmp/shop"), {"rotate.age.ms": 10_000})


@app.agent(orders, sink=[archive])
async def enrich(stream):
    async for order in stream:
        if order.amount:
            yield Order(order.id, order.amount, total=round(order.amount * 1.2, 2))


@app.command()
async def rebuild() -> None:
    """Run the agent again over all that it has archived."""
    totals = [order.total async for order in enrich.fun(archive_stream(archive, topic=orders))]
    print(f"{len(totals)} orders, {sum(totals):.2f} in all")


if __name__ == "__main__":
    app.main()
