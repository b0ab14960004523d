from decimal import Decimal

import pytest

from streamsink.java.numbers import double_text, float_text, unscaled_bytes


@pytest.mark.parametrize(
    ("value", "text"),
    [(5e-324, "4.9E-324"), (1.0, "1.0"), (-1e7, "-1.0E7"), (2e-3, "0.002"), (1e23, "1.0E23"), (9.999e-4, "9.999E-4")],
)
def test_doubles_are_written_as_java_does(value, text):
    assert double_text(value) == text


@pytest.mark.parametrize(("value", "text"), [(1.4e-45, "1.4E-45"), (1e39, "Infinity"), (0.1, "0.1"), (-0.0, "-0.0")])
def test_floats_are_written_as_java_does(value, text):
    assert float_text(value) == text


@pytest.mark.parametrize(
    ("number", "expected"),
    [("0", "00"), ("-0.0", "00"), ("1.27", "7f"), ("1.28", "0080"), ("-1.28", "80"), ("-1.29", "ff7f"), ("1E5", "01")],
)
def test_a_decimals_digits_are_the_bytes_that_javas_unscaled_value_has(number, expected):
    assert unscaled_bytes(Decimal(number)).hex() == expected


def test_no_digit_of_a_long_decimal_is_lost_in_its_bytes():
    digits = "9" * 76
    assert int.from_bytes(unscaled_bytes(Decimal(f"-{digits[:38]}.{digits[38:]}")), signed=True) == -int(digits)
