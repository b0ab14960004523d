"""Decides which versions of a schema share a lane, and in whose columns. Asks a registry; no more.

A lane must follow from the record alone, or two writers would put it into different files: versions are taken in the
registry's order, and a lane goes on for as long as each version can be brought into the next. Whose columns a lane's
file has may depend on what was read so far: that only closes files.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import orjson

from streamsink.config.sink import Compatibility, RegistryRules, SubjectStrategy
from streamsink.decode.registry.client import RegisteredSchema, SchemaRegistry


class Versions:
    """The versions of one task's schemas.

    Args:
        registry: Has them.
        rules: Say which subject they are in.
        compatibility: Which way they are brought together.
        takes: Whether values of the second schema can be written in the first one's columns.
    """

    def __init__(
        self,
        registry: SchemaRegistry,
        rules: RegistryRules,
        compatibility: Compatibility,
        takes: Callable[[int, int], bool],
    ) -> None:
        self._registry = registry
        self._rules = rules
        self._forward = compatibility is Compatibility.FORWARD
        self._alone = compatibility is Compatibility.NONE
        self._takes = takes
        self._runs: dict[tuple[str, int], list[int]] = {}
        self._chosen: dict[tuple[str, str], int] = {}

    def tag(self, topic: str, schema_id: int) -> str:
        """The lane's tag of values with a schema.

        Args:
            topic: The topic's name.
            schema_id: The schema's id in the registry.
        """
        return f"schema={self._run(topic, schema_id)[0]}"

    def target(self, topic: str, ids: list[int]) -> int:
        """Choose the schema whose columns values are written in, and remember it for the lane.

        Args:
            topic: The topic's name.
            ids: The values' schemas, all of one tag.
        """
        run = self._run(topic, ids[0])
        if len(run) == 1:
            return ids[0]
        key = (topic, f"schema={run[0]}")
        seen = [*ids, *([self._chosen[key]] if key in self._chosen else [])]
        if self._rules.use_latest_version and not self._forward:
            seen.append(run[-1])
        self._chosen[key] = (min if self._forward else max)(seen, key=run.index)
        return self._chosen[key]

    def cuts(self, topic: str, ids: npt.NDArray[np.int64]) -> list[int]:
        """The places from which on `target` would be another, were the values read one by one.

        Args:
            topic: The topic's name.
            ids: The values' schemas in their order, all of one tag; there are no cuts where one isn't known.
        """
        run = self._run(topic, int(ids[0]))
        if len(run) == 1 or not np.isin(ids, run).all():
            return []
        order = np.argsort(run)
        ranks = order[np.searchsorted(np.array(run)[order], ids)]
        # Ids follow no order of versions: a registry may give one schema's id to several subjects.
        first = self._chosen.get((topic, f"schema={run[0]}"), int(ids[0]))
        if self._rules.use_latest_version and not self._forward:
            first = run[-1]
        toward = np.minimum if self._forward else np.maximum
        reached = toward.accumulate(np.concatenate([[run.index(first)], ranks]))
        return [int(at) for at in np.flatnonzero(np.diff(reached)) if at > 0]

    def _run(self, topic: str, schema_id: int) -> list[int]:
        """The ids that share a lane with this one, in the order of their versions."""
        if self._alone:
            return [schema_id]
        known = self._runs.get((topic, schema_id))
        if known is not None:
            return known
        subject = self._subject(topic, schema_id)
        ids = list(dict.fromkeys(self._registry.versions(subject, having=schema_id).values()))
        run: list[int] = []
        for other in ids if schema_id in ids else [schema_id]:
            if run and not self._joins(run, other):
                if schema_id in run:
                    break
                run = []
            run.append(other)
        for other in run:
            self._runs[topic, other] = run
        return run

    def _joins(self, run: list[int], other: int) -> bool:
        return all(self._takes(one, other) if self._forward else self._takes(other, one) for one in run)

    def _subject(self, topic: str, schema_id: int) -> str:
        if self._rules.strategy is SubjectStrategy.TOPIC:
            return f"{topic}-value"
        name = record_name(self._registry.schema(schema_id))
        return name if self._rules.strategy is SubjectStrategy.RECORD else f"{topic}-{name}"


def record_name(schema: RegisteredSchema) -> str:
    """The full name of the type that a schema describes, as Confluent's strategies take it."""
    if schema.kind == "PROTOBUF":
        lines = [line.strip() for line in schema.text.splitlines()]
        package = next((line.split()[1].rstrip(";") for line in lines if line.startswith("package ")), "")
        message = next((line.split()[1].rstrip("{") for line in lines if line.startswith("message ")), "")
        return f"{package}.{message}" if package else message
    found = orjson.loads(schema.text) if schema.text.lstrip().startswith("{") else {}
    if schema.kind == "JSON":
        return str(found.get("title", ""))
    name, space = str(found.get("name", "")), str(found.get("namespace", ""))
    return f"{space}.{name}" if space and "." not in name else name
