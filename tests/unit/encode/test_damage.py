"""Whatever bytes of an object were changed or lost, its reader says so as one error of ours, in bounded time."""

import base64
import contextlib
import io
import random
import time

import fastavro
import pyarrow as pa
import pytest

from streamsink.config.sink import Encoding, FormatKind, Rotation
from streamsink.encode.avro.writer import CODECS
from streamsink.encode.footer import ARROW_SCHEMA, SCHEMA_CHECKSUM, schema_entries, schema_of
from streamsink.encode.formats import make_format
from streamsink.encode.read import open_foreign, open_object, read_footer
from streamsink.encode.stream import SUFFIXES
from streamsink.errors import TerminalError
from tests.unit.encode.test_formats import FOOTER, column_rows, raw_rows

COMBINATIONS = [
    *((FormatKind.PARQUET, codec) for codec in ("zstd", "snappy", "none", "gzip")),
    *((FormatKind.AVRO, codec) for codec in CODECS),
    *((FormatKind.JSONL, codec) for codec in SUFFIXES),
    *((FormatKind.RAW, codec) for codec in SUFFIXES),
]
DAMAGES = 60
READ_S_MAX = 10.0


def an_object(kind, codec):
    rows = raw_rows(12) if kind is FormatKind.RAW else column_rows(9)
    format_ = make_format(Encoding(kind=kind, codec=codec, row_group_bytes=2000), Rotation())
    writer = format_.open(rows.schema, identity="t")
    for _ in range(4):
        writer.append(rows)
    sealed = writer.finish(FOOTER)
    return f"a{format_.extension}", bytes(sealed.data), sealed.sidecar


def damaged(dice, data):
    """Bytes changed, cut off, cut out, doubled, zeroed, or not there at all."""
    broken = bytearray(data)
    at = dice.randrange(len(broken))
    match dice.randrange(6):
        case 0:
            for _ in range(dice.randint(1, 4)):
                broken[dice.randrange(len(broken))] ^= 1 << dice.randrange(8)
        case 1:
            del broken[at:]
        case 2:
            del broken[at : at + dice.randint(1, 16)]
        case 3:
            broken[at:at] = broken[at : at + dice.randint(1, 64)]
        case 4:
            count = min(dice.randint(1, 64), len(broken) - at)
            broken[at : at + count] = bytes(count)
        case _:
            broken[at : at + 8] = b"\xff" * 8
    return bytes(broken)


def read_all(name, data, sidecar):
    reader = open_object(name, data, sidecar)
    reader.footer()
    reader.schema()
    for batch in reader.batches():
        batch.validate()


@pytest.mark.parametrize(("kind", "codec"), COMBINATIONS)
def test_a_damaged_object_or_sidecar_raises_only_the_error_for_damage(kind, codec):
    name, data, sidecar = an_object(kind, codec)
    dice = random.Random(f"{kind}/{codec}")
    found = 0
    for number in range(DAMAGES):
        broken = damaged(dice, data) if sidecar is None or number % 2 else data
        beside = sidecar if broken is not data or sidecar is None else damaged(dice, sidecar)
        started_s = time.monotonic()
        try:
            read_all(name, broken, beside)
        except TerminalError as error:
            found += 1
            assert name in error.message
        with contextlib.suppress(TerminalError):
            read_footer(name, len(broken), lambda at, size, broken=broken: broken[at : at + size])
        with contextlib.suppress(TerminalError):
            for batch in open_foreign(name, broken).batches():
                batch.validate()
        assert time.monotonic() - started_s < READ_S_MAX
    assert found, "damage is noticed"


def test_an_empty_object_is_read_or_refused_by_name():
    for kind, codec in COMBINATIONS:
        name, _, sidecar = an_object(kind, codec)
        try:
            read_all(name, b"", sidecar)
        except TerminalError as error:
            assert name in error.message


def test_a_count_of_records_without_bytes_is_not_believed():
    stream = io.BytesIO()
    fastavro.writer(stream, {"type": "record", "name": "E", "fields": []}, [{}], sync_marker=b"s" * 16)
    data = stream.getvalue()
    head = data[: data.index(b"s" * 16) + 16]
    many = b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f" + b"\0" + b"s" * 16
    with pytest.raises(TerminalError, match="more records than"):
        list(open_object("a.avro", head + many).batches())


@pytest.mark.parametrize("told", [True, False])
def test_a_damaged_arrow_schema_is_refused_before_arrow_believes_it(told):
    good = pa.schema([pa.field("money", pa.decimal128(12, 2))])
    entries = schema_entries(good)
    data = bytearray(base64.b64decode(entries[ARROW_SCHEMA]))
    scales = [place for place in range(len(data)) if data[place : place + 4] == (2).to_bytes(4, "little")]
    met = 0
    for place in scales:
        broken = bytes(data[:place]) + b"what" + bytes(data[place + 4 :])
        damaged_entries = {ARROW_SCHEMA: base64.b64encode(broken).decode()}
        if told:
            damaged_entries[SCHEMA_CHECKSUM] = entries[SCHEMA_CHECKSUM]
        try:
            found = schema_of(damaged_entries)
        except (ValueError, OSError, pa.ArrowException):
            met += 1
            continue
        assert not told
        assert found == good
    assert met
    assert schema_of(entries) == good
