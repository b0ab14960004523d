"""What a real broker tells of topics' policies."""

from streamsink.consume.topic_ids import TopicIds


def test_a_broker_tells_which_topics_are_compacted_and_nothing_of_those_it_does_not_have(kafka, unique):
    policies = {"plain": "delete", "compacted": "compact", "both": "compact,delete"}
    for name, policy in policies.items():
        kafka.create_topic(f"{unique}-{name}", cleanup_policy=policy)
    asked = TopicIds({"bootstrap.servers": kafka.bootstrap, "group.id": unique})
    told = asked.compacted(f"{unique}-{name}" for name in [*policies, "missing"])
    assert told == {f"{unique}-plain": False, f"{unique}-compacted": True, f"{unique}-both": True}
