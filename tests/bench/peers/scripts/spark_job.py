"""Archives all that a topic has with Spark; runs in its environment."""

import json
import sys

from pyspark.sql import SparkSession
from pyspark.sql.functions import col, from_json


def main(bootstrap: str, topic: str, schema: str, folder: str, config: str) -> None:
    builder = SparkSession.builder.master("local[1]")
    for key, value in json.loads(config).items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    source = spark.readStream.format("kafka").option("kafka.bootstrap.servers", bootstrap)
    source = source.option("subscribe", topic).option("startingOffsets", "earliest")
    messages = source.option("kafka.max.poll.records", "10000").load()
    rows = messages.select(from_json(col("value").cast("string"), schema).alias("row")).select("row.*")
    query = rows.writeStream.format("parquet").option("path", folder).trigger(availableNow=True).start()
    query.awaitTermination()
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
