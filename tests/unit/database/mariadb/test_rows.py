import orjson
import pytest

from streamsink.database.mariadb.columns import column_of
from streamsink.database.mariadb.rows import BURST_BYTES, PAGE_BYTES, TableReader
from streamsink.database.protocol import Table


def table(*columns: tuple, key: tuple[str, ...] = ()) -> Table:
    made = [column_of(name, type_, charset, generated=False).to_json() for name, type_, charset in columns]
    return Table("t", {"columns": made}, key)


def read(type_: str, charset: str | None, *cells: bytes | None) -> list:
    batch = TableReader(table(("a", type_, charset))).batch([(cell,) for cell in cells])
    return [orjson.loads(value)["a"] for value in batch.values.to_pylist()]


@pytest.mark.parametrize(
    ("type_", "charset", "cell", "expected"),
    [
        ("bigint", None, b"-9223372036854775808", -(2**63)),
        ("int(8) unsigned zerofill", None, b"00000042", 42),
        ("year(4)", None, b"0000", 0),
        ("bit(10)", None, b"\x03\xff", 1023),
        ("enum('','b')", "latin1", b"0", 0),
        ("double", None, b"5e-324", 5e-324),
        ("double", None, b"1.7976931348623157e308", 1.7976931348623157e308),
        ("decimal(65,30)", None, b"9.000000000000000000000000000001", "9.000000000000000000000000000001"),
        ("time", None, b"-838:59:59", "-838:59:59"),
        ("text", "utf8mb4", "plain é 🍏".encode(), "plain é 🍏"),
        ("text", "utf8mb4", b'a "quote", a \\, a\ttab and a \x01', 'a "quote", a \\, a\ttab and a \x01'),
        ("text", "utf8mb4", b"\xed\xa0\x80", "\x007aCA"),
        ("text", "sjis", b"\x83A", "ア"),
        ("text", "dec8", b"\xe9", "é"),
        ("text", "unknown", b"\x80", "gA=="),
        ("blob", None, b"\0\xff", "AP8="),
        ("blob", None, b"", ""),
    ],
)
def test_a_cell_is_written_so_that_nothing_is_lost(type_, charset, cell, expected):
    assert read(type_, charset, cell) == [expected]
    assert read(type_, charset, None, cell, None) == [None, expected, None]


def test_a_row_is_one_compact_object_in_the_columns_order_and_its_key_another():
    reader = TableReader(table(('a"b', "int", None), ("t", "text", "utf8mb4"), ("c", "int", None), key=("c", 'a"b')))
    batch = reader.batch([(b"1", b"x", b"2"), (b"3", None, b"4")])
    assert batch.values.to_pylist() == [b'{"a\\"b":1,"t":"x","c":2}', b'{"a\\"b":3,"t":null,"c":4}']
    assert batch.keys.to_pylist() == [b'{"c":2,"a\\"b":1}', b'{"c":4,"a\\"b":3}']


def test_rows_of_a_table_without_a_key_have_null_keys():
    assert TableReader(table(("a", "int", None))).batch([(b"1",)]).keys.to_pylist() == [None]


def test_rows_are_selected_in_key_order_behind_a_key():
    reader = TableReader(table(("a", "float", None), ("id", "int", None), key=("id",)))
    assert reader.select(None) == "SELECT `a`*1e0, `id` FROM `t` ORDER BY `id`"
    assert reader.select(b'{"id":5}') == "SELECT `a`*1e0, `id` FROM `t` WHERE `id` > 5 ORDER BY `id`"


@pytest.mark.parametrize(
    ("row_bytes", "batch", "expected"), [(0, 500, 500), (100, 500, 500), (1 << 20, 500, 7), (1 << 30, 5, 1)]
)
def test_a_page_is_as_long_as_asked_for_or_as_bytes_allow(row_bytes, batch, expected):
    assert TableReader(table(("a", "int", None))).page_rows(row_bytes, batch) == expected


def test_a_page_of_many_columns_has_fewer_rows():
    many = TableReader(table(*((f"c{number}", "int", None) for number in range(500))))
    assert many.page_rows(0, 10**6) < PAGE_BYTES / 500 / 50


@pytest.mark.parametrize(
    ("types", "bounded"),
    [
        (["bigint", "decimal(65,30)", "datetime(6)", "bit(64)", "uuid"], True),
        (["varchar(1000)", "enum('a','b')", "binary(200)", "text"], True),
        (["text", "text", "blob"], False),
        (["longtext"], False),
        (["json"], False),
        (["geometry"], False),
        (["mediumblob"], False),
    ],
)
def test_a_page_is_asked_for_by_rows_alone_only_where_its_size_has_a_bound(types, bounded):
    reader = TableReader(table(*((f"c{place}", type_, "utf8mb4") for place, type_ in enumerate(types))))
    assert reader.bounded == bounded


def test_a_page_of_the_longest_rows_is_no_burst_however_short_rows_were_before():
    reader = TableReader(table(("a", "text", "utf8mb4")))
    assert reader.page_rows(1, 5_000) * 65_535 <= BURST_BYTES


def test_parts_end_behind_the_row_that_fills_a_page_and_hold_no_more_rows_than_asked_for():
    reader = TableReader(table(("a", "longtext", "utf8mb4")))
    sizes = [10] * 7 + [PAGE_BYTES] + [PAGE_BYTES // 2] * 3 + [1]
    found = list(reader.parts(iter([(bytes(size),) for size in sizes]), 5))
    assert [[len(row[0]) for row in part] for part in found] == [
        [10] * 5,
        [10] * 2 + [PAGE_BYTES],
        [PAGE_BYTES // 2] * 2,
        [PAGE_BYTES // 2, 1],
    ]
    assert list(reader.parts(iter([(None,), (None,)]), 5)) == [[(None,), (None,)]]
    assert list(reader.parts(iter([]), 5)) == []
