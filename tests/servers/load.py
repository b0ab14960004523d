"""Records that keep coming while members, workers and brokers come and go."""

import threading
import time

from tests.servers.kafka import KafkaServer


class Load(threading.Thread):
    """Produces to all partitions of a topic until `done` is set."""

    def __init__(self, kafka: KafkaServer, topic: str, partitions: int) -> None:
        super().__init__(daemon=True)
        self.kafka, self.topic, self.partitions = kafka, topic, partitions
        self.count = 0
        self.done = threading.Event()

    def run(self) -> None:
        producer = self.kafka.producer()
        while not self.done.is_set():
            for _ in range(200):
                value = b'{"n":%d,"kind":"%s"}' % (self.count, [b"a", b"b", b"c"][self.count % 3])
                producer.produce(self.topic, value, partition=self.count % self.partitions)
                self.count += 1
            producer.poll(0)
            time.sleep(0.05)
        assert producer.flush(30) == 0
