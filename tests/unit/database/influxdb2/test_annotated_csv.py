"""Annotated CSV: types, texts, several tables, an error in the middle."""

import csv
import io
import random

import pytest

from streamsink.database.influxdb2 import annotated_csv
from streamsink.database.influxdb2.annotated_csv import QueryFailedError, nanoseconds, rfc3339, tables

TWO_TABLES = (
    b"#datatype,string,long,dateTime:RFC3339,double,string,string\r\n"
    b"#group,false,false,false,false,true,true\r\n"
    b"#default,_result,,,,,\r\n"
    b",result,table,_time,_value,_field,host\r\n"
    b",,0,2026-01-01T00:00:00.000000001Z,-0,load,a\r\n"
    b",,1,2026-01-01T00:00:01Z,1.7976931348623157e+308,load,b\r\n"
    b"\r\n"
    b"#datatype,string,long,dateTime:RFC3339,string,string,string\r\n"
    b"#group,false,false,false,false,true,true\r\n"
    b"#default,_result,,,,,\r\n"
    b",result,table,_time,_value,_field,host\r\n"
    b',,2,2026-01-01T00:00:00Z,"a ""b"",\r\n\r\nc",text,a\r\n'
    b",,2,2026-01-01T00:00:00Z,,text,#datatype\r\n"
    b"\r\n"
)


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("portion", [1, 100, 10_000])
def test_values_have_their_types_however_the_bytes_come(size, portion, monkeypatch):
    monkeypatch.setattr(annotated_csv, "PORTION_BYTES", portion)
    found = list(tables(TWO_TABLES[at : at + size] for at in range(0, len(TWO_TABLES), size)))
    assert [(rows.kind, repr(value)) for rows in found for value in rows.values.to_pylist()] == [
        ("float", "-0.0"),
        ("float", "1.7976931348623157e+308"),
        ("string", repr('a "b",\n\nc')),
        ("string", "''"),
    ]
    assert [host for rows in found for host in rows.texts("host")] == ["a", "b", "a", "#datatype"]
    assert [int(time) - 1_767_225_600 * 10**9 for rows in found for time in rows.times] == [1, 10**9, 0, 0]


TEXTS = ["", "a", '"', 'a "b",', "\r\n#datatype", "\r\n\r\n,x", "ä🍏", ",,", "null", "-0", "NaN"]
READ = {"double": lambda text: float(text) if text else None, "string": lambda text: text.replace("\r\n", "\n")}


@pytest.mark.parametrize("seed", range(20))
def test_an_answer_read_in_bulk_has_the_cells_of_one_read_row_by_row(seed, monkeypatch):
    chance = random.Random(seed)
    monkeypatch.setattr(annotated_csv, "PORTION_BYTES", chance.choice([1, 50, 300, 10**6]))
    out, wanted = io.StringIO(newline=""), []
    writer = csv.writer(out)
    for number in range(chance.randrange(1, 8)):
        kind, tags = chance.choice(list(READ)), chance.choice([["host"], ["host", 'a "tag",'], []])
        names = ["result", "table", "_value", *tags]
        writer.writerows([["#datatype", "string", "long", kind, *("string" for _ in tags)], ["", *names]])
        for _ in range(chance.randrange(0, 6)):
            value = chance.choice(TEXTS if kind == "string" else ["", "-0", "1.5", "5e-324", "0.1"])
            cells = ["_result", str(number), value, *(chance.choice(TEXTS) for _ in tags)]
            writer.writerow(["", *cells])
            wanted.append((kind, repr(READ[kind](value)), dict(zip(names[2:], cells[2:], strict=True))))
        writer.writerow([])
    data = out.getvalue().encode()
    found = []
    for rows in tables([data[:100], data[100:]]):
        cells = [dict(zip(rows.cells, each, strict=True)) for each in zip(*map(rows.texts, rows.cells), strict=True)]
        kind = {"float": "double"}.get(rows.kind, rows.kind)
        found += [(kind, repr(value), each) for value, each in zip(rows.values.to_pylist(), cells, strict=True)]
    assert sorted(found, key=str) == sorted(wanted, key=str)


def test_a_text_that_is_not_utf8_is_told_from_what_is_no_answer():
    with pytest.raises(UnicodeDecodeError):
        list(tables([TWO_TABLES.replace(b"text", b"t\xff")]))
    with pytest.raises(ValueError, match="Expected"):
        list(tables([TWO_TABLES.replace(b",load,b", b",load")]))


@pytest.mark.parametrize(
    "told",
    [
        b"#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n,it broke,7\r\n",
        b"error,reference\r\nit broke,7\r\n",
    ],
)
@pytest.mark.parametrize("before", [TWO_TABLES, b""])
def test_an_error_in_the_middle_of_an_answer_ends_it(before, told):
    reading = tables([before + told])
    with pytest.raises(QueryFailedError, match="it broke"):
        list(reading)


def test_what_is_no_annotated_csv_is_refused():
    with pytest.raises(ValueError, match="names"):
        list(tables([b"<html>\r\n<p>,x</p>\r\n"]))


@pytest.mark.parametrize("time", [0, 1, -1, 1_767_225_600_123_456_789, -9223372036854775806, 9223372036854775806])
def test_times_are_exact_to_the_nanosecond(time):
    assert nanoseconds(rfc3339(time)) == time
    head = b"#datatype,dateTime:RFC3339\r\n,_time\r\n"
    [rows] = tables([head + f",{rfc3339(time)}\r\n,{rfc3339(time)}".encode()])
    assert rows.times.tolist() == [time, time]


def test_a_text_that_is_no_time_is_refused():
    with pytest.raises(ValueError, match="no time"):
        nanoseconds("yesterday")
