from __future__ import annotations

import json

from streamsink.consume.statistics import read_statistics
from streamsink.observe.snapshot import ClientSnapshot

SEEN = {
    "brokers": {
        "k:9092/bootstrap": {"nodeid": -1, "state": "UP", "txerrs": 9},
        "k:9092/1": {
            "nodeid": 1,
            "state": "UP",
            "txerrs": 1,
            "rxerrs": 2,
            "req_timeouts": 3,
            "disconnects": 4,
            "rtt": {"p99": 1500},
        },
        "k:9092/2": {"nodeid": 2, "state": "DOWN", "rtt": {"p99": 2500}},
    },
    "topics": {
        "logs": {"partitions": {"0": {"fetchq_cnt": 5, "fetchq_size": 50}, "-1": {"fetchq_cnt": 7, "fetchq_size": 70}}}
    },
    "cgrp": {"rebalance_cnt": 2},
}


def test_brokers_queues_and_rebalances_are_read_and_bootstrap_is_no_broker():
    assert read_statistics(json.dumps(SEEN)) == ClientSnapshot(1, 2, 3, 3, 4, 0.0025, 5, 50, 2)


def test_a_client_that_knows_nothing_yet_has_nothing_to_say():
    assert read_statistics("{}") == ClientSnapshot(0, 0, 0, 0, 0, 0.0, 0, 0, 0)
