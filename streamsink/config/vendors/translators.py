"""Lists the products whose keys are turned into ours, and how. Values only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from streamsink.config.keys.definition import Values
from streamsink.config.sink import Profile, SinkConfig
from streamsink.config.vendors import aiven, lenses


@dataclass(frozen=True, slots=True)
class Translator:
    """The functions that translate one product's configuration.

    Args:
        rename: Gives old keys today's names.
        translate: Gives our keys for what values ask for, the worker's map beside; problems go to the values.
        finish: Completes a configuration that was read from our keys with what these have no words for.
    """

    rename: Callable[[Mapping[str, str]], Mapping[str, str]]
    translate: Callable[[Values, Mapping[str, str]], dict[str, str]]
    finish: Callable[[Values, SinkConfig], SinkConfig]


TRANSLATORS = {
    Profile.AIVEN: Translator(aiven.rename_old, aiven.translate, aiven.finish),
    Profile.LENSES: Translator(lambda raw: raw, lenses.translate, lenses.finish),
}
