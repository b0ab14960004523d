"""Kafka Connect's own worker files, as they are."""

from __future__ import annotations

from streamsink.config.keys.worker import OPEN_PREFIXES, WORKER
from streamsink.config.reading.flat import parse_properties
from streamsink.worker.distributed.settings import read_settings

CONNECTS = """
bootstrap.servers=localhost:9092
group.id=connect-cluster
key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
key.converter.schemas.enable=true
value.converter.schemas.enable=true
offset.storage.topic=connect-offsets
offset.storage.replication.factor=1
#offset.storage.partitions=25
config.storage.topic=connect-configs
config.storage.replication.factor=1
status.storage.topic=connect-status
status.storage.replication.factor=1
#status.storage.partitions=5
offset.flush.interval.ms=10000
#listeners=HTTP://:8083
#plugin.path=/usr/local/share/java,/usr/local/share/kafka/plugins
plugin.path=/usr/share/java
"""


def test_connects_own_file_needs_one_broker_only():
    worker = parse_properties(CONNECTS)
    settings = read_settings(worker)
    topics = [settings.config, settings.status, settings.slots]
    assert [(topic.name, topic.replication) for topic in topics] == [
        ("connect-configs", 1),
        ("connect-status", 1),
        ("connect-cluster-slots", 1),
    ]
    assert WORKER.read(worker).problems == []
    assert all(key in WORKER or key.startswith(OPEN_PREFIXES) for key in worker)


def test_what_is_said_of_a_topic_holds_for_it():
    worker = parse_properties(CONNECTS) | {"slots.storage.replication.factor": "2"}
    assert read_settings(worker).slots.replication == 2
    assert read_settings({"bootstrap.servers": "b:1", "group.id": "g"}).slots.replication == 3
