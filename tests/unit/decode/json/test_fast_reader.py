"""The fast reader raises doubt wherever Arrow's reader might leave something unread."""

from __future__ import annotations

import pyarrow as pa
import pytest

from streamsink.decode.json.fast_reader import DoubtError, FastReader
from streamsink.decode.json.shape import Kind, Shape

ONE_TEXT = Shape(Kind.STRUCT, fields={"a": Shape(Kind.STRING)})
GOOD = b'{"a":"x"}'


@pytest.mark.parametrize("bad", [b'{"a":"x"}\0}', b'{"a":"\0"}', b'{"a":"x"\0}'])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_nul_anywhere_in_a_batch_raises_doubt(bad: bytes, at: int):
    values = [GOOD, GOOD]
    values.insert(at, bad)
    with pytest.raises(DoubtError):
        FastReader(ONE_TEXT, others_ignored=False).read(pa.array(values, pa.binary()))


def test_a_nul_outside_the_part_of_a_batch_that_is_read_raises_none():
    values = pa.array([b'{"a":"\0"}', GOOD, b'{"a":"\0"}'], pa.binary()).slice(1, 1)
    assert FastReader(ONE_TEXT, others_ignored=False).read(values).arrays[0].to_pylist() == ["x"]
