import logging
import time

from streamsink.consume.quiet import OncePerMinute


def line(text):
    return logging.LogRecord("x", logging.ERROR, "", 0, text, (), None)


def test_lines_that_differ_in_numbers_only_pass_once():
    only_news = OncePerMinute()
    assert only_news.filter(line("broker 1 refused after 3ms"))
    assert not only_news.filter(line("broker 1 refused after 4ms"))
    assert only_news.filter(line("broker 1 is back"))


def test_a_minute_later_it_is_said_again(monkeypatch):
    only_news = OncePerMinute()
    assert only_news.filter(line("down"))
    later = time.monotonic() + 61
    monkeypatch.setattr("streamsink.consume.quiet.time.monotonic", lambda: later)
    assert only_news.filter(line("down"))
