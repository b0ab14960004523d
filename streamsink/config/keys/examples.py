"""An example value for each key whose default isn't one, for tables and forms. Values only."""

from __future__ import annotations

from streamsink.config.keys.definition import ConfigKey, KeyType

EXAMPLES = {
    "name": "logs",
    "connector.class": "streamsink.ArchiveSink",
    "connector.plugin.version": "0.1.0",
    "topics": "logs,clicks",
    "topics.regex": "logs-.*",
    "converters": "plain",
    "header.converter": "org.apache.kafka.connect.storage.SimpleHeaderConverter",
    "transforms": "mask,route",
    "predicates": "tombstone",
    "errors.deadletterqueue.topic.name": "logs-dead",
    "errors.deadletter.url": "s3://my-bucket/dead",
    "errors.retry.timeout": "600000",
    "archive.url": "s3://my-bucket/archive",
    "value.schema": '{"type":"struct","fields":[{"field":"level","type":"string","optional":true}]}',
    "partition.field.name": "country",
    "path.format": "'year'=YYYY/'month'=MM/'day'=dd",
    "source.topics": "logs",
    "database.url": "mongodb://reader@mongo.example.org:27017/shop",
    "database.tables": "orders",
    "target.topic": "restored-${topic}",
    "bootstrap.servers": "broker-1:9092,broker-2:9092",
    "group.id": "streamsink",
    "rest.advertised.host.name": "worker-1.example.org",
    "rest.advertised.port": "8083",
    "rest.advertised.listener": "https",
    "admin.listeners": "http://127.0.0.1:8084",
    "rest.basic.auth.users": "ann:${env:ANNS_PASSWORD}",
    "rest.basic.auth.file": "/etc/streamsink/users.properties",
    "rest.extension.classes": "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension",
    "listeners.https.ssl.keystore.location": "/etc/streamsink/tls/server.pem",
    "listeners.https.ssl.keystore.certificate.chain": "${file:/etc/streamsink/tls.properties:chain}",
    "listeners.https.ssl.keystore.key": "${file:/etc/streamsink/tls.properties:key}",
    "listeners.https.ssl.truststore.location": "/etc/streamsink/tls/clients.pem",
    "config.storage.topic": "connect-configs",
    "status.storage.topic": "connect-status",
    "slots.storage.topic": "connect-slots",
    "offset.storage.topic": "connect-offsets",
    "group.instance.id": "worker-1",
    "sasl.mechanism": "SCRAM-SHA-512",
    "sasl.username": "streamsink",
    "sasl.jaas.config": "${file:/run/secrets/kafka.properties:jaas}",
    "ssl.ca.location": "/etc/streamsink/tls/brokers.pem",
    "ssl.certificate.location": "/etc/streamsink/tls/client.pem",
    "ssl.key.location": "/etc/streamsink/tls/client.key",
    "ssl.truststore.location": "/etc/streamsink/tls/brokers.pem",
    "ssl.keystore.location": "/etc/streamsink/tls/client.pem",
}
OPTION_EXAMPLES = {
    "endpoint": "https://s3.example.org",
    "region": "eu-central-1",
    "access_key_id": "${env:AWS_ACCESS_KEY_ID}",
    "role_arn": "arn:aws:iam::123456789012:role/archive",
    "role_session_name": "streamsink",
    "web_identity_token_file": "/var/run/secrets/token",
    "sts_endpoint": "https://sts.eu-central-1.amazonaws.com",
    "server_side_encryption": "aws:kms",
    "sse_kms_key_id": "1234abcd-12ab-34cd-56ef-1234567890ab",
    "checksum_algorithm": "sha256",
    "storage_class": "STANDARD_IA",
    "tags": "team=data&purpose=archive",
    "tag_offsets": "true",
    "timeout_s": "60",
    "proxy_url": "http://proxy.example.org:3128",
    "ca_certificate_path": "/etc/ssl/certs/company.pem",
    "service_account_path": "/run/secrets/gcs.json",
    "account_name": "myaccount",
    "client_id": "11111111-2222-3333-4444-555555555555",
    "tenant_id": "11111111-2222-3333-4444-555555555555",
    "federated_token_file": "/var/run/secrets/azure/token",
    "satellite": "us1.storj.io:7777",
    "user_agent": "my-company",
    "expires_after": "30d",
    "username": "ann",
    "create": "put",
}
"""By the name after `archive.option.`; the stores share names."""

REGISTRY_EXAMPLES = {
    "schema.registry.url": "http://registry:8081",
    "basic.auth.user.info": "${env:REGISTRY_LOGIN}",
    "schema.registry.ssl.truststore.location": "/etc/streamsink/tls/registry.pem",
    "schema.registry.ssl.keystore.location": "/etc/streamsink/tls/client.pem",
    "schema.registry.ssl.key.location": "/etc/streamsink/tls/client.key",
}
"""By the name after `key.converter.` or `value.converter.`."""

_OPTION = "archive.option."


def example_of(key: ConfigKey) -> str:
    """An example of a key's value.

    Args:
        key: Its name, type and default decide.

    Returns:
        A value that the key takes, as a configuration would write it; "" where none is known.
    """
    if key.name in EXAMPLES:
        return EXAMPLES[key.name]
    option = key.name.removeprefix(_OPTION)
    if option != key.name and option in OPTION_EXAMPLES:
        return OPTION_EXAMPLES[option]
    setting = key.name.partition("converter.")[2]
    if setting in REGISTRY_EXAMPLES:
        return REGISTRY_EXAMPLES[setting]
    if key.type is KeyType.PASSWORD:
        return "${env:" + option.replace(".", "_").upper() + "}"
    if key.type is KeyType.BOOLEAN:
        return "false" if key.default_text == "true" else "true"
    others = [value for value in key.recommended if value != key.default_text]
    return others[0] if others else key.default_text or ""
