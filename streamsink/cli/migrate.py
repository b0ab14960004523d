"""`streamsink connectors migrate`: brings connectors of a Kafka Connect cluster, or of files, to a worker of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from streamsink.cli.rest_client import DEFAULT_URL, ask, connector_path, fetch
from streamsink.config.reading.files import read_flat
from streamsink.config.reading.migration import Migration, Outcome, plan_migration
from streamsink.errors import ConfigError, Problem, TerminalError

DONE, WRONG = 0, 2
NO_BROKER = {"bootstrap.servers": "127.0.0.1:9092"}
"""Stands for the worker's brokers, where no file of its is given: nothing is asked of it."""

Url = Annotated[str, Parameter(name="--url", env_var="STREAMSINK_URL", help="Where our worker's REST API listens.")]
Only = Annotated[tuple[str, ...], Parameter(name="--only", negative="")]


def migrate(
    source: str,
    /,
    *,
    only: Only = (),
    make: Literal["stopped", "running"] | None = None,
    worker: Path | None = None,
    url: Url = DEFAULT_URL,
) -> int:
    """Show what becomes of Kafka Connect's connectors here, and make them if asked.

    Parameters
    ----------
    source
        URL of a Connect cluster's REST API, or a connector's file in JSON or properties.
    only
        Name of a connector to take; may be given several times. All of them otherwise.
    make
        Make those that can be taken, stopped or running. Running needs the old one to be stopped.
    worker
        The worker's properties, for converters that connectors leave to it.
    """
    remote = "://" in source
    found = _of_cluster(source) if remote else [_of_file(Path(source))]
    if missing := set(only) - {raw["name"] for raw in found}:
        raise ConfigError([Problem("--only", f"{', '.join(sorted(missing))}: no such connector in {source}")])
    flat = {**NO_BROKER, **(read_flat(worker) if worker is not None else {})}
    chosen = [raw for raw in found if not only or raw["name"] in only]
    plans = [plan_migration(raw, flat) for raw in chosen]
    for plan in plans:
        _print(plan)
    if make is not None:
        for raw, plan in zip(chosen, plans, strict=True):
            if plan.outcome is Outcome.TAKEN:
                _make(raw, plan, state=make, source=source if remote else "", url=url)
    return WRONG if any(plan.outcome is Outcome.REFUSED for plan in plans) else DONE


def _of_cluster(url: str) -> list[dict[str, str]]:
    answer = fetch(url, "/connectors?expand=info")
    configs = [{**both["info"]["config"], "name": name} for name, both in sorted(answer.items())]
    return [{key: str(text) for key, text in config.items() if text is not None} for config in configs]


def _of_file(path: Path) -> dict[str, str]:
    flat = read_flat(path)
    flat.setdefault("name", path.stem)
    return flat


def _print(plan: Migration) -> None:
    print(f"{plan.name}: {plan.outcome.value}")
    for word, lines in (("stays", plan.stays), ("differs", plan.differs), ("refused", plan.refused)):
        for line in lines:
            print(f"  {word:8} {line}")


def _make(raw: dict[str, str], plan: Migration, *, state: str, source: str, url: str) -> None:
    """Make one here. A group has one set of members: two connectors of it would share its partitions."""
    before: dict[str, Any] | None = None
    if source:
        told = fetch(source, connector_path(plan.name, "status"))["connector"]["state"]
        if state == "running" and told != "STOPPED":
            raise TerminalError(
                f"{plan.name} is {told} in {source}, and both would read as {plan.group}",
                hint=f"stop it there first (PUT {connector_path(plan.name, 'stop')}), or use --make stopped",
            )
        before = fetch(source, connector_path(plan.name, "offsets"))
    ask(url, "POST", "/connectors", {"name": plan.name, "config": raw, "initial_state": state.upper()})
    print(f"{plan.name}: made, {state}; it goes on at the offsets of {plan.group}")
    if before is not None:
        _compare(plan, before, fetch(url, connector_path(plan.name, "offsets")))
    else:
        print("  before it runs: the old connector must be stopped, as both read as one group")


def _compare(plan: Migration, before: dict[str, Any], after: dict[str, Any]) -> None:
    there, here = _offsets(before), _offsets(after)
    if there == here:
        print(f"  {len(here)} partitions stand where they stood")
        return
    differing = sorted(at for at in there.keys() | here.keys() if there.get(at) != here.get(at))
    told = ", ".join(f"{topic}-{partition}" for topic, partition in differing[:5])
    print(
        f"  differs: {len(differing)} partitions of {plan.group} stand elsewhere: {told}; are these the same brokers?"
    )


def _offsets(answer: dict[str, Any]) -> dict[tuple[str, int], int | None]:
    return {
        (one["partition"]["kafka_topic"], int(one["partition"]["kafka_partition"])): (one["offset"] or {}).get(
            "kafka_offset"
        )
        for one in answer["offsets"]
        if "kafka_topic" in one["partition"]
    }
