import pytest

from streamsink.database.mariadb.columns import Column, column_of
from streamsink.database.mariadb.literals import behind, literals, matching
from streamsink.errors import TerminalError


def column(name: str, type_: str, charset: str | None = None) -> Column:
    return column_of(name, type_, charset, generated=False)


@pytest.mark.parametrize(
    ("type_", "charset", "value", "expected"),
    [
        ("int", None, -7, "-7"),
        ("bigint unsigned", None, 2**64 - 1, "18446744073709551615"),
        ("bit(64)", None, 5, "5"),
        ("double", None, 0.1, "0.1e0"),
        ("double", None, 3, "3.0e0"),
        ("double", None, 5e-324, "5e-324"),
        ("float(10,2)", None, -100000000.0, "-99999999.99"),
        ("float(10,2)", None, 1.5, "1.5e0"),
        ("decimal(10,2)", None, "-12.50", "-12.50"),
        ("datetime", None, "0000-00-00 00:00:00", "'0000-00-00 00:00:00'"),
        ("time(6)", None, "-838:59:59.999999", "'-838:59:59.999999'"),
        ("inet6", None, "::ffff:1.2.3.4", "'::ffff:1.2.3.4'"),
        ("varchar(9)", "utf8mb4", "é'\\", "X'c3a9275c'"),
        ("varchar(9)", "sjis", "ア", "X'8341'"),
        ("varchar(9)", "utf8mb4", "\x007aCA", "X'eda080'"),
        ("varchar(9)", "utf8mb4", "\0\0A", "X'0041'"),
        ("blob", None, "AP8=", "X'00ff'"),
        ("enum('a','b')", "latin1", "b", "X'62'"),
        ("enum('','b')", "latin1", 0, "0"),
        ("enum('','b')", "latin1", "b", "X'62'"),
        ("bigint unsigned", None, "18446744073709551615", "18446744073709551615"),
    ],
)
def test_a_value_is_written_as_sql_that_stores_it(type_, charset, value, expected):
    assert literals(column("a", type_, charset), [value, None]) == [expected, "NULL"]


@pytest.mark.parametrize(
    ("type_", "charset", "value"),
    [
        ("int", None, "1); DROP TABLE x"),
        ("int", None, True),
        ("int", None, 1.5),
        ("double", None, "1"),
        ("decimal(10,2)", None, "1 OR 1"),
        ("decimal(10,2)", None, 1.5),
        ("date", None, "2024-01-01' OR '1"),
        ("date", None, 5),
        ("varchar(9)", "ascii", "é"),
        ("varchar(9)", "utf8mb4", "\0not base64"),
        ("blob", None, "not base64!"),
        ("blob", None, {"a": 1}),
    ],
)
def test_what_a_column_can_not_have_is_refused_with_its_name(type_, charset, value):
    with pytest.raises(TerminalError, match="column the_one"):
        literals(column("the_one", type_, charset), [None, value])


def test_one_column_is_gone_on_behind_as_it_stands():
    assert behind([column("id", "bigint")], b'{"id":7}') == "`id` > 7"


def test_several_columns_are_gone_on_behind_in_their_order():
    columns = [column("a", "enum('z','y')", "latin1"), column("b", "varchar(9)", "sjis"), column("c", "float")]
    assert behind(columns, '{"a":"y","b":"ア","c":0.5}'.encode()) == (
        "`a` >= 2 AND ((`a` > 2) OR (`a` = 2 AND `b` > _sjis X'8341') OR "
        "(`a` = 2 AND `b` = _sjis X'8341' AND `c` > 0.5e0))"
    )


def test_a_set_compares_by_its_number():
    assert behind([column("s", "set('a','b','c')", "latin1")], b'{"s":"a,c"}') == "`s` > 5"


def test_a_row_is_found_by_all_columns_of_its_key():
    columns = [column("a", "int"), column("b", "varbinary(4)")]
    assert matching(columns, b'{"a":1,"b":"AP8="}') == "`a` = 1 AND `b` = X'00ff'"
