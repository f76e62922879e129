"""Telephone numbers from outside: parsed by a library, or named as what they are not."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import phonenumbers

# What carriers and Asterisk write when the caller withholds his number.
_WITHHELD = frozenset({"", "anonymous", "unknown", "restricted", "private", "unavailable", "asterisk"})
# Longer than any number (E.164: 15 digits) with every separator that people type.
_LONGEST = 40
# One call asks several times for the same number: at the door, when it holds, at each look at the PBX.
_KEPT = 1000


class Caller(NamedTuple):
    kind: str  # e164 | internal | anonymous | unparsable
    e164: str | None  # "+302101234567" for kind e164


def parse_caller(raw: str, country: str) -> Caller:
    """Sort a caller id. ``country`` (ISO 3166, such as GR) says how national numbers are meant.

    Never raises: garbage is ``unparsable``, and the call goes on.
    """
    text = raw.strip()
    if text.lower() in _WITHHELD:
        return Caller("anonymous", None)
    if len(text) > _LONGEST:
        return Caller("unparsable", None)
    return _parsed(text, country)


@lru_cache(maxsize=_KEPT)
def _parsed(text: str, country: str) -> Caller:
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        number = None
    # letters would be read as a vanity number: nobody calls from one
    if number is not None and phonenumbers.is_valid_number(number) and not any(c.isalpha() for c in text):
        return Caller("e164", phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    if text.isascii() and text.isdigit() and len(text) <= 6:
        return Caller("internal", None)
    return Caller("unparsable", None)
