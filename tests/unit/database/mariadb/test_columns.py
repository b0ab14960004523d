import orjson
import pytest

from streamsink.config.keys.validators import value_schema as checked
from streamsink.database.mariadb.columns import Column, Form, column_of, connect_type, expression, value_schema
from streamsink.decode.json.connect_schema import shape_of
from streamsink.errors import TerminalError


def column(type_: str, charset: str | None = None, name: str = "a", *, generated: bool = False) -> Column:
    return column_of(name, type_, charset, generated=generated)


@pytest.mark.parametrize(
    ("type_", "form", "expected"),
    [
        ("tinyint(1)", Form.INTEGER, {"type": "int8"}),
        ("tinyint(3) unsigned", Form.INTEGER, {"type": "int16"}),
        ("mediumint(8) unsigned zerofill", Form.INTEGER, {"type": "int32"}),
        ("int(10) unsigned", Form.INTEGER, {"type": "int64"}),
        ("bigint(20)", Form.INTEGER, {"type": "int64"}),
        ("bigint(20) unsigned", Form.INTEGER, {"type": "int64", "name": "Unsigned"}),
        ("year(4)", Form.INTEGER, {"type": "int16"}),
        ("bit(1)", Form.BITS, {"type": "int64"}),
        ("bit(64)", Form.BITS, {"type": "int64", "name": "Unsigned"}),
        ("float(10,2)", Form.REAL, {"type": "double"}),
        ("decimal(65,30)", Form.DECIMAL, {"type": "string"}),
        ("date", Form.WORDS, {"type": "string", "name": "Date"}),
        ("datetime(6)", Form.WORDS, {"type": "string", "name": "LocalTimestamp"}),
        ("timestamp", Form.WORDS, {"type": "string", "name": "Timestamp"}),
        ("time(3)", Form.WORDS, {"type": "string"}),
        ("uuid", Form.WORDS, {"type": "string"}),
        ("inet6", Form.WORDS, {"type": "string"}),
        ("binary(16)", Form.BYTES, {"type": "bytes"}),
        ("multipolygon", Form.BYTES, {"type": "bytes"}),
    ],
)
def test_a_type_has_the_form_that_loses_nothing_and_a_column_that_holds_it(type_, form, expected):
    assert column(type_).form is form
    assert connect_type(column(type_)) == expected


def test_a_decimal_has_its_digits():
    parameters = {"scale": "2", "connect.decimal.precision": "12"}
    assert connect_type(column("decimal(12,2)")) == {"type": "string", "name": "Decimal", "parameters": parameters}


def test_every_type_makes_a_schema_that_a_sink_takes():
    columns = [column("decimal(38,10)", name="d"), column("timestamp(6)", name="t"), column("set('a')", "latin1", "s")]
    schema = value_schema([*columns, column("bigint unsigned", name="u")])
    assert not checked(orjson.dumps(schema).decode())
    assert list(shape_of(schema).fields) == ["d", "t", "s", "u"]


def test_text_whose_character_set_has_no_codec_is_bytes():
    assert column("varchar(10)", "sjis").form is Form.TEXT
    assert column("varchar(10)", "unknown").form is Form.BYTES


@pytest.mark.parametrize("type_", ["enum('','a')", "enum('?','a')", "set('a','')"])
def test_a_list_whose_names_do_not_tell_its_values_apart_is_kept_by_number(type_):
    assert column(type_, "utf8mb4").form is Form.NUMBER
    assert expression(column(type_, "utf8mb4")) == "CAST(`a` AS UNSIGNED)"


def test_members_are_read_as_mariadb_writes_them():
    assert column(r"enum('it''s','a,b','c\\d','e\nf','(')", "utf8mb4").members == ["it's", "a,b", "c\\d", "e\nf", "("]


def test_floats_are_selected_with_all_digits_and_names_are_quoted():
    assert expression(column("float", name="a`b")) == "`a``b`*1e0"


def test_a_type_that_is_not_known_is_refused_by_name():
    with pytest.raises(TerminalError, match="hyper.*hyperlog"):
        column("hyperlog(3)", name="hyper")


def test_a_column_comes_back_from_the_structure():
    known = column("varchar(5)", "latin1", generated=True)
    assert Column.from_json(known.to_json()) == known
