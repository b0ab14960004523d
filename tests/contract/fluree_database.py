"""Fluree as the contract's databases have it: its own engine, behind a thin front of ours."""

from collections.abc import Mapping

import urllib3

from streamsink.database.fluree import open_database
from streamsink.database.protocol import Database
from tests.servers.fluree_stub import ADMIN, READER, STRANGER, FlureeServer

XSD = "http://www.w3.org/2001/XMLSchema#"


class FlureeBackend:
    """Fluree."""

    others: Mapping[str, int] = {"default": 2, "http://shop.example/ä?x=1#y": 1}
    gone = "dropped and made anew"
    old_position: Mapping[str, object] = {"t": 10**6}
    isolated = True
    digests = False

    def __init__(self, server: FlureeServer) -> None:
        self.server = server

    def open(self, name: str) -> Database:
        return open_database(self.server.url(name), {"token": ADMIN})

    def open_as_reader(self, name: str) -> Database:
        return open_database(self.server.url(name), {"token": READER})

    def open_as_stranger(self, name: str) -> Database:
        return open_database(self.server.url(name), {"token": STRANGER})

    def open_away(self, name: str) -> Database:
        return open_database(f"fluree+http://127.0.0.1:1/{name}", {})

    def fill(self, name: str, rows: int) -> None:
        self._send("create", f'{{"ledger": "{name}"}}')
        for start in range(0, rows, 5_000):
            facts = "\n".join(every_type(number) for number in range(start, min(rows, start + 5_000)))
            self._update(name, f"INSERT DATA {{ GRAPH <orders> {{ {facts} }} }}")
        self._update(
            name,
            'INSERT DATA { <http://z> <http://p> "1" . <http://a> <http://p> 1, <http://b>, "ä"@de-AT . '
            "<http://a/b> a <http://class> ; <http://p> _:one }",
        )
        self._update(name, r"INSERT DATA { GRAPH <http://shop.example/ä?x=1#y> { <urn:x:y> <urn:p> 0.0e0 } }")
        self._update(name, 'DELETE DATA { <http://z> <http://p> "1" }')

    def write(self, name: str) -> None:
        for subject in ("http://shop.example/0", _subject(1) + "a", "http://shop.example/z"):
            self._update(name, f"INSERT DATA {{ GRAPH <orders> {{ <{subject}> <urn:number> 7 }} }}")
        old, new = "GRAPH <orders> { ?s <urn:text> ?o }", f'GRAPH <orders> {{ <{_subject(2)}> <urn:text> "another" }}'
        self._update(name, f"DELETE {{ {old} }} INSERT {{ {new} }} WHERE {{ VALUES ?s {{ <{_subject(2)}> }} {old} }}")
        self._update(name, f"DELETE WHERE {{ GRAPH <orders> {{ <{_subject(3)}> ?p ?o }} }}")

    def _update(self, name: str, sparql: str) -> None:
        self._send(f"update/{name}", sparql)

    def _send(self, call: str, body: str) -> None:
        url = f"http://127.0.0.1:{self.server.port}/v1/fluree/{call}"
        headers = {"Authorization": f"Bearer {ADMIN}"}
        answer = urllib3.request("POST", url, body=body.encode(), headers=headers, timeout=60, retries=False)
        assert answer.status < 300, answer.data

    def count(self, name: str, table: str) -> int:
        snapshot = self.open(name).snapshot([table])
        try:
            return sum(len(batch.keys) for batch in snapshot.rows(snapshot.tables[0], after=None, batch_rows=1000))
        finally:
            snapshot.close()

    def key(self, number: int) -> bytes:
        return f'{{"@id":"{_subject(number)}"}}'.encode()


def _subject(number: int) -> str:
    return f"http://shop.example/order/{number + 10**6}"


def every_type(number: int) -> str:
    """A node with a value of every kind; later ones are said first."""
    number = number ^ 1
    values = {
        "number": number,
        "text": f'"Bestellung {number} über \\"Äpfel\\" \\\\ 🍏\\n\\t"',
        "double": f"{number / 3!r}e0",
        "infinite": f'"-INF"^^<{XSD}double>, "NaN"^^<{XSD}double>',
        "decimal": f'"{number}.10"^^<{XSD}decimal>',
        "big": f'"{10**30 + number}"^^<{XSD}integer>',
        "long": f'"{number - 2**63}"^^<{XSD}long>',
        "flag": "true" if number % 2 else "false",
        "time": f'"2026-01-01T00:00:00.{number:03}+02:00"^^<{XSD}dateTime>',
        "day": f'"2026-01-01"^^<{XSD}date>',
        "own": f'"{number}"^^<http://shop.example/type>',
        "said": '"Hallo"@de, "hello"@en, "plain"',
        "next": f"<{_subject(number + 1)}>, <urn:else>",
        "empty": '""',
    }
    return f"<{_subject(number)}> " + " ; ".join(f"<urn:{name}> {value}" for name, value in values.items()) + " ."


def fluree(request) -> FlureeBackend:
    return FlureeBackend(request.getfixturevalue("fluree"))
