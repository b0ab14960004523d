"""A WebDAV server that asks for patience gets it: its Retry-After is waited for, or told to the machine."""

from __future__ import annotations

import time

import pytest

from streamsink.errors import TransientError
from streamsink.upload.webdav_http import ATTEMPTS, Login, WebDavClient
from tests.servers.answers import Prepared, serving


def ask(answers, **options):
    client = WebDavClient(answers.url, Login(), timeout_s=5)
    try:
        return client.ask("PUT", "/a", body=b"x", **options)
    finally:
        client.close()


@pytest.mark.parametrize("status", [429, 503, 423])
def test_the_next_request_comes_when_the_server_says(status):
    with serving(Prepared(status, {"Retry-After": "1"}), Prepared(201)) as answers:
        assert ask(answers).status == 201
    first_s, second_s = answers.asked_at_s
    assert 1.0 <= second_s - first_s < 3.0


def test_a_server_that_wants_longer_than_a_request_may_take_is_not_asked_again():
    with serving(Prepared(503, {"Retry-After": "3600"})) as answers:
        began_s = time.monotonic()
        with pytest.raises(TransientError, match="503") as raised:
            ask(answers)
    assert time.monotonic() - began_s < 5
    assert raised.value.retry_after_s == 3600
    assert len(answers.asked_at_s) == 1


def test_what_may_not_be_repeated_is_not():
    with serving(Prepared(503, {"Retry-After": "0"}), Prepared(201)) as answers, pytest.raises(TransientError):
        ask(answers, repeat=False)
    with serving(Prepared(429, {"Retry-After": "0"}), Prepared(201)) as answers:
        assert ask(answers, repeat=False).status == 201


def test_a_server_that_says_nothing_of_patience_is_asked_a_few_times():
    with serving(Prepared(503)) as answers, pytest.raises(TransientError) as raised:
        ask(answers)
    assert len(answers.asked_at_s) == ATTEMPTS
    assert raised.value.retry_after_s is None
