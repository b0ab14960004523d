import pytest

from streamsink.database.mariadb.connection import address_of
from streamsink.errors import ConfigError


def test_a_url_names_host_port_user_and_database_and_options_come_first():
    address = address_of("mariadb://reader:old@db.internal:3307/my%20shop", {"password": "new", "timeout_s": "9"})
    assert (address.host, address.port, address.database) == ("db.internal", 3307, "my shop")
    assert (address.username, address.password, address.timeout_s) == ("reader", "new", 9)


def test_the_port_is_mariadbs_and_tls_is_taken_where_the_server_has_it():
    address = address_of("mariadb://reader@db.internal/shop", {})
    assert (address.port, address.tls) == (3306, "prefer")


def test_an_authority_that_is_given_is_held_to():
    assert address_of("mariadb://h/shop", {"tls_ca": "/ca.pem"}).tls == "verify"


def test_all_problems_are_told_at_once():
    with pytest.raises(ConfigError) as raised:
        address_of("mariadb://h:99999/", {"passphrase": "x", "tls": "yes", "timeout_s": "0", "definer": "me"})
    said = str(raised.value)
    for word in ("passphrase", "no database", "Port", "tls", "timeout_s", "definer"):
        assert word in said


def test_a_password_is_in_no_text_of_an_address():
    assert "geheim" not in repr(address_of("mariadb://h/shop", {"password": "geheim"}))
