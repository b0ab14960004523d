"""An app whose agent adds up what each customer has ordered, from a topic that Faust itself writes, in Avro."""

import io
import json
import os

import fastavro
import faust
from faust.serializers import codecs

from streamsink.faust import ArchiveSink

SCHEMA = fastavro.parse_schema(json.loads(os.environ["SCHEMA"]))


class TotalCodec(codecs.Codec):
    """Totals in Avro's binary encoding."""

    def _dumps(self, obj):
        stream = io.BytesIO()
        fastavro.schemaless_writer(stream, SCHEMA, obj)
        return stream.getvalue()

    def _loads(self, s):
        return fastavro.schemaless_reader(io.BytesIO(s), SCHEMA, None)


class Order(faust.Record):
    customer: str
    amount: float


codecs.register("total", TotalCodec())
app = faust.App(
    os.environ["APP"], broker=os.environ["BROKER"], broker_commit_interval=0.3, topic_partitions=2, store="memory://"
)
orders = app.topic(os.environ["TOPIC"], value_type=Order)
grouped = app.topic(f"{os.environ['TOPIC']}-grouped", value_type=Order, key_type=str, partitions=2)
totals = app.Table("totals", default=float)
archive = ArchiveSink(
    app,
    os.environ["ARCHIVE"],
    {"rotate.age.ms": 500},
    topics=[f"{os.environ['TOPIC']}-grouped"],
    value_serializer="total",
)


@app.agent(orders, sink=[archive])
async def add_up(stream):
    async for order in stream.group_by(Order.customer, topic=grouped):
        totals[order.customer] += order.amount
        yield {"customer": order.customer, "amount": totals[order.customer]}


if __name__ == "__main__":
    app.main()
