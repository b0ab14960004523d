import pytest
from pymysql.err import InterfaceError, InternalError, OperationalError, ProgrammingError

from streamsink.database.mariadb.failures import explain, told
from streamsink.errors import SnapshotGoneError, TerminalError, TransientError


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OperationalError(2013, "Lost connection to MySQL server during query"), TransientError),
        (OperationalError(2003, "Can't connect"), TransientError),
        (OperationalError(1040, "Too many connections"), TransientError),
        (OperationalError(1205, "Lock wait timeout exceeded"), TransientError),
        (InterfaceError(0, ""), TransientError),
        (InternalError("Packet sequence number wrong - got 1 expected 2"), TransientError),
        (OperationalError(1412, "Table definition has changed"), SnapshotGoneError),
        (OperationalError(1045, "Access denied for user 'x'"), TerminalError),
        (OperationalError(1142, "SELECT command denied"), TerminalError),
        (ProgrammingError(1146, "Table 'a.b' doesn't exist"), TerminalError),
    ],
)
def test_an_error_of_the_server_is_told_as_what_it_means(error, kind):
    explained = explain(error, "reading shop.orders")
    assert type(explained) is kind
    assert explained.message.startswith("reading shop.orders: ")
    assert explained.hint


@pytest.mark.parametrize("code", [1146, 1054])
def test_a_table_that_is_gone_from_an_open_view_ends_the_snapshot(code):
    with pytest.raises(SnapshotGoneError), told("reading", in_view=True):
        raise ProgrammingError(code, "gone")


def test_a_broken_socket_is_transient():
    with pytest.raises(TransientError), told("reading"):
        raise ConnectionResetError(104, "Connection reset by peer")


def test_an_error_is_one_line_with_the_servers_number():
    assert str(explain(OperationalError(1366, "Incorrect\nvalue"), "loading")).startswith(
        "loading: Incorrect value (error 1366) ("
    )
