from streamsink.database.mariadb.structure import (
    _FOREIGN_KEY,
    _ROW_TIME,
    _without_foreign_keys,
    own_sequences,
    own_trigger,
)

CHILD = """CREATE TABLE `fk` (
  `id` int(11) NOT NULL COMMENT 'CONSTRAINT `x` FOREIGN KEY (',
  `a` int(11) DEFAULT NULL,
  PRIMARY KEY (`id`),
  CONSTRAINT `sane` CHECK (`id` > 0),
  CONSTRAINT `b``c` FOREIGN KEY (`a`) REFERENCES `t` (`id`) ON DELETE CASCADE,
  CONSTRAINT `fk_ibfk_1` FOREIGN KEY (`a`) REFERENCES `fk` (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"""


def test_foreign_keys_are_taken_out_of_a_definition_and_nothing_else():
    assert _FOREIGN_KEY.findall(CHILD) == [
        "CONSTRAINT `b``c` FOREIGN KEY (`a`) REFERENCES `t` (`id`) ON DELETE CASCADE",
        "CONSTRAINT `fk_ibfk_1` FOREIGN KEY (`a`) REFERENCES `fk` (`id`)",
    ]
    lines = CHILD.split("\n")
    assert _without_foreign_keys(CHILD) == "\n".join([*lines[:4], lines[4].removesuffix(","), lines[7]])


def test_a_definition_without_foreign_keys_stays_as_it_is():
    plain = "CREATE TABLE `t` (\n  `id` int(11) NOT NULL,\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB"
    assert _without_foreign_keys(plain) == plain


def test_columns_of_a_rows_time_are_known_by_their_definition():
    create = "CREATE TABLE `t` (\n  `r``s` timestamp(6) GENERATED ALWAYS AS ROW START,\n  `x` int(11) DEFAULT NULL\n)"
    assert _ROW_TIME.findall(create) == ["r``s"]


def test_sequences_of_the_database_are_named_without_it_and_those_of_others_are_not():
    create = "`a` bigint(20) DEFAULT nextval(`sh``op`.`s1`), `b` int DEFAULT nextval(`other`.`s1`)"
    alone = "`a` bigint(20) DEFAULT nextval(`s1`), `b` int DEFAULT nextval(`other`.`s1`)"
    assert own_sequences(create, "sh`op") == alone


def test_the_head_of_a_trigger_names_its_database_no_longer_and_its_body_stays_as_it_is():
    head = "CREATE DEFINER=`root`@`localhost` trigger {0}tr before insert on {0}t for each row "
    body = "INSERT INTO shop.log VALUES (NEW.id)"
    for own in ("shop.", "`shop` . ", "`shop`."):
        assert own_trigger(head.format(own) + body, "shop") == head.format("") + body
    assert own_trigger(head.format("other.") + body, "shop") == head.format("other.") + body
