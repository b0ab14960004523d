"""The rows of many objects tell the same together as those of each alone."""

from collections import Counter
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamsink.archive.content import ALONE_ROWS, HOUR_MS, Content, Rows
from streamsink.record import ENVELOPE, TIMESTAMP_TYPE
from streamsink.runs import Runs

RECORDS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(0, 3)),
        st.one_of(st.none(), st.integers(0, 30)),
        st.one_of(st.none(), st.integers(-2 * HOUR_MS, 2 * HOUR_MS)),
    ),
    max_size=12,
)


def batch(records, *, enveloped=True):
    """Rows whose envelope tells the partition, offset and time of each; a null envelope where it tells none of them."""
    columns = zip(*records, strict=True) if records else [[], [], []]
    types = (pa.int32(), pa.int64(), TIMESTAMP_TYPE)
    fields = [pa.array(list(column), type_) for column, type_ in zip(columns, types, strict=True)]
    nothing = pa.array([set(record) == {None} for record in records], pa.bool_())
    envelope = pa.StructArray.from_arrays(fields, ["partition", "offset", "timestamp"], mask=nothing)
    return pa.record_batch({ENVELOPE if enveloped else "other": envelope, "value": pa.nulls(len(records))})


def expected(records):
    """What the rows tell, record by record."""
    partitions, offsets, times = ([one[at] for one in records if one[at] is not None] for at in range(3))
    return (
        len(records),
        (min(partitions), max(partitions)) if partitions else None,
        told(Runs.of(np.array(offsets, np.int64))) if offsets else None,
        len(offsets),
        Counter(time // HOUR_MS for time in times),
    )


def told(runs):
    return runs.firsts.tolist(), runs.lasts.tolist(), runs.ascending


def found(content: Content):
    runs = None if content.runs is None else told(content.runs)
    return content.records, content.partitions, runs, content.placed, Counter(content.hours)


@pytest.mark.parametrize("alone_rows", [4, ALONE_ROWS])
@given(objects=st.lists(st.lists(RECORDS, max_size=3), max_size=6))
def test_each_object_tells_the_same_as_record_by_record(alone_rows, objects):
    rows = Rows()
    with patch("streamsink.archive.content.ALONE_ROWS", alone_rows):
        for batches in objects:
            rows.add(map(batch, batches))
    whole = [[record for records in batches for record in records] for batches in objects]
    assert list(map(found, rows.contents())) == list(map(expected, whole))


def test_an_object_that_cannot_be_decoded_to_its_end_has_no_rows_and_the_others_have_theirs():
    def broken():
        yield batch([(0, 5, 0)])
        raise ValueError("damaged")

    rows = Rows()
    rows.add([batch([(1, 7, 0)])])
    with pytest.raises(ValueError, match="damaged"):
        rows.add(broken())
    rows.add([batch([(2, 9, 0), (2, 10, 0)])])
    assert [(one.records, one.partitions, one.placed) for one in rows.contents()] == [
        (1, (1, 1), 1),
        (0, None, 0),
        (2, (2, 2), 2),
    ]


def test_rows_without_an_envelope_are_counted_and_a_strange_envelope_is_the_objects_error():
    rows = Rows()
    rows.add([batch([(0, 1, 0)], enveloped=False)])
    for strange in ([1], [{"partition": 1}], [{"partition": 0, "offset": "first", "timestamp": 0}]):
        with pytest.raises((AttributeError, KeyError, pa.ArrowInvalid)):
            rows.add([pa.record_batch({ENVELOPE: strange})])
    assert [found(one) for one in rows.contents()] == [(1, None, None, 0, Counter()), *[found(Content())] * 3]
