"""Every format and codec: what was written comes back, row for row."""

import datetime as dt
import decimal
import io
import random

import fastavro
import pyarrow as pa
import pytest

from streamsink.config.sink import Encoding, FormatKind, Rotation
from streamsink.encode.avro.writer import CODECS
from streamsink.encode.formats import make_format
from streamsink.encode.parquet import EXTENSIONS
from streamsink.encode.read import open_object, read_footer
from streamsink.encode.stream import SUFFIXES
from streamsink.errors import TerminalError
from streamsink.record import ENVELOPE, ENVELOPE_FIELDS

COMBINATIONS = [
    *((FormatKind.PARQUET, codec) for codec in EXTENSIONS),
    *((FormatKind.AVRO, codec) for codec in CODECS),
    *((FormatKind.JSONL, codec) for codec in SUFFIXES),
    *((FormatKind.RAW, codec) for codec in SUFFIXES),
]
FOOTER = {"streamsink.topic": "lögs", "streamsink.first_offset": "3"}


def envelopes(count, first=3):
    headers = [[], [{"key": "h", "value": b"v"}, {"key": "h", "value": None}], [{"key": "", "value": b""}]]
    return [
        {
            "partition": 2,
            "offset": first + 2 * at,
            "timestamp": None if at % 5 == 4 else dt.datetime(1970 + at, 1, 1, tzinfo=dt.UTC),
            "timestamp_type": at % 3,
            "key": [None, b"", b"\x00\xff", b"key"][at % 4],
            "headers": headers[at % 3],
        }
        for at in range(count)
    ]


def raw_rows(count=12):
    values = [None, b"", b"plain", b"two\nlines\n", bytes(range(256)), "ünï".encode()]
    return pa.RecordBatch.from_pydict(
        {
            ENVELOPE: pa.array(envelopes(count), pa.struct(ENVELOPE_FIELDS)),
            "value": pa.array([values[at % len(values)] for at in range(count)], pa.binary()),
        },
        schema=pa.schema(
            [pa.field(ENVELOPE, pa.struct(ENVELOPE_FIELDS), nullable=False), pa.field("value", pa.binary())]
        ),
    )


def column_rows(count=9):
    return pa.RecordBatch.from_pydict(
        {
            ENVELOPE: pa.array(envelopes(count), pa.struct(ENVELOPE_FIELDS)),
            "n": pa.array([None if at == 3 else at * 10**at * (-1) ** at for at in range(count)], pa.int64()),
            "x": pa.array([at / 7 for at in range(count)], pa.float64()),
            "ok": pa.array([at % 2 == 0 for at in range(count)]),
            "text with-odd.name": pa.array([None if at == 1 else "ü" * at for at in range(count)]),
            "1st": pa.array(list(range(count)), pa.int32()),
            "list": pa.array([None if at == 2 else list(range(at % 4)) for at in range(count)], pa.list_(pa.int64())),
            "nested": pa.array(
                [None if at == 4 else {"a": "x" * at, "b c": [{"d": at}, None]} for at in range(count)],
                pa.struct([("a", pa.string()), ("b c", pa.list_(pa.struct([("d", pa.int64())])))]),
            ),
            "day": pa.array([dt.date(1960 + at, 2, 3) for at in range(count)]),
            "when": pa.array([at * 1_000_001 for at in range(count)], pa.timestamp("us", "UTC")),
            "money": pa.array([decimal.Decimal(at * -12345) / 100 for at in range(count)], pa.decimal128(12, 2)),
            "tags": pa.array(
                [[("k", at), ("ü", None)][: at % 3] for at in range(count)], pa.map_(pa.string(), pa.int64())
            ),
            "nothing": pa.nulls(count),
        }
    )


def write(kind, codec, batches, **limits):
    rotation = Rotation(size_bytes=None, **limits)
    format_ = make_format(Encoding(kind=kind, codec=codec, row_group_bytes=700), rotation)
    writer = format_.open(batches[0].schema, identity="logs-0/3")
    for batch in batches:
        writer.append(batch)
    return format_, writer.finish(FOOTER)


