"""Names of fields as Connect writes them: V1 one name, V2 dots for nested ones and backticks around dots. Pure."""

from __future__ import annotations


def field_path(text: str, version: str) -> tuple[str, ...]:
    """Split the name of a field into the names that lead to it.

    Args:
        text: The name as configured.
        version: `field.syntax.version`, V1 or V2 in any case. In V1 a dot is part of the name.

    Returns:
        One name a level, the outermost first.

    Raises:
        ValueError: A backtick has no partner.
    """
    if version.strip().upper() != "V2":
        return (text,)
    steps: list[str] = []
    at = 0
    while at < len(text):
        if text[at] == "`":
            step, at = _quoted(text, at + 1)
        else:
            end = text.find(".", at)
            step, at = (text[at:], len(text)) if end < 0 else (text[at:end], end + 1)
        steps.append(step)
    if text.endswith("."):
        steps.append("")
    return tuple(steps)


def _quoted(text: str, start: int) -> tuple[str, int]:
    """A name in backticks, and where the next begins; a backtick ends it before a dot or the text's end only."""
    name, at = "", start
    while (end := text.find("`", at)) >= 0:
        escaped = text[end - 1] == "\\"
        last = end == len(text) - 1
        if escaped and not last and text[end + 1] == ".":
            name += f"{text[at : end - 1]}`"
        elif not escaped and (last or text[end + 1] == "."):
            return name + text[at:end], end + 2
        else:
            name += text[at : end + 1]
        at = end + 1
    raise ValueError(f"{text!r} has a backtick without a partner")
