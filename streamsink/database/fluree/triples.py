"""Facts of a graph as rows: a subject with all its facts is a node of expanded JSON-LD, literals as text. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

import orjson

from streamsink.errors import TerminalError

Json = Mapping[str, Any]

BLANK = "urn:streamsink:blank:"
"""What a blank node's label is put behind: a label has no meaning outside of one request, a name has."""
_STRING = "http://www.w3.org/2001/XMLSchema#string"
_UNFIT = re.compile(r'[\x00-\x20<>"{}|^`\\]')
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_TO_ESCAPE = re.compile(r'[\\"\n\r\t\x00-\x1f]')


def line_of(binding: Json) -> bytes:
    """One fact, as a line that sorts by subject, then by what is said of it.

    Args:
        binding: `s`, `p` and `o` as SPARQL's results in JSON have them.

    Returns:
        The line without its end.
    """
    subject, fact = _name(binding["s"]), [_name(binding["p"]), _term(binding["o"])]
    return subject.encode() + b"\x00" + orjson.dumps(fact)


def nodes(lines: Iterable[bytes]) -> Iterator[tuple[str, bytes, bytes]]:
    """Subject, key and value of each node, of sorted lines."""
    for subject, facts in groupby((line.split(b"\x00", 1) for line in lines), key=lambda pair: pair[0]):
        name = subject.decode()
        node: dict[str, Any] = {"@id": name}
        for _, fact in facts:
            predicate, term = orjson.loads(fact)
            known = node.setdefault(predicate, [])
            if term not in known[-1:]:
                known.append(term)
        yield name, key_of(name), orjson.dumps(node)


def key_of(subject: str) -> bytes:
    """The key of a node."""
    return orjson.dumps({"@id": subject})


def subject_of(key: bytes) -> str:
    """The subject that a key names."""
    return str(orjson.loads(key)["@id"])


def statements(value: bytes) -> Iterator[str]:
    """A node's facts in SPARQL's and Turtle's notation."""
    node = orjson.loads(value)
    subject = iri(node.pop("@id"))
    for predicate, terms in node.items():
        for term in terms or ():
            yield f"{subject} {iri(predicate)} {_written(term)} ."


def iri(name: str) -> str:
    """A name in angle brackets.

    Raises:
        TerminalError: SPARQL has no form for it.
    """
    if _UNFIT.search(name):
        raise TerminalError(
            f"the name {name!r} has no form in SPARQL",
            hint="spaces, brackets, quotes and backslashes can't stand in a name: restore the other tables",
        )
    return f"<{name}>"


def _name(term: Json) -> str:
    value: str = term["value"]
    return f"{BLANK}{value.removeprefix('_:')}" if term["type"] == "bnode" else value


def _term(term: Json) -> dict[str, str]:
    if term["type"] in {"uri", "bnode"}:
        return {"@id": _name(term)}
    if "xml:lang" in term:
        return {"@value": term["value"], "@language": term["xml:lang"]}
    datatype = term.get("datatype", _STRING)
    return {"@value": term["value"]} if datatype == _STRING else {"@value": term["value"], "@type": datatype}


def _written(term: Json) -> str:
    if term.get("@id") is not None:
        return iri(term["@id"])
    text = _TO_ESCAPE.sub(lambda found: _ESCAPES.get(found[0], f"\\u{ord(found[0]):04X}"), term["@value"])
    if term.get("@language") is not None:
        return f'"{text}"@{term["@language"]}'
    return f'"{text}"' if term.get("@type") is None else f'"{text}"^^{iri(term["@type"])}'
