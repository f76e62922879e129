"""Expressions of flows: what they mean, what is refused, and that no caller can break one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccbridge.core.expr import DEEPEST, LARGEST, LONGEST, BadExpression, Value, number, parse, truth

KNOWN: dict[str, Value] = {"tries": 2, "order": "0042", "language": "el", "caller.vip": True, "empty": ""}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("tries", 2),
        ("tries + 1", 3),
        ("tries * 3 - 1", 5),
        ("-tries", -2),
        ("'a' == \"a\"", True),
        ("order == 42", True),
        ("order == '42'", False),
        ("42 == order", True),
        ("order > 41 and order < 43", True),
        ("41 < order < 43", True),
        ("41 < order < 42", False),
        ("language in ['el', 'en']", True),
        ("language not in ['hr']", True),
        ("language in []", False),
        ("order in [1, 42]", True),
        ("not caller.vip", False),
        ("caller.vip == true", True),
        ("caller.nobody", ""),
        ("caller.nobody == ''", True),
        ("caller.nobody > 0", False),
        ("caller.nobody <= 0", False),
        ("language != 'en'", True),
        ("language + 1", ""),
        ("'a' < 'b'", False),  # texts are neither more nor less
        (f"{LARGEST} * {LARGEST}", ""),
        ("tries or nobody", True),
        ("nobody or empty", False),
        ("true", True),
        ("false == 0", True),
    ],
)
def test_values(source: str, value: Value) -> None:
    found = parse(source).value(KNOWN)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("", "no expression"),
        ("1 +", "no expression"),
        ("a b", "no expression"),
        ("open('/etc/passwd')", "not known"),
        ("a.b.c", "not known"),
        ("().__class__", "not known"),
        ("a[0]", "not known"),
        ("lambda: 1", "not known"),
        ("[x for x in y]", "not known"),
        ("a if b else c", "not known"),
        ("f'{a}'", "not known"),
        ("2 ** 99", "not known"),
        ("a / b", "not known"),
        ("a is b", "not known"),
        ("a := 1", "no expression"),
        ("1.5", "whole numbers"),
        ("None", "whole numbers"),
        ("b'x'", "whole numbers"),
        ("[1, 2]", "only stand after in"),
        ("a in b", "must be a list"),
        ("1" * 30, "too large"),
        ("1" * 6000, "longer than"),
        ("a" * (LONGEST + 1), "longer than"),
        ("not " * (DEEPEST + 2) + "a", "within each other"),
        ("(" * 240 + "a" + ")" * 240, "no expression"),
        ("a\0b", "no expression"),
    ],
)
def test_what_is_refused(source: str, why: str) -> None:
    with pytest.raises(BadExpression, match=why):
        parse(source)


def test_names() -> None:
    assert parse("a + caller.number == b and true").names() == {"a", "caller.number", "b"}


VALUES = st.one_of(st.integers(-(10**20), 10**20), st.booleans(), st.text(max_size=300))
SOURCES = st.sampled_from(
    [
        "a + b",
        "a < b <= c",
        "a in [b, 1, 'x']",
        "not a and b or c",
        "a * b * c",
        "-a == b",
        "a != caller.number",
    ]
)


@given(SOURCES, st.dictionaries(st.sampled_from(["a", "b", "c", "caller.number"]), VALUES))
def test_no_value_breaks_one(source: str, known: dict[str, Value]) -> None:
    value = parse(source).value(known)
    assert isinstance(value, str | int)
    truth(value)
    number(value)


@given(st.text(max_size=60))
def test_any_text_is_an_expression_or_refused(source: str) -> None:
    try:
        parse(source).value({})
    except BadExpression:
        return
