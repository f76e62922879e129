"""Numbers, digits, dates and times as a language's own words, for a sentence or to be said alone.

By CLDR's data, through Babel; how the five built-in languages say a moment stands in their files. Hours are
those of the zone that a moment comes with. Dates are Gregorian in each language.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_decimal

from ccbridge.prompts.texts import PLAIN, Sentence, built_in, fill

Kind = Literal["number", "digits", "date", "time"]
Value = str | int | float | datetime

SPELLED = "digits"  # a placeholder of this name has its value said digit by digit
COUNT = "n"
_GROUP = 3  # digits said in one breath


def known(language: str) -> bool:
    """Whether there is such a language: ``el``, or with its country ``el_GR``."""
    try:
        Locale.parse(language)
    except (UnknownLocaleError, ValueError, TypeError):
        return False
    return True


def of_sentence(sentence: Sentence, values: Mapping[str, Value], language: str) -> str:
    """The whole sentence. Raises KeyError with the name of a missing value, ValueError for a wrong one."""
    return fill(_form(sentence, values, language), said(values, language))


def said(values: Mapping[str, Value], language: str) -> dict[str, str]:
    """Each value in words. Raises ValueError as ``word`` does."""
    return {name: _value(name, value, language) for name, value in values.items()}


def word(kind: Kind, value: Value, language: str) -> str:
    """Raises ValueError for a value that the kind cannot be, such as a moment without its zone."""
    match kind, value:
        case "digits", str() | int():
            return _spelled(str(value))
        case "number", bool():
            raise ValueError("a number is wanted, not a truth")
        case "number", int() | float():
            # no grouping: not each program takes 1.234 for one number
            return format_decimal(value, locale=language, group_separator=False)
        case "date", datetime():
            return _date(_aware(value), language)
        case "time", datetime():
            return _time(_aware(value), language)
    raise ValueError(f"{type(value).__name__} cannot be said as {kind}")


def moment(at: datetime, language: str) -> str:
    """Day and time, without the year. Raises ValueError for one without its zone."""
    own = built_in(language)
    if own is None:
        return f"{_date(_aware(at), language)}, {_time(at, language)}"
    return f"{format_datetime(_aware(at), own.formats['moment'], locale=language)} {_time(at, language)}"


def _form(sentence: Sentence, values: Mapping[str, Value], language: str) -> str:
    if not sentence.counts:
        return sentence.forms[PLAIN]
    count = values[COUNT]
    if isinstance(count, bool) or not isinstance(count, int | float):
        raise ValueError(f"{COUNT} must be a number")
    if count in sentence.exact:
        return sentence.exact[int(count)]
    return sentence.forms[Locale.parse(language).plural_form(count)]


def _value(name: str, value: Value, language: str) -> str:
    if name == SPELLED:
        return word("digits", value, language)
    if isinstance(value, str):
        return " ".join("".join(one if one.isprintable() else " " for one in value).split())
    return moment(value, language) if isinstance(value, datetime) else word("number", value, language)


def _spelled(text: str) -> str:
    found = [one for one in text if one in "0123456789"]
    if not found:
        raise ValueError("no digit is in it")
    groups = (found[at : at + _GROUP] for at in range(0, len(found), _GROUP))
    return ", ".join(" ".join(group) for group in groups)


def _date(at: datetime, language: str) -> str:
    own = built_in(language)
    return _blanks(format_date(at, own.formats["date"] if own else "full", locale=language))


def _time(at: datetime, language: str) -> str:
    own = built_in(language)
    if own is None:
        return _blanks(format_time(at, "short", tzinfo=at.tzinfo, locale=language))
    return _blanks(format_datetime(at, own.formats["time" if at.minute else "hour"], locale=language))


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a moment without its time zone")
    return at


def _blanks(text: str) -> str:
    """CLDR puts narrow and no-break blanks, which some programs read out."""
    return text.replace("\u202f", " ").replace("\u00a0", " ")
