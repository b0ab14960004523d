"""Picks figures for an operator out of librdkafka's statistics. Pure: JSON in, a snapshot out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from streamsink.observe.snapshot import ClientSnapshot

MICROSECONDS = 1e-6


def read_statistics(text: str) -> ClientSnapshot:
    """Read the consumer's state from the JSON that `stats_cb` gets (librdkafka's STATISTICS.md has the fields)."""
    found: Mapping[str, Any] = orjson.loads(text)
    brokers = [each for each in found.get("brokers", {}).values() if each.get("nodeid", -1) >= 0]
    partitions = [
        partition
        for topic in found.get("topics", {}).values()
        for number, partition in topic.get("partitions", {}).items()
        if number != "-1"
    ]
    group = found.get("cgrp", {})
    return ClientSnapshot(
        brokers_up=sum(each.get("state") == "UP" for each in brokers),
        brokers_known=len(brokers),
        request_errors_total=sum(each.get("txerrs", 0) + each.get("rxerrs", 0) for each in brokers),
        request_timeouts_total=sum(each.get("req_timeouts", 0) for each in brokers),
        disconnects_total=sum(each.get("disconnects", 0) for each in brokers),
        round_trip_p99_s=max((each.get("rtt", {}).get("p99", 0) for each in brokers), default=0) * MICROSECONDS,
        fetch_queue_records=sum(partition.get("fetchq_cnt", 0) for partition in partitions),
        fetch_queue_bytes=sum(partition.get("fetchq_size", 0) for partition in partitions),
        rebalances_total=group.get("rebalance_cnt", 0),
    )
