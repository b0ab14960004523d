"""Couchbase's errors, options and collections, as far as no server is needed."""

from types import SimpleNamespace

import pytest
from couchbase import exceptions

from streamsink.database.couchbase import database
from streamsink.database.couchbase.failures import told
from streamsink.database.open import open_database
from streamsink.errors import ConfigError, TerminalError, TransientError


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("UnAmbiguousTimeoutException", TransientError),
        ("ServiceUnavailableException", TransientError),
        ("AuthenticationException", TerminalError),
        ("FeatureUnavailableException", TerminalError),
        ("BucketNotFoundException", TerminalError),
    ],
)
def test_the_sdks_errors_are_told_with_what_helps(name, kind):
    def fails():
        with told("reading shop"):
            raise getattr(exceptions, name)(message="no")

    with pytest.raises(kind, match="reading shop") as raised:
        fails()
    assert raised.value.hint


def test_a_url_names_the_bucket_and_options_are_known():
    opened = open_database("couchbases://reader@couchbase.internal:11207/shop", {"password": "p"})
    assert opened.name == "shop"
    assert opened._server == "couchbases://couchbase.internal:11207"
    with pytest.raises(ConfigError, match="names no database"):
        open_database("couchbase://host", {})
    with pytest.raises(ConfigError, match="passwort"):
        open_database("couchbase://host/shop", {"passwort": "p"})


def test_tables_are_collections_without_the_servers_own():
    def scope(name, *collections):
        return SimpleNamespace(name=name, collections=[SimpleNamespace(name=one) for one in collections])

    scopes = [scope("_default", "_default", "orders"), scope("_system", "_query"), scope("shop", "orders")]
    bucket = SimpleNamespace(collections=lambda: SimpleNamespace(get_all_scopes=lambda: scopes))
    tables = list(database._tables(bucket))
    assert [table.name for table in tables] == ["_default._default", "_default.orders", "shop.orders"]
    assert tables[2].structure == {"scope": "shop", "collection": "orders"}


def test_bytes_and_flags_go_through_as_they_are():
    assert database.AsItIs().decode_value(b"x", 7) == (b"x", 7)
    assert database.AsItIs().encode_value((b"x", 7)) == (b"x", 7)
