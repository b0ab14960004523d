"""Finds the archive that a command means: a URL or path with options, or a connector's of a worker. Prints nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from cyclopts import Parameter

from streamsink.archive.open import parse_options
from streamsink.cli.rest_client import DEFAULT_URL, connector_path, fetch
from streamsink.config.place import read_place
from streamsink.errors import ConfigError, Problem


@Parameter(name="*")
@dataclass(frozen=True)
class Source:
    """Options of every command that opens an archive."""

    option: Annotated[
        list[str],
        Parameter(
            name="--option", negative="", help="A store option, KEY=VALUE, as after archive.option.; repeatable."
        ),
    ] = field(default_factory=list)
    connector: Annotated[
        str, Parameter(name="--connector", help="Take URL and store options from this connector of a running worker.")
    ] = ""
    url: Annotated[
        str, Parameter(name="--url", env_var="STREAMSINK_URL", help="Where that worker's REST API listens.")
    ] = DEFAULT_URL

    def place(self, location: str) -> tuple[str, dict[str, str]]:
        """Find the archive's URL or path, and its store's options.

        Args:
            location: What was given; with a connector it is a URL of the same store, a path below the connector's
                archive, or "" for the whole.

        Returns:
            URL or path, and options by name.

        Raises:
            ConfigError: Neither is given, or the connector's archive can't be had from here.
            StreamsinkError: The worker doesn't answer, or knows no such connector.
        """
        given = parse_options(self.option)
        if not self.connector:
            if not location:
                hint = "name a URL or a folder, or a connector with --connector"
                raise ConfigError([Problem("ARCHIVE", "is not given")], hint=hint)
            return location, given
        whole, options = read_place(fetch(self.url, connector_path(self.connector, "config")), given)
        if "://" in location:
            return location, options
        return f"{whole}/{location.strip('/')}" if location else whole, options


NO_CONNECTOR = Source()
