"""Agents' own telephones: numbers that the site allows, each one agent's and none of the site's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import phonenumbers
from phonenumbers import PhoneNumberType

from ccbridge.config.mistakes import Loc, Notes, mapping, show
from ccbridge.config.models import PersonalSection, RoutingSection
from ccbridge.numbers import parse_caller

# Those that cost more than a call to somebody (premium, shared cost ...) are never dialled.
TYPES = {
    PhoneNumberType.MOBILE: {"mobile"},
    PhoneNumberType.FIXED_LINE: {"fixed"},
    PhoneNumberType.FIXED_LINE_OR_MOBILE: {"mobile", "fixed"},
}


def check(data: Mapping[str, Any], notes: Notes) -> None:
    section, callers = mapping(data, "personal"), mapping(data, "callers")
    home = callers.get("country")
    countries = section.get("countries") or [home]
    types = section.get("types", PersonalSection.model_fields["types"].default)
    if not all(isinstance(one, list | tuple) for one in (countries, types)):
        return  # a mistake already
    ours = {parse_caller(one, home).e164 for one in mapping(data, "numbers") if isinstance(home, str)}
    misses = mapping(data, "routing").get("misses", RoutingSection.model_fields["misses"].default)
    warned, first = False, dict[str, Loc]()
    for agent, body in mapping(data, "agents").items():
        devices = mapping(body, "personal")
        if devices and "dial" not in section:
            notes.add(
                ("agents", agent, "personal"), "needs personal.dial: the trunk that they are reached by"
            )
        if devices and not misses and not warned:
            warned = True
            notes.warn(
                ("agents", agent, "personal"),
                "warning: routing.misses is 0: a telephone that nobody picks up is called again for ever",
            )
        for name, number in devices.items():
            loc = ("agents", agent, "personal", name)
            wrong = _wrong(number, countries, types, ours) if isinstance(number, str) else ""
            if wrong:
                notes.add(loc, wrong)
            elif first.setdefault(number, loc) != loc:
                line = notes.line(first[number])
                notes.add(loc, f"is agent {first[number][1]}'s already (line {line})")


def _wrong(number: str, countries: list[Any], types: list[Any], ours: set[str | None]) -> str:
    """Why it must not be dialled; "" if it may, or is a mistake already."""
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return "" if not number.startswith("+") else "is no telephone number"
    if not phonenumbers.is_valid_number(parsed):
        return "is no telephone number"
    country = phonenumbers.region_code_for_number(parsed)
    if country not in countries:
        return (
            f"is a number of {show(str(country))}; personal.countries allows {', '.join(map(str, countries))}"
        )
    if TYPES.get(phonenumbers.number_type(parsed), set()).isdisjoint(map(str, types)):
        return f"is no number of a type that personal.types allows: {', '.join(map(str, types))}"
    return "is one of this site's own numbers: his calls would come back here" if number in ours else ""


def dialled(section: PersonalSection, number: str) -> str:
    """What Dial is given for a number that was checked."""
    assert section.dial is not None
    return section.dial.format(number=number, digits=number.removeprefix("+"))