def read(format_, encoded):
    return open_object(f"x{format_.extension}", bytes(encoded.data), encoded.sidecar)


@pytest.mark.parametrize(("kind", "codec"), COMBINATIONS)
def test_raw_rows_come_back_as_they_were(kind, codec):
    rows = raw_rows(60)
    format_, encoded = write(kind, codec, [rows.slice(0, 20), rows.slice(20, 1), rows.slice(21)])
    back = [row for batch in read(format_, encoded).batches() for row in batch.to_pylist()]
    assert back == rows.to_pylist()


@pytest.mark.parametrize(("kind", "codec"), [c for c in COMBINATIONS if c[0] != FormatKind.RAW])
def test_columns_come_back_as_they_were(kind, codec):
    rows = column_rows()
    format_, encoded = write(kind, codec, [rows.slice(0, 4), rows.slice(4)])
    back = pa.Table.from_batches(read(format_, encoded).batches())
    assert back.to_pylist() == rows.to_pylist()


@pytest.mark.parametrize(("kind", "codec"), COMBINATIONS)
def test_equal_rows_give_equal_bytes(kind, codec):
    first, second = (write(kind, codec, [raw_rows(30)])[1] for _ in range(2))
    assert bytes(first.data) == bytes(second.data)
    assert (first.sha256, first.sidecar) == (second.sha256, second.sidecar)


@pytest.mark.parametrize("kind", [FormatKind.PARQUET, FormatKind.AVRO])
def test_the_footer_is_read_without_the_rows(kind):
    format_, encoded = write(kind, "snappy", [raw_rows(50)])
    data = bytes(encoded.data)
    asked = []

    def get_range(start, length):
        asked.append(length)
        begin = len(data) + start if start < 0 else start
        return data[begin : begin + length]

    assert read_footer(f"x{format_.extension}", len(data), get_range) == FOOTER
    assert read(format_, encoded).footer() == FOOTER
    assert format_.keeps_footer
    assert len(asked) <= 2


def test_avro_objects_are_avro_to_others():
    rows = raw_rows(5)
    _, encoded = write(FormatKind.AVRO, "deflate", [rows])
    reader = fastavro.reader(io.BytesIO(bytes(encoded.data)))
    assert [record["value"] for record in reader] == rows.column("value").to_pylist()
    fields = {field["name"]: field["type"] for field in reader.writer_schema["fields"]}
    assert fields["value"] == ["null", "bytes"]
    inner = {field["name"]: field["type"] for field in fields[ENVELOPE]["fields"]}
    assert {"type": "long", "logicalType": "timestamp-millis"} in inner["timestamp"]


def test_json_lines_are_json_a_person_can_read():
    rows = pa.RecordBatch.from_pydict(
        {ENVELOPE: pa.array(envelopes(1), pa.struct(ENVELOPE_FIELDS)), "level": ["INFO"], "n": [1]}
    )
    _, encoded = write(FormatKind.JSONL, "none", [rows])
    assert bytes(encoded.data) == (
        b'{"_kafka":{"partition":2,"offset":3,"timestamp":0,"timestamp_type":0,"key":null,"headers":[]},'
        b'"level":"INFO","n":1}\n'
    )


def test_raw_objects_are_values_with_a_separator_after_each():
    _, encoded = write(FormatKind.RAW, "none", [raw_rows(4)])
    assert bytes(encoded.data) == b"\nplain\ntwo\nlines\n\n"


def test_the_raw_format_refuses_decoded_columns():
    with pytest.raises(TerminalError, match="undecoded"):
        write(FormatKind.RAW, "none", [column_rows()])


