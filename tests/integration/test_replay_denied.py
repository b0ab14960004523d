"""What a replay says where the brokers forbid it: a real broker with access control lists."""

import pytest
from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, ResourcePatternType, ResourceType

from streamsink.cli.main import run
from streamsink.upload.local import LocalStore
from tests.servers.kafka import KafkaServer
from tests.unit.archive.made import put


class GuardedKafka(KafkaServer):
    """Allows everyone everything that no rule denies."""

    def _properties(self):
        return (
            super()._properties()
            + "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n"
            + "super.users=User:nobody\nallow.everyone.if.no.acl.found=true\n"
        )


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    server = GuardedKafka(tmp_path_factory.mktemp("guarded"))
    server.start()
    yield server
    server.stop()


def deny(kafka, kind, name, operation):
    rule = AclBinding(kind, name, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*", operation, AclPermissionType.DENY)
    for future in kafka.admin.create_acls([rule]).values():
        future.result(30)


@pytest.mark.parametrize(
    ("kind", "operation", "said"),
    [
        (ResourceType.TOPIC, AclOperation.DESCRIBE, "does not exist, or may not be seen"),
        (ResourceType.TRANSACTIONAL_ID, AclOperation.WRITE, "give the client permission"),
    ],
)
def test_no_permission_is_one_clear_line(guarded, unique, tmp_path, capfd, kind, operation, said):
    put(LocalStore(tmp_path), range(10))
    guarded.create_topic(unique)
    deny(guarded, kind, unique if kind is ResourceType.TOPIC else f"streamsink-replay-id-{unique}-0", operation)
    words = ["replay", f"{tmp_path.as_uri()}/topics", "--to", unique, "--resume-id", "id"]
    assert run([*words, "--bootstrap-server", guarded.bootstrap]) == 1
    out, err = capfd.readouterr()
    told = [line for line in err.splitlines() if line.startswith("streamsink:")]
    assert (out, len(told)) == ("", 1)
    assert said in told[0]
