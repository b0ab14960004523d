"""Turns the bytes of a text column into text that gives the same bytes again. Pure: asks no server.

Python's codec is used both ways, so that what comes back doesn't depend on a server's tables. What a codec can't give
back as it was (bytes that are no text, two codes for one character) is marked: a NUL, then the bytes in base64.
A text that begins with NUL itself has two.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence

from streamsink.database.mariadb.code_pages import NAMES, PREFIX

MARK = "\0"
"""Begins a text whose bytes follow in base64. A text that really begins with it has it once more."""

UTF_8 = "utf-8"
_CODECS = {
    **{charset: f"{PREFIX}{charset}" for charset in NAMES},
    "ascii": "ascii",
    "big5": "big5",
    "cp1250": "cp1250",
    "cp1251": "cp1251",
    "cp1256": "cp1256",
    "cp1257": "cp1257",
    "cp850": "cp850",
    "cp852": "cp852",
    "cp932": "cp932",
    "eucjpms": "euc_jp",
    "euckr": "cp949",
    "gb2312": "gb2312",
    "gbk": "gbk",
    "hp8": "hp_roman8",
    "koi8r": "koi8_r",
    "latin2": "iso8859_2",
    "latin5": "iso8859_9",
    "latin7": "iso8859_13",
    "macce": "mac_latin2",
    "macroman": "mac_roman",
    "sjis": "shift_jis",
    "tis620": "tis_620",
    "ucs2": "utf_16_be",
    "ujis": "euc_jp",
    "utf16": "utf_16_be",
    "utf16le": "utf_16_le",
    "utf32": "utf_32_be",
    "utf8": UTF_8,
    "utf8mb3": UTF_8,
    "utf8mb4": UTF_8,
}
"""MariaDB's name to Python's."""


def codec_of(charset: str) -> str | None:
    """Python's codec for a character set of MariaDB; None where it isn't known, and its bytes stay bytes."""
    return _CODECS.get(charset)


def texts(cells: Sequence[bytes | None], codec: str) -> list[str | None]:
    """Read the cells of a text column.

    Args:
        cells: As they are stored, in the column's character set.
        codec: Python's name for that.

    Returns:
        One text a cell, None for null. A marked one holds the bytes in base64.
    """
    if codec == UTF_8:
        try:
            found = [None if cell is None else cell.decode() for cell in cells]
        except UnicodeDecodeError:
            pass
        else:
            if MARK not in "".join(filter(None, found)):
                return found
    return [None if cell is None else _text(cell, codec) for cell in cells]


def _text(cell: bytes, codec: str) -> str:
    try:
        text = cell.decode(codec)
        if text.encode(codec) == cell:
            return MARK + text if text.startswith(MARK) else text
    except UnicodeError:
        pass
    return MARK + b64encode(cell).decode()


def stored(text: str, codec: str) -> bytes:
    """Find the bytes that a text of `texts` was made of.

    Args:
        text: As `texts` gave it, marked or not.
        codec: Python's name for the column's character set.

    Returns:
        The bytes as the column stores them.

    Raises:
        ValueError: It was made of none.
    """
    if text.startswith(MARK) and not text.startswith(MARK, 1):
        return b64decode(text[1:], validate=True)
    return text.removeprefix(MARK).encode(codec)