def sized_file(make_batch, size_bytes):
    """Append slices of a quarter of the limit until the writer says full, as the machine does."""
    format_ = make_format(Encoding(row_group_bytes=16 << 20), Rotation(size_bytes=size_bytes))
    writer, at = None, 0
    while writer is None or writer.size_bytes < size_bytes:
        batch = make_batch(at, size_bytes // 4)
        writer = writer or format_.open(batch.schema, identity="x")
        writer.append(batch)
        at += 1
    return len(writer.finish({}).data)


def test_no_file_is_larger_than_twice_its_limit_whatever_the_data_turns_into():
    dice = random.Random(5)

    def compressible(_, size):
        return pa.RecordBatch.from_pydict({"value": [b"a" * 1000] * (size // 1000)})

    def incompressible(_, size):
        return pa.RecordBatch.from_pydict({"value": [dice.randbytes(1000) for _ in range(size // 1000)]})

    def turning(at, size):
        return compressible(at, size) if at < 40 else incompressible(at, size)

    for make_batch in (incompressible, turning):
        size = sized_file(make_batch, 200_000)
        assert 160_000 <= size <= 400_000, size
    assert 80_000 <= sized_file(compressible, 100_000) <= 200_000


def test_memory_is_counted_and_given_back_by_a_flush():
    format_ = make_format(Encoding(row_group_bytes=1 << 20), Rotation(size_bytes=None))
    batch = pa.RecordBatch.from_pydict({"value": [b"b" * 500] * 1000})
    writer = format_.open(batch.schema, identity="x")
    writer.append(batch)
    assert writer.pending_bytes >= 500_000
    assert writer.memory_bytes >= writer.pending_bytes
    writer.flush()
    assert writer.pending_bytes == 0
    assert writer.memory_bytes < 50_000


def test_many_tiny_batches_are_joined():
    format_ = make_format(Encoding(), Rotation(size_bytes=None))
    batch = pa.RecordBatch.from_pydict({"value": [b"x"]})
    writer = format_.open(batch.schema, identity="x")
    for _ in range(1000):
        writer.append(batch)
    assert len(writer._pending) <= 65
    assert sum(b.num_rows for b in open_object("x.zstd.parquet", bytes(writer.finish({}).data)).batches()) == 1000


@pytest.mark.parametrize(("kind", "codec"), COMBINATIONS)
def test_damaged_objects_are_refused_in_words(kind, codec):
    format_, encoded = write(kind, codec, [raw_rows(60)])
    data = bytes(encoded.data)[:-7]
    with pytest.raises(TerminalError, match="x"):
        list(open_object(f"x{format_.extension}", data, encoded.sidecar).batches())


@pytest.mark.parametrize(
    ("kind", "codec"), [(FormatKind.PARQUET, "none"), (FormatKind.PARQUET, "snappy"), (FormatKind.AVRO, "snappy")]
)
def test_a_value_changed_in_its_block_or_page_is_refused_by_its_checksum(kind, codec):
    value = random.Random(1).randbytes(4000)
    rows = pa.RecordBatch.from_pydict({"value": [value]})
    format_ = make_format(Encoding(kind=kind, codec=codec), Rotation())
    writer = format_.open(rows.schema, identity="x")
    writer.append(rows)
    data = bytearray(writer.finish({}).data)
    data[data.index(value[1000:1100])] ^= 1
    with pytest.raises(TerminalError, match=r"checksum|CRC"):
        list(open_object(f"x{format_.extension}", bytes(data)).batches())


DAY_MS = 86_400_000
ODD = {
    "ms": (pa.timestamp("ms", "UTC"), [9223372036825200000, 253402300800000, -62135596800001, 1000, None, -(2**63)]),
    "us": (pa.timestamp("us"), [-62135596800000000, 253402300799999999, 2**63 - 1, 0]),
    "ns": (pa.timestamp("ns", "UTC"), [-(2**63), -(2**63) + 1, 2**63 - 1, 1]),
    "day": (pa.date32(), [2147483647, -2147483648, 2932897, -719163, 0, None]),
    "time": (pa.time32("ms"), [0, DAY_MS, -1, DAY_MS - 1, None, 2**31 - 1]),
    "time us": (pa.time64("us"), [1, DAY_MS * 1000, -(2**63)]),
    "time ns": (pa.time64("ns"), [1, DAY_MS * 1_000_000 - 1, DAY_MS * 1_000_000]),
    "duration": (pa.duration("ns"), [-(2**63), 2**63 - 1, None]),
}


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("kind", [FormatKind.PARQUET, FormatKind.AVRO, FormatKind.JSONL])
def test_times_that_have_no_usual_text_come_back(kind, name, nested):
    type_, counts = ODD[name]
    bits = pa.int32() if type_.bit_width == 32 else pa.int64()
    column = pa.array(counts, bits).view(type_)
    if nested:
        inner = pa.StructArray.from_arrays([column], names=["x"])
        column = pa.ListArray.from_arrays(pa.array(range(len(counts) + 1), pa.int32()), inner)
    assert written_and_read(kind, pa.table({"a": column})).column("a").combine_chunks().equals(column)


@pytest.mark.parametrize("type_", [pa.float64(), pa.float32()])
@pytest.mark.parametrize("kind", [FormatKind.PARQUET, FormatKind.AVRO, FormatKind.JSONL])
def test_numbers_that_are_not_finite_come_back(kind, type_):
    given = [float("nan"), float("inf"), float("-inf"), None, -0.0, 1.5, 2.0**100, 5e-324]
    column = pa.array(given, type_)
    found = written_and_read(kind, pa.table({"a": column, "l": [[value] for value in given]}))
    assert str(found.column("a").to_pylist()) == str(column.to_pylist())
    assert str(found.column("l").to_pylist()) == str([[value] for value in given])


def test_json_lines_say_what_json_has_no_number_for_as_connect_does():
    data, _ = written(FormatKind.JSONL, pa.table({"f": [float("nan"), float("inf"), float("-inf"), 1.0]}))
    assert data.splitlines() == [b'{"f":"NaN"}', b'{"f":"Infinity"}', b'{"f":"-Infinity"}', b'{"f":1.0}']


def test_json_lines_that_lost_their_sidecar_can_be_read_whatever_is_in_them():
    given = pa.table({"f": [float("nan"), 1.0], "t": pa.array([2**60, 0], pa.timestamp("ms")), "n": [1, 2]})
    data, _ = written(FormatKind.JSONL, given)
    (batch,) = open_object("a.json", data).batches()
    assert batch.column("n").to_pylist() == [1, 2]
    assert batch.column("f").to_pylist() == ['"NaN"', "1.0"]


def written(kind, table):
    writer = make_format(Encoding(kind=kind, codec="none"), Rotation()).open(table.schema, identity="t")
    for batch in table.to_batches():
        writer.append(batch)
    sealed = writer.finish(FOOTER)
    return bytes(sealed.data), sealed.sidecar


def written_and_read(kind, table):
    names = {FormatKind.PARQUET: "a.parquet", FormatKind.AVRO: "a.avro", FormatKind.JSONL: "a.json"}
    data, sidecar = written(kind, table)
    return pa.Table.from_batches(open_object(names[kind], data, sidecar).batches())


@pytest.mark.parametrize("kind", [FormatKind.PARQUET, FormatKind.AVRO, FormatKind.JSONL])
def test_an_object_that_is_null_comes_back_whatever_times_are_in_it(kind):
    times = [("at", pa.timestamp("ms", "UTC")), ("day", pa.date32())]
    inner = pa.struct([*times, ("n", pa.decimal128(5, 2)), ("raw", pa.binary())])
    given = pa.array([None, {"at": 5, "day": 1, "n": decimal.Decimal("1.50"), "raw": b"x"}, {"at": None}], inner)
    assert written_and_read(kind, pa.table({"o": given})).column("o").to_pylist() == given.to_pylist()
