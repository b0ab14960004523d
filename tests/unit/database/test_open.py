"""What is said of a database's URL before anything is asked of a server."""

import pytest

from streamsink.database.open import open_database
from streamsink.errors import ConfigError


def test_an_unknown_scheme_names_the_known_ones():
    with pytest.raises(ConfigError, match="no database is known by oracle://") as raised:
        open_database("oracle://db/shop", {})
    assert "mariadb" in raised.value.hint


def test_a_password_in_the_url_is_refused_and_not_repeated():
    with pytest.raises(ConfigError, match="has a password in it") as raised:
        open_database("mongodb://reader:s3cret@db/shop", {})
    assert "s3cret" not in str(raised.value)
    assert "password=${env:" in raised.value.hint
