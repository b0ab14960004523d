"""Reads the brokers' address and a properties file into librdkafka's settings for commands. Connects to nothing."""

from __future__ import annotations

from pathlib import Path

from streamsink.config.reading.files import read_flat
from streamsink.config.reading.java_clients import translate
from streamsink.errors import ConfigError, Problem


def client_properties(bootstrap: str, file: Path | None) -> dict[str, str]:
    """Make a client's properties.

    Args:
        bootstrap: The brokers, HOST:PORT.
        file: What `--command-config` names, in Java's words.

    Returns:
        In librdkafka's names. `bootstrap` wins over the file's.

    Raises:
        ConfigError: The file has keys that can't be had here.
    """
    java = read_flat(file) if file else {}
    done = translate({**java, "bootstrap.servers": bootstrap})
    problems = [Problem(f"--command-config {key}", wrong) for key, wrong in done.problems]
    if problems:
        raise ConfigError(problems)
    return done.properties
