"""Reads clients' bodies strictly: unknown fields and nested values are refused. Knows no connector."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StrictStr

from streamsink.config.keys.validators import connector_name
from streamsink.errors import BadRequestError
from streamsink.worker.status import OffsetEntry, TargetState

KEYS_MAX = 10_000
OFFSETS_MAX = 100_000

Scalar = StrictStr | StrictBool | StrictInt | StrictFloat
Config = Annotated[
    dict[str, Scalar | None], Field(description="Keys and values; numbers are taken as they are written")
]


def _upper(value: Any) -> Any:
    return value.strip().upper() if isinstance(value, str) else value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CreateConnector(_Strict):
    """A new connector."""

    name: StrictStr | None = None
    config: Config
    initial_state: Annotated[TargetState, BeforeValidator(_upper)] | None = None


class Offset(_Strict):
    """The offset that a connector gets in one partition; null removes the stored one."""

    partition: dict[str, Any] | None = None
    offset: dict[str, Any] | None = None


class Offsets(_Strict):
    """The offsets that a connector gets."""

    offsets: Annotated[list[Offset], Field(max_length=OFFSETS_MAX)] | None = None

    def entries(self) -> list[OffsetEntry]:
        """The same as the herder takes them.

        Raises:
            BadRequestError: There is nothing in it, or a partition is missing.
        """
        if not self.offsets:
            raise BadRequestError("Partitions / offsets need to be provided for an alter offsets request")
        found = []
        for each in self.offsets:
            if each.partition is None:
                raise BadRequestError("The partition for a sink connector offset cannot be null or missing")
            found.append(OffsetEntry(each.partition, each.offset))
        return found


def patch_of(config: Mapping[str, Scalar | None]) -> dict[str, str | None]:
    """Keys and values as texts, None where a key shall go.

    Raises:
        BadRequestError: A key or value can't be written down.
    """
    if len(config) > KEYS_MAX:
        raise BadRequestError(f"more than {KEYS_MAX} keys")
    found = {clean(key, key): None if value is None else clean(_text(value), key) for key, value in config.items()}
    if "" in found:
        raise BadRequestError("a key is empty")
    return found


def config_of(config: Mapping[str, Scalar | None], connector: str) -> dict[str, str]:
    """Read a whole configuration, and put the connector's name in.

    Args:
        config: As the client sent it.
        connector: The name in the URL. Where the configuration has a name, it must be the same.

    Returns:
        The flat map, numbers and booleans as texts.

    Raises:
        BadRequestError: It has a null, another name, no class, or the connector's name can't be one.
    """
    found = {key: value for key, value in patch_of(config).items() if value is not None}
    if len(found) < len(config):
        raise invalid(["Null value can not be supplied as the configuration value."])
    named = found.get("name", connector).strip()
    if named != connector:
        raise BadRequestError(
            f"Connector name configuration ({named}) doesn't match connector name in the URL ({connector})"
        )
    check_name(connector)
    found["name"] = connector
    if not found.get("connector.class", "").strip():
        raise BadRequestError(f"Connector config {{name={connector}}} contains no connector type")
    return found


def check_name(connector: str) -> None:
    """Refuse what no connector may be called.

    Raises:
        BadRequestError: With the reason.
    """
    wrong = connector_name(connector)
    if wrong:
        raise invalid([f"Invalid value {_shown(connector)} for configuration name: {wrong}"])


def invalid(errors: list[str]) -> BadRequestError:
    """Connect's words for a configuration that can't be used."""
    return BadRequestError(
        f"Connector configuration is invalid and contains the following {len(errors)} error(s):\n"
        + "\n".join(errors)
        + "\nYou can also find the above list of errors at the endpoint "
        "`/connector-plugins/{connectorType}/config/validate`"
    )


def _text(value: Scalar) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not math.isfinite(value):
        raise BadRequestError("a number is not finite")
    return str(value)


def clean(text: str, key: str) -> str:
    """Refuse text that can't be stored as UTF-8.

    Args:
        text: A key or a value, as the client sent it.
        key: Named in the error.

    Returns:
        The text as it came.

    Raises:
        BadRequestError: It has half of a surrogate pair, or a NUL.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadRequestError(f"{_shown(key)}: has half of a surrogate pair, which is no text") from None
    if "\x00" in text:
        raise BadRequestError(f"{_shown(key)}: has a NUL character")
    return text


def _shown(text: str) -> str:
    return text[:100].encode("ascii", "backslashreplace").decode()
