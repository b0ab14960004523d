"""The contract of `streamsink/database/protocol.py`, clause by clause, on a real server of each kind."""

import orjson
import pyarrow as pa
import pytest

from streamsink.database.digest import RowDigest
from streamsink.database.protocol import Point
from streamsink.errors import SnapshotGoneError, TerminalError, TransientError
from tests.contract.databases import BACKENDS, ORDERS

ROWS = 300


@pytest.fixture(scope="module", params=list(BACKENDS))
def backend(request):
    return BACKENDS[request.param](request)


@pytest.fixture
def name(backend, unique):
    """A database with rows."""
    shop = unique.replace("-", "_")
    backend.fill(shop, ROWS)
    return shop


@pytest.fixture
def opened():
    """Closes what a test opens."""
    things = []

    def keep(thing):
        things.append(thing)
        return thing

    yield keep
    for thing in things:
        thing.close()


def table_of(snapshot, wanted=ORDERS):
    return next(table for table in snapshot.tables if table.name == wanted)


def pairs(snapshot, table, *, after=None, batch_rows=77):
    found = []
    for batch in snapshot.rows(table, after=after, batch_rows=batch_rows):
        assert 0 < len(batch.keys) == len(batch.values) <= batch_rows
        found += zip(batch.keys.to_pylist(), batch.values.to_pylist(), strict=True)
    return found


def read(opened, database, *at):
    snapshot = opened(database.snapshot([ORDERS], *at))
    return pairs(snapshot, table_of(snapshot))


def row_digest(snapshot, table, batch_rows=100):
    """What a restore compares where the database has no digest."""
    rows = snapshot.rows(table, after=None, batch_rows=batch_rows)
    return RowDigest(keyed=bool(table.key)).add_all(rows).text()


def copy(snapshot, restore, tables):
    for table in tables:
        restore.create(table)
        for batch in snapshot.rows(table, after=None, batch_rows=100):
            restore.load(table, batch)
    restore.finish(snapshot.structure, tables)


def test_a_snapshot_has_every_table_with_its_structure_as_json(backend, name, opened):
    snapshot = opened(backend.open(name).snapshot([]))
    assert {table.name for table in snapshot.tables} == {ORDERS, *backend.others}
    for table in snapshot.tables:
        assert orjson.loads(orjson.dumps(table.structure)) == table.structure
        assert table.converter in {"json", "bson"}
    assert orjson.loads(orjson.dumps(snapshot.structure)) == snapshot.structure
    assert orjson.loads(orjson.dumps(snapshot.point.position)) == snapshot.point.position
    assert snapshot.point.words


def test_rows_come_once_each_in_key_order_in_batches_no_larger_than_asked_for(backend, name, opened):
    snapshot = opened(backend.open(name).snapshot([]))
    rows = pairs(snapshot, table_of(snapshot))
    assert [key for key, _ in rows] == [backend.key(number) for number in range(ROWS)]
    for other, count in backend.others.items():
        assert len(pairs(snapshot, table_of(snapshot, other))) == count
    assert table_of(snapshot).rows_estimate in {None, ROWS} or table_of(snapshot).rows_estimate > 0


def test_keys_are_json_objects_of_the_keys_fields_and_null_without_a_key(backend, name, opened):
    snapshot = opened(backend.open(name).snapshot([]))
    for table in snapshot.tables:
        for key, _ in pairs(snapshot, table):
            assert (key is None) == (not table.key)
            assert key is None or tuple(orjson.loads(key)) == table.key


def test_what_is_written_meanwhile_is_not_in_the_view(backend, name, opened):
    snapshot = opened(backend.open(name).snapshot([ORDERS]))
    reading = snapshot.rows(table_of(snapshot), after=None, batch_rows=100)
    first = next(reading)
    backend.write(name)
    rest = [pair for batch in reading for pair in zip(batch.keys.to_pylist(), batch.values.to_pylist(), strict=True)]
    if not backend.isolated:
        # What isn't touched is there once and whole, and the words say what the rest may be.
        found = dict([*zip(first.keys.to_pylist(), first.values.to_pylist(), strict=True), *rest])
        before = {backend.key(number) for number in range(ROWS)}
        assert len(found) == len(first.keys) + len(rest)
        assert before - found.keys() <= {backend.key(3)}
        assert len(found.keys() - before) <= 3
        assert "when it was read" in snapshot.point.words
        return
    again = pairs(snapshot, table_of(snapshot))
    assert [*zip(first.keys.to_pylist(), first.values.to_pylist(), strict=True), *rest] == again
    assert [key for key, _ in again] == [backend.key(number) for number in range(ROWS)]
    assert backend.count(name, ORDERS) == ROWS + 2


@pytest.mark.parametrize("behind", [0, 1, 76, 77, ROWS - 2, ROWS - 1])
def test_reading_goes_on_behind_any_key(backend, name, opened, behind):
    snapshot = opened(backend.open(name).snapshot([ORDERS]))
    table = table_of(snapshot)
    whole = pairs(snapshot, table)
    assert pairs(snapshot, table, after=whole[behind][0]) == whole[behind + 1 :]


def test_a_point_that_returns_is_the_same_view_once_more(backend, name, opened):
    first = opened(backend.open(name).snapshot([ORDERS]))
    point, rows = first.point, pairs(first, table_of(first))
    if not point.returns:
        return
    first.close()
    backend.write(name)
    second = opened(backend.open(name).snapshot([ORDERS], Point(point.position, returns=True)))
    assert second.point == point
    assert pairs(second, table_of(second)) == rows


