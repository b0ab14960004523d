"""Finds a connector's archive and its store's options from the configuration alone. Opens nothing."""

from __future__ import annotations

from collections.abc import Mapping

from streamsink.config.reading.location import read_location
from streamsink.config.reading.partitioning import read_naming
from streamsink.config.secrets import resolve
from streamsink.config.url_passwords import HIDDEN
from streamsink.config.vendors.profiles import NATIVE, find_class
from streamsink.config.vendors.translators import TRANSLATORS
from streamsink.errors import ConfigError, Problem

_WHERE = "the command resolves references where it runs; --option KEY=VALUE goes over the connector's"


def read_place(raw: Mapping[str, str], given: Mapping[str, str] | None = None) -> tuple[str, dict[str, str]]:
    """The URL of a connector's archive, `topics.dir` included, and its store's options.

    Args:
        raw: The connector's flat map as a worker shows it: secrets are references, or hidden.
        given: Options that go over the connector's.

    Returns:
        The URL, and the options with references resolved in this process.

    Raises:
        ConfigError: It names no archive, or an option's reference leads nowhere here, or is hidden.
    """
    shown = {key: _resolved_if_possible(value) for key, value in raw.items() if key != "name"}
    known = find_class(shown.get("connector.class", "")) or NATIVE
    translator = TRANSLATORS.get(known.profile)
    values = known.definition.read(shown if translator is None else translator.rename(shown))
    if translator is not None:
        values = known.definition.read(translator.translate(values, {}))
    values.problems = []
    url, options = read_location(values, known)
    if values.problems:
        raise ConfigError(values.problems, hint="is it a connector that archives?")
    options |= given or {}
    hidden = [Problem(key, "is a secret that the worker doesn't tell") for key in options if HIDDEN in options[key]]
    if hidden:
        raise ConfigError(hidden, hint="write it as a reference in the connector, or give it with --option KEY=VALUE")
    try:
        options = resolve(options)
        url = resolve({"archive.url": url})["archive.url"]
    except ConfigError as error:
        raise ConfigError(error.problems, hint=_WHERE) from None
    folder = read_naming(values).topics_dir
    return f"{url.rstrip('/')}/{folder}" if folder else url, options


def _resolved_if_possible(value: str) -> str:
    """A reference that leads nowhere here stands as it is: it may be none of the store's."""
    try:
        return resolve({"": value})[""]
    except ConfigError:
        return value
