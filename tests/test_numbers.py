"""Callers' numbers: E.164 by the site's country, or named as what they are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccbridge.numbers import Caller, parse_caller


@pytest.mark.parametrize(
    ("raw", "country", "e164"),
    [
        ("2101234567", "GR", "+302101234567"),
        ("+30 210 123 4567", "GR", "+302101234567"),
        ("00302101234567", "GR", "+302101234567"),
        ("+306912345678", "HR", "+306912345678"),
        ("021/345-6789", "HR", "+385213456789"),
        ("(212) 555-2368", "US", "+12125552368"),
    ],
)
def test_numbers_are_e164_whatever_is_between_the_digits(raw: str, country: str, e164: str) -> None:
    assert parse_caller(raw, country) == Caller("e164", e164)


@pytest.mark.parametrize("raw", ["", "  ", "anonymous", "Anonymous", "unknown", "Restricted", "asterisk"])
def test_withheld_numbers(raw: str) -> None:
    assert parse_caller(raw, "GR") == Caller("anonymous", None)


@pytest.mark.parametrize("raw", ["100", "1001", "501"])
def test_extensions(raw: str) -> None:
    assert parse_caller(raw, "GR") == Caller("internal", None)


@pytest.mark.parametrize(
    "raw", ["${SHELL(id)}", "'; DROP TABLE call; --", "1800FLOWERS", "+0", "9" * 39, "9" * 4000, "٣٤٥", "a@b"]
)
def test_garbage_is_named_and_harmless(raw: str) -> None:
    assert parse_caller(raw, "GR") == Caller("unparsable", None)


@given(st.text(max_size=120))
def test_nothing_raises(raw: str) -> None:
    kind, e164 = parse_caller(raw, "GR")
    assert kind in ("e164", "internal", "anonymous", "unparsable")
    assert (e164 is not None) == (kind == "e164")
