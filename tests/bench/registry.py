"""Archives values of a Schema Registry by several configurations, beside `consume()` alone."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.servers.kafka import KafkaServer
from tests.servers.registry import RegistryServer

PARTITIONS = 4
PARQUET = {"format.class": "parquet"}
COLUMNS, BOTH = {"archive.value": "columns"}, {"archive.value": "both"}
NATIVE = {"consumer.native": "true"}

Archive = Callable[[KafkaServer, str, str, dict[str, str], Path], tuple[float, float, int, float]]


def archive_cases(
    converter: str,
    make_values: Callable[[RegistryServer], list[bytes]],
    cases: dict[str, dict[str, str]],
    count: int,
    archive: Archive,
    consume_only: Callable[[KafkaServer, str], float],
) -> int:
    """Print a line a case.

    Args:
        converter: Reads the values.
        make_values: Registers their schema and encodes them.
        cases: A connector's configuration by the case's name.
        count: How many records there are; the values are repeated.
        archive: Runs a worker on one core.
        consume_only: Gives the rate of `consume()`.
    """
    with tempfile.TemporaryDirectory(prefix="streamsink-bench-") as text:
        folder = Path(text)
        kafka, registry = KafkaServer(folder / "kafka"), RegistryServer(folder / "registry")
        kafka.start()
        registry.start()
        try:
            kafka.create_topic("lines", PARTITIONS)
            values = make_values(registry)
            _fill(kafka, values, count)
            raw = consume_only(kafka, "lines")
            print(f"{count:,} records of {sum(map(len, values)) / len(values):.0f} bytes, worker on one core")
            print(f"{'consume() alone':34} {raw:>12,.0f} records per CPU-second")
            settings = {"value.converter": converter, "value.converter.schema.registry.url": registry.url}
            for number, (case, config) in enumerate(cases.items()):
                rate, wall, peak, _ = archive(
                    kafka, "lines", f"bench-{number}", settings | config, folder / f"case-{number}"
                )
                print(
                    f"{case:34} {rate:>12,.0f} records per CPU-second ({rate / raw:.2f} of consume()), "
                    f"{wall:,.0f}/s by the clock, task peak {peak / 1e6:.0f} MB",
                    flush=True,
                )
        finally:
            registry.stop()
            kafka.stop()
    return 0


def _fill(kafka: KafkaServer, values: list[bytes], count: int) -> None:
    producer = kafka.producer(compression_type="lz4", queue_buffering_max_messages="1000000")
    for number in range(count):
        producer.produce(
            "lines", values[number % len(values)], key=b"key-%d" % (number % 1000), partition=number % PARTITIONS
        )
        if number % 10_000 == 0:
            producer.poll(0)
    assert producer.flush(120) == 0
