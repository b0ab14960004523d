"""What a trace is taken apart into."""

import pytest

from streamsink.errors import TerminalError
from streamsink.rest.explain import explain
from streamsink.worker.child import describe_end


def test_a_trace_of_ours_is_hint_message_class_and_frames():
    def fail():
        raise TerminalError("the bucket is gone (404)", hint="make it, or correct archive.url (see the README)")

    with pytest.raises(TerminalError) as caught:
        fail()
    found = explain(describe_end(caught.value).trace)
    assert found.hint == "make it, or correct archive.url (see the README)"
    assert found.message == "the bucket is gone (404)"
    assert found.error_class == "TerminalError"
    assert found.trace.startswith('  File "')


def test_a_message_without_a_hint_stays_whole():
    assert explain("ValueError: no such codec (zip)").message == "no such codec (zip)"
    assert explain("ValueError: no such codec (zip)").hint == ""


def test_a_text_of_another_form_is_all_message():
    found = explain("topics: is required and has no default")
    assert (found.message, found.hint, found.error_class, found.trace) == (
        "topics: is required and has no default",
        "",
        "",
        "",
    )


def test_unbalanced_parentheses_are_part_of_the_message():
    assert explain("so it goes) and on)").message == "so it goes) and on)"