def test_only_the_tables_asked_for_are_in_it_and_a_missing_one_is_named(backend, name, opened):
    snapshot = opened(backend.open(name).snapshot([ORDERS]))
    assert [table.name for table in snapshot.tables] == [ORDERS]
    with pytest.raises(TerminalError, match="nowhere"):
        opened(backend.open(name).snapshot([ORDERS, "nowhere"]))


def test_a_restore_gives_the_same_rows_and_the_same_digests(backend, name, opened):
    snapshot = opened(backend.open(name).snapshot([]))
    restore = opened(backend.open(f"{name}_copy").restore())
    copy(snapshot, restore, snapshot.tables)
    restored = opened(backend.open(f"{name}_copy").snapshot([]))
    for table in snapshot.tables:
        before, after = pairs(snapshot, table), pairs(restored, table_of(restored, table.name))
        assert (before if table.key else sorted(before)) == (after if table.key else sorted(after))
        told = snapshot.digest(table)
        assert told in {"", restore.digest(table)}
        assert row_digest(snapshot, table) == row_digest(restored, table_of(restored, table.name))
    assert bool(snapshot.digest(table_of(snapshot))) == backend.digests
    assert restored.structure == snapshot.structure
    for table in snapshot.tables:
        assert table_of(restored, table.name).structure == table.structure


def test_a_digest_differs_where_a_row_does(backend, name, opened):
    snapshot = opened(backend.open(name).snapshot([ORDERS]))
    table = table_of(snapshot)
    restore = opened(backend.open(f"{name}_copy").restore())
    copy(snapshot, restore, [table])
    before = row_digest(snapshot, table)
    assert before == row_digest(snapshot, table, batch_rows=7)
    assert restore.digest(table) == snapshot.digest(table)
    rows = next(snapshot.rows(table, after=None, batch_rows=1))
    restore.delete(table, rows.keys)
    assert (restore.digest(table) != snapshot.digest(table)) == backend.digests
    restored = opened(backend.open(f"{name}_copy").snapshot([ORDERS]))
    assert row_digest(restored, table_of(restored)) != before


def test_loading_twice_leaves_what_loading_once_does(backend, name, opened):
    snapshot = opened(backend.open(name).snapshot([ORDERS]))
    table = table_of(snapshot)
    restore = opened(backend.open(f"{name}_copy").restore())
    restore.create(table)
    for batch in snapshot.rows(table, after=None, batch_rows=100):
        restore.load(table, batch)
        restore.load(table, batch)
    restore.load(table, next(snapshot.rows(table, after=None, batch_rows=10)))
    restore.finish(snapshot.structure, [table])
    restored = opened(backend.open(f"{name}_copy").snapshot([ORDERS]))
    assert pairs(restored, table_of(restored)) == pairs(snapshot, table)


def test_rows_are_replaced_and_deleted_by_key_and_an_absent_key_is_no_error(backend, name, opened):
    before = opened(backend.open(name).snapshot([ORDERS]))
    table = table_of(before)
    old = pairs(before, table)
    backend.write(name)
    now = opened(backend.open(name).snapshot([ORDERS]))
    changed = dict(pairs(now, table_of(now)))
    restore = opened(backend.open(f"{name}_copy").restore())
    copy(before, restore, [table])
    for batch in now.rows(table, after=None, batch_rows=100):
        restore.load(table, batch)
    gone = [key for key, _ in old if key not in changed]
    assert gone == [backend.key(3)]
    restore.delete(table, pa.array([], pa.binary()))
    restore.delete(table, pa.array([*gone, *gone, backend.key(ROWS + 7)], pa.binary()))
    restored = opened(backend.open(f"{name}_copy").snapshot([ORDERS]))
    assert dict(pairs(restored, table_of(restored))) == changed


def test_an_empty_table_that_exists_is_made_anew_and_one_with_rows_is_refused(backend, name, opened):
    snapshot = opened(backend.open(name).snapshot([ORDERS]))
    table = table_of(snapshot)
    restore = opened(backend.open(f"{name}_copy").restore())
    restore.create(table)
    restore.create(table)
    restore.load(table, next(snapshot.rows(table, after=None, batch_rows=5)))
    with pytest.raises(TerminalError, match=ORDERS):
        restore.create(table)
    assert backend.count(f"{name}_copy", ORDERS) == 5


def test_the_grants_of_the_documentation_are_enough_to_read(backend, name, opened):
    snapshot = opened(backend.open_as_reader(name).snapshot([]))
    for table in snapshot.tables:
        pairs(snapshot, table)
        snapshot.digest(table)


def test_a_user_who_may_not_read_is_told_which_grants_are_needed(backend, name, opened):
    with pytest.raises(TerminalError) as raised:
        read(opened, backend.open_as_stranger(name))
    assert raised.value.hint


def test_a_server_that_is_away_is_a_transient_error(backend, name, opened):
    database = backend.open_away(name)
    assert database.name == name
    with pytest.raises(TransientError):
        opened(database.snapshot([]))
    with pytest.raises(TransientError):
        opened(database.restore())


def test_closing_twice_is_no_error(backend, name):
    for thing in (backend.open(name).snapshot([ORDERS]), backend.open(name).restore()):
        thing.close()
        thing.close()


def test_a_view_that_the_server_no_longer_keeps_is_told_with_what_helps(backend, name, opened):
    snapshot = opened(backend.open(name).snapshot([ORDERS]))
    if not backend.gone:
        assert not snapshot.point.returns
        return
    old = Point({**snapshot.point.position, **backend.old_position}, returns=True)
    with pytest.raises(SnapshotGoneError) as raised:
        opened(backend.open(name).snapshot([ORDERS], old))
    assert backend.gone in raised.value.hint
