"""Reads the structure of an InfluxDB 1.x database: policies, measurements, continuous queries. Reads no points."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from streamsink.database.influxdb.client import InfluxClient, quoted
from streamsink.database.points import Shape
from streamsink.errors import TerminalError

EARLIEST, LATEST = -9223372036854775806, 9223372036854775806
"""InfluxDB's first and last nanosecond."""
_YEAR_ONE_NS = 62_135_596_800 * 10**9
"""Shards begin at multiples of their length since the year 1."""
_UNITS_NS = {"h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "u": 10**3, "µs": 10**3, "us": 10**3, "ns": 1}
_TOKEN = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[A-Za-z_]\w*|\s+|.""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Policy:
    """A retention policy."""

    name: str
    duration: str
    shard_duration: str
    replicas: int
    default: bool

    def to_json(self) -> dict[str, Any]:
        """Put the policy into the form that a structure has."""
        return {
            "name": self.name,
            "duration": self.duration,
            "shard_duration": self.shard_duration,
            "replicas": self.replicas,
            "default": self.default,
        }


def policies(client: InfluxClient) -> list[Policy]:
    """The database's retention policies, by name.

    Raises:
        TerminalError: There is no such database, or the user may not read it.
    """
    name = client.database
    found = client.series(f"SHOW RETENTION POLICIES ON {quoted(name)}", f"reading the policies of {name}")
    told = [dict(zip(one["columns"], row, strict=True)) for one in found for row in one.get("values", ())]
    return [
        Policy(one["name"], one["duration"], one["shardGroupDuration"], one["replicaN"], one["default"])
        for one in sorted(told, key=lambda one: str(one["name"]))
    ]


def measurements(client: InfluxClient, policy: Policy) -> Iterator[Shape]:
    """Find the measurements that have points in a policy.

    Args:
        client: A client of the database.
        policy: The retention policy.

    Yields:
        By name, with the types that each field has had in this policy.
    """
    database, what = quoted(client.database), f"reading the measurements of {client.database}"
    names = sorted(row[0] for row in client.rows(f"SHOW MEASUREMENTS ON {database}", what))
    for name in names:
        place = f"{quoted(policy.name)}.{quoted(name)}"
        # A regular expression as the field would read all of them; a star stops at the first point.
        if not client.rows(f"SELECT * FROM {place} LIMIT 1", what):
            continue
        fields: dict[str, list[str]] = {}
        for field, kind in client.rows(f"SHOW FIELD KEYS ON {database} FROM {place}", what):
            fields.setdefault(field, []).append(kind)
        tags = [row[0] for row in client.rows(f"SHOW TAG KEYS ON {database} FROM {place}", what)]
        yield Shape.of(name, tags, fields)


def table_name(policy: Policy, measurement: str, names: Sequence[str]) -> str:
    """A measurement's name as a table: alone in the default policy, else behind its policy's.

    Args:
        policy: Where it is.
        measurement: Its name in InfluxDB.
        names: Of all policies.
    """
    prefixes = {name.replace("%", "%25").replace(".", "%2E"): name for name in names}
    if policy.default and measurement.partition(".")[0] not in prefixes:
        return measurement
    return f"{next(escaped for escaped, name in prefixes.items() if name == policy.name)}.{measurement}"


def continuous_queries(client: InfluxClient) -> list[dict[str, Any]]:
    """The database's continuous queries, without its name, so that another database can have them."""
    found = client.series("SHOW CONTINUOUS QUERIES", f"reading the continuous queries of {client.database}")
    rows = [row for one in found if one["name"] == client.database for row in one.get("values") or ()]
    return [{"name": name, "parts": parts_of(query, client.database)} for name, query in sorted(rows)]


def parts_of(query: str, database: str) -> list[str]:
    """Cut a continuous query where it names its database, so that a restore can put another name in.

    Args:
        query: The query's text, as InfluxDB shows it.
        database: The database's name.

    Returns:
        The pieces in order: one more than there are names.
    """
    tokens: list[str] = _TOKEN.findall(query)
    words = [at for at, token in enumerate(tokens) if not token.isspace()]
    parts = [""]
    for at, token in enumerate(tokens):
        if _is_name(token, database) and _names_the_database(tokens, words, at):
            parts.append("")
        else:
            parts[-1] += token
    return parts


def _is_name(token: str, name: str) -> bool:
    return token in {name, quoted(name)}


def _names_the_database(tokens: list[str], words: list[int], at: int) -> bool:
    """Whether a name stands where a database's does: behind ON, or first of three behind FROM, INTO or a comma."""
    place = words.index(at)
    before = tokens[words[place - 1]].upper() if place else ""
    if before == "ON":
        return True
    behind = "".join(tokens[at + 1 : at + 4])
    return before in {"FROM", "INTO", ","} and re.match(r"\.(\.|[^.]+\.)", behind) is not None


def nanoseconds(duration: str) -> int:
    """A duration as Go writes it, such as `168h0m0s`."""
    return sum(int(count) * _UNITS_NS[unit] for count, unit in re.findall(r"(\d+)(ms|us|µs|ns|[hmsu])", duration))


def shards(client: InfluxClient) -> Mapping[str, list[tuple[int, int]]] | None:
    """Find each policy's shards, by begin and end, in order; None where the user may not ask."""
    try:
        found = client.series("SHOW SHARD GROUPS", "reading the shards")
    except TerminalError:
        return None
    known: dict[str, list[tuple[int, int]]] = {}
    for one in found:
        at = {name: place for place, name in enumerate(one["columns"])}
        for row in one.get("values") or ():
            if row[at["database"]] == client.database:
                end = _time(row[at["end_time"]])
                # The last one ends within a second, and seconds are told.
                span = (
                    max(EARLIEST, _time(row[at["start_time"]])),
                    end if end < LATEST // 10**9 * 10**9 else LATEST + 1,
                )
                known.setdefault(row[at["retention_policy"]], []).append(span)
    return {name: list(_apart(sorted(spans))) for name, spans in known.items()}


def _apart(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Spans of which none reaches into the next."""
    reached = EARLIEST
    for start, end in spans:
        if end > max(start, reached):
            yield max(start, reached), end
            reached = end


def shard_around(time_ns: int, length_ns: int) -> tuple[int, int]:
    """Compute the shard that a time belongs to, where all shards of the policy have one length.

    Args:
        time_ns: Unix time in nanoseconds.
        length_ns: A shard's length in nanoseconds.

    Returns:
        The shard's first nanosecond, and the one behind its last, within what InfluxDB can hold.
    """
    start = (time_ns + _YEAR_ONE_NS) // length_ns * length_ns - _YEAR_ONE_NS
    return max(EARLIEST, start), min(LATEST + 1, start + length_ns)


def shard_starts(times: npt.NDArray[np.int64], length_ns: int) -> list[int]:
    """Find where points of another shard begin, where all shards of the policy have one length.

    Args:
        times: Unix times in nanoseconds.
        length_ns: A shard's length in nanoseconds.

    Returns:
        Places among the times, the first one apart.
    """
    shards = times // length_ns - (times % length_ns < -_YEAR_ONE_NS % length_ns)
    return [int(at) for at in np.flatnonzero(shards[1:] != shards[:-1]) + 1]


def _time(text: str) -> int:
    moment = datetime.fromisoformat(text).astimezone(UTC)
    whole = (moment - datetime(1970, 1, 1, tzinfo=UTC)).days * 86_400 + moment.hour * 3600 + moment.minute * 60
    return (whole + moment.second) * 10**9
