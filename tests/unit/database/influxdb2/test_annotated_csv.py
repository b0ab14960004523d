"""Annotated CSV: types, texts, several tables, an error in the middle."""

import pytest

from streamsink.database.influxdb2.annotated_csv import QueryFailedError, nanoseconds, records, rfc3339

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
    b',,2,2026-01-01T00:00:00Z,"a ""b"",\r\n\nc",text,a\r\n'
    b",,2,2026-01-01T00:00:00Z,,text,#datatype\r\n"
    b"\r\n"
)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_values_have_their_types_however_the_bytes_come(size):
    found = list(records(TWO_TABLES[at : at + size] for at in range(0, len(TWO_TABLES), size)))
    assert [(one.kind, repr(one.value)) for one in found] == [
        ("float", "-0.0"),
        ("float", "1.7976931348623157e+308"),
        ("string", repr('a "b",\r\n\nc')),
        ("string", "''"),
    ]
    assert [one.cells["host"] for one in found] == ["a", "b", "a", "#datatype"]


@pytest.mark.parametrize(
    "told",
    [
        b"#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n,it broke,7\r\n",
        b"error,reference\r\nit broke,7\r\n",
    ],
)
@pytest.mark.parametrize("before", [TWO_TABLES, b""])
def test_an_error_in_the_middle_of_an_answer_ends_it(before, told):
    reading = records([before + told])
    with pytest.raises(QueryFailedError, match="it broke"):
        list(reading)


def test_what_is_no_annotated_csv_is_refused():
    with pytest.raises(ValueError, match="names"):
        list(records([b"<html>\r\n<p>,x</p>\r\n"]))


@pytest.mark.parametrize("time", [0, 1, -1, 1_767_225_600_123_456_789, -9223372036854775806, 9223372036854775806])
def test_times_are_exact_to_the_nanosecond(time):
    assert nanoseconds(rfc3339(time)) == time


def test_a_text_that_is_no_time_is_refused():
    with pytest.raises(ValueError, match="no time"):
        nanoseconds("yesterday")
