"""Runs in Spark's environment: reads what the first file asks for, and writes rows and schemas to the second as JSON.

It imports nothing of the project. A question has a format and a path, or statements of SQL.
"""

import base64
import datetime as dt
import decimal
import json
import sys
from pathlib import Path

from pyspark.errors import PySparkException
from pyspark.sql import Row, SparkSession


def plain(value):  # noqa: PLR0911 - one case a type
    """A cell as JSON has it, with a word for what JSON has no type for."""
    match value:
        case Row():
            return {name: plain(cell) for name, cell in zip(value.__fields__, value, strict=True)}
        case dict():
            return {"map": sorted(([name, plain(cell)] for name, cell in value.items()), key=str)}
        case list() | tuple():
            return [plain(one) for one in value]
        case bytes() | bytearray():
            return {"bytes": base64.b64encode(bytes(value)).decode()}
        case decimal.Decimal():
            return {"decimal": str(value)}
        case dt.datetime() | dt.date():
            return {"time": value.isoformat()}
    return value


def main(asked: str, answered: str, jar: str) -> None:
    """Answer all questions in one session; a reader's refusal is an answer too."""
    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.jars", jar)
    builder = builder.config("spark.sql.session.timeZone", "UTC").config("spark.driver.bindAddress", "127.0.0.1")
    spark = (
        builder.config("spark.driver.host", "127.0.0.1")
        .config("spark.log.level", "OFF")
        .config("spark.ui.showConsoleProgress", "false")
        .getOrCreate()
    )
    spark.conf.set("spark.sql.parquet.mergeSchema", "true")
    answers = {}
    for name, question in json.loads(Path(asked).read_text()).items():
        try:
            if "sql" in question:
                *before, last = question["sql"]
                for statement in before:
                    spark.sql(statement)
                found = spark.sql(last)
            else:
                found = spark.read.format(question["format"]).load(question["path"])
            rows = [plain(row) for row in found.collect()]
            answers[name] = {"schema": found.schema.simpleString(), "rows": rows}
        except PySparkException as error:
            answers[name] = {"error": str(error)}
    Path(answered).write_text(json.dumps(answers))
    spark.stop()


main(*sys.argv[1:])
