import random

import pytest

from streamsink.database.mariadb.charsets import _CODECS, MARK, codec_of, stored, texts

CODECS = sorted({codec for codec in _CODECS.values() if codec})


@pytest.mark.parametrize("codec", CODECS)
def test_every_byte_and_pair_of_bytes_comes_back(codec):
    cells = [bytes([one]) for one in range(256)] + [bytes([one, two]) for one in range(256) for two in range(256)]
    assert [stored(text, codec) for text in texts(cells, codec)] == cells


@pytest.mark.parametrize("codec", CODECS)
def test_any_bytes_come_back(codec):
    chance = random.Random(codec)
    cells = [chance.randbytes(chance.randrange(40)) for _ in range(500)]
    assert [stored(text, codec) for text in texts(cells, codec)] == cells


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        ("utf8mb4", "naïve 🍏"),
        ("latin1", "façade €"),
        ("ucs2", "é"),
        ("utf16le", "😀"),
        ("sjis", "アイウ"),
        ("ujis", "日本語"),
        ("gbk", "中文"),
        ("big5", "繁體"),
        ("euckr", "한국어"),
        ("koi8r", "Привет"),
        ("macce", "Łódź"),
        ("tis620", "ไทย"),
        ("latin1", "Ã\x81, twice encoded"),
        ("dec8", "Œuvre"),
        ("swe7", "Ärlig Å"),
        ("keybcs2", "Košice ť"),
        ("geostd8", "თბილისი"),
        ("armscii8", "Հայ"),
        ("cp866", "Ночь ⁿ"),
    ],
)
def test_text_is_read_as_text(charset, text):
    codec = codec_of(charset)
    assert texts([text.encode(codec), None], codec) == [text, None]


def test_bytes_that_are_no_text_and_texts_that_begin_with_the_mark_are_told_apart():
    assert texts([b"\xed\xa0\x80", b"\0A", b"A\0"], "utf-8") == ["\x007aCA", "\0\0A", "A\0"]
    assert texts([b"\xff", b"\0", b"\0\0"], "utf-8") == [f"{MARK}/w==", MARK * 2, MARK * 3]
    assert [stored(text, "utf-8") for text in (f"{MARK}/w==", MARK * 2, MARK * 3)] == [b"\xff", b"\0", b"\0\0"]


def test_a_character_set_that_is_not_known_stays_bytes():
    assert codec_of("new") is None
