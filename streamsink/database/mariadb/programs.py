"""Reads views, routines, events and sequences, and says which of them the user may not read."""

from __future__ import annotations

from pymysql.err import Error

from streamsink.database.mariadb.columns import quoted
from streamsink.database.mariadb.connection import Connection
from streamsink.database.mariadb.failures import is_servers
from streamsink.database.mariadb.structure import own_sequences, sequence
from streamsink.database.protocol import Json

_NEEDED = {"SHOW VIEW": "views", "TRIGGER": "triggers", "EVENT": "events"}


def programs(connection: Connection, database: str) -> Json:
    """The structure of a database as a whole, without its sequences' numbers.

    Args:
        connection: In no transaction: a view of a sequence can't be shown in one that only reads.
        database: Its name; the session has it chosen.

    Returns:
        Views, routines and events with their SQL, the character set, and in words what the user may not read.
    """
    schema = connection.literal(database)
    charset, collation = connection.words(
        "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA "
        f"WHERE SCHEMA_NAME = {schema}"
    )[0]
    named = f"FROM information_schema.TABLES WHERE TABLE_SCHEMA = {schema} AND TABLE_TYPE"
    left_out: list[str] = []
    found: dict[str, list[Json]] = {"views": [], "routines": [], "events": []}
    wanted = [("VIEW", name) for (name,) in connection.words(f"SELECT TABLE_NAME {named} = 'VIEW' ORDER BY 1")]
    routines = connection.words(
        "SELECT ROUTINE_TYPE, ROUTINE_NAME FROM information_schema.ROUTINES "
        f"WHERE ROUTINE_SCHEMA = {schema} ORDER BY ROUTINE_TYPE = 'PACKAGE BODY', 1, 2"
    )
    wanted += [(kind, name) for kind, name in routines]
    events = f"SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = {schema} ORDER BY 1"
    wanted += [("EVENT", name) for (name,) in connection.words(events)]
    for kind, name in wanted:
        program = _program(connection, kind, name)
        if isinstance(program, str):
            left_out.append(f"{kind.lower()} {name} ({program})")
        else:
            found[{"VIEW": "views", "EVENT": "events"}.get(kind, "routines")].append(program)
    return {
        "server": connection.word("SELECT VERSION()"),
        "charset": charset,
        "collation": collation,
        **found,
        "left_out": left_out + _unseen(connection, schema),
    }


def sequences(connection: Connection, database: str) -> list[Json]:
    """Read all sequences, with the numbers that they give next.

    Args:
        connection: The session has the database chosen.
        database: Its name.

    Returns:
        One object for each, by name; see `sequence`.
    """
    rows = connection.words(
        f"SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = {connection.literal(database)} "
        "AND TABLE_TYPE = 'SEQUENCE' ORDER BY 1"
    )
    return [sequence(connection, name) for (name,) in rows]


def _program(connection: Connection, kind: str, name: str) -> Json | str:
    """A view, routine or event; why not, where the server doesn't show it."""
    try:
        row = connection.words(f"SHOW CREATE {kind} {quoted(name)}")[0]
    except Error as error:
        if not is_servers(error):
            raise
        return str(error.args[-1])
    match kind:
        case "VIEW":
            sql = own_sequences(row[1], connection.address.database)
            program = {"sql": sql, "charset": row[2], "collation": row[3]}
        case "EVENT":
            program = {"sql_mode": row[1], "time_zone": row[2], "sql": row[3], "charset": row[4], "collation": row[5]}
        case _:
            program = {"sql_mode": row[1], "sql": row[2], "charset": row[3], "collation": row[4]}
    return {"kind": kind, "name": name, **program} if program["sql"] else "the user may not read its text"


def _unseen(connection: Connection, schema: str) -> list[str]:
    """Name the programs that may exist unseen, since the user lacks a privilege."""
    granted = {
        privilege
        for (privilege,) in connection.words(
            "SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES UNION SELECT PRIVILEGE_TYPE "
            f"FROM information_schema.SCHEMA_PRIVILEGES WHERE {schema} LIKE TABLE_SCHEMA"
        )
    }
    unseen = [
        f"{what}, if there are any: the user lacks {name}" for name, what in _NEEDED.items() if name not in granted
    ]
    may_read_routines = connection.words(
        "SELECT 1 FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE = 'SELECT' UNION "
        "SELECT 1 FROM information_schema.SCHEMA_PRIVILEGES WHERE PRIVILEGE_TYPE = 'SELECT' AND TABLE_SCHEMA = 'mysql' "
        "UNION SELECT 1 FROM information_schema.TABLE_PRIVILEGES WHERE PRIVILEGE_TYPE = 'SELECT' "
        "AND TABLE_SCHEMA = 'mysql' AND TABLE_NAME = 'proc'"
    )
    if not may_read_routines:
        unseen.append("routines of others, if there are any: the user lacks SELECT ON mysql.proc")
    return unseen
