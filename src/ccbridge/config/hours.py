"""Opening hours: weeks, own dates and holidays, each in a zone of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, Any
from zoneinfo import available_timezones

from pydantic import AfterValidator, BeforeValidator

from ccbridge.config.mistakes import Notes, mapping, show, suggest
from ccbridge.config.section import Section
from ccbridge.config.shapes import UNIQUE, Between, Count, DepartmentRef, Did, Number, Text
from ccbridge.core.hours import Hours, Span

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CLOSED = "closed"
_TIMES = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")


def _zone(value: str) -> str:
    if value in available_timezones():
        return value
    raise ValueError(f"no zone {show(value)}; {suggest(value, sorted(available_timezones()))}")


def _times(value: str) -> str:
    found = _TIMES.fullmatch(value)
    if found is None:
        raise ValueError(f'must be two times such as "09:00-17:30", not {show(value)}')
    span = _span(value)
    if span.begin == span.end:
        raise ValueError("begins and ends at the same time; all day is 00:00-24:00")
    return value


def _span(value: str) -> Span:
    begin, end = (int(one[:2]) * 60 + int(one[3:]) for one in value.split("-"))
    return Span(begin, end)


def _days(value: str) -> str:
    first, dash, last = value.partition("-")
    if first not in DAYS or (dash and last not in DAYS):
        raise ValueError(f"must be a day or a row of days, such as mon or mon-fri, not {show(value)}")
    if dash and DAYS.index(last) <= DAYS.index(first):
        raise ValueError(f"must be days in their order, from mon to sun, not {show(value)}")
    return value


def _date(value: str) -> str:
    try:
        good = date.fromisoformat(value).isoformat() == value
    except ValueError:
        good = False
    if not good:
        raise ValueError(f'must be a date such as "2026-12-24", not {show(value)}')
    return value


def _holidays(value: str) -> str:
    import holidays  # 0.2 s: not before somebody has any

    country, dash, part = value.partition("-")
    supported = holidays.list_supported_countries(include_aliases=False)
    if country not in supported:
        raise ValueError(
            f"must be a country's two letters, such as GR or DE-BY, not {show(value)}; "
            f"{suggest(country, sorted(supported), what='known are')}"
        )
    if dash and part not in supported[country]:
        raise ValueError(f"no part {show(part)} of {country}; {suggest(part, supported[country])}")
    return value


def _digits(value: str) -> str:
    if not re.fullmatch(r"[0-9]{1,4}", value):
        raise ValueError(f'must be 1 to 4 digits, such as "1", not {show(value)}')
    return value


def _spans(value: object) -> object:
    return () if value == CLOSED else value


Times = Annotated[Text, AfterValidator(_times)]
DayTimes = Annotated[tuple[Times, ...], BeforeValidator(_spans), Count(0, 10)]
Zone = Annotated[Text, AfterValidator(_zone)]
Holidays = Annotated[Text, AfterValidator(_holidays)]
Days = Annotated[Text, AfterValidator(_days)]
Day = Annotated[Text, AfterValidator(_date)]
Digits = Annotated[Text, AfterValidator(_digits)]


class HoursSection(Section):
    zone: Zone
    week: Annotated[dict[Days, DayTimes], Count(1, 7)]
    holidays: Annotated[tuple[Holidays, ...], UNIQUE, Count(0, 10)] = ()
    dates: Annotated[dict[Day, DayTimes], Count(0, 1000)] = {}
    departments: Annotated[tuple[DepartmentRef, ...], UNIQUE, Count(0, 100)] = ()
    numbers: Annotated[tuple[Did, ...], UNIQUE, Count(0, 1000)] = ()
    digits: Digits | None = None
    close_for: Annotated[Number, Between(0, 2_678_400, "seconds")] = 43_200.0


def check(data: Mapping[str, Any], notes: Notes) -> None:
    whose: dict[tuple[str, str], str] = {}
    asked = [step.get("hours") for step in _steps(data)]
    notes.unique("hours", data.get("hours"), "digits", "hours")
    for name, raw in mapping(data, "hours").items():
        days: dict[str, str] = {}
        for key, times in mapping(raw, "week").items():
            for day in _row(key) if isinstance(key, str) else ():
                if day in days:
                    notes.add(("hours", name, "week", key), f"{day} stands in {show(days[day])} already")
                days[day] = key
            _overlaps(("hours", name, "week", key), times, notes)
        for key, times in mapping(raw, "dates").items():
            _overlaps(("hours", name, "dates", key), times, notes)
        times = [*mapping(raw, "week").values(), *mapping(raw, "dates").values()]
        if days and not any(one and one != CLOSED for one in times):
            notes.warn(("hours", name, "week"), "warning: it is never open")
        if name not in asked and not (
            isinstance(raw, dict) and (raw.get("departments") or raw.get("numbers"))
        ):
            notes.warn(("hours", name), "warning: no flow asks for it, and it has no departments or numbers")
        for kind in ("departments", "numbers"):
            listed = raw.get(kind) if isinstance(raw, dict) else None
            for index, one in enumerate(listed if isinstance(listed, list) else ()):
                if (other := whose.setdefault((kind, str(one)), name)) != name:
                    notes.add(("hours", name, kind, index), f"has the hours {other} already")


def _steps(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for flow in mapping(data, "flows").values():
        yield from (one for one in mapping(flow, "steps").values() if isinstance(one, dict))


def _row(key: str) -> Iterator[str]:
    first, _, last = key.partition("-")
    if first in DAYS and (last or first) in DAYS:
        yield from DAYS[DAYS.index(first) : DAYS.index(last or first) + 1]


def _overlaps(loc: tuple[str, ...], times: Any, notes: Notes) -> None:
    """Spans of one day that touch no minute twice; what crosses midnight goes into the next day."""
    if not isinstance(times, list):
        return
    right = sorted(one for one in times if isinstance(one, str) and _TIMES.fullmatch(one))
    for earlier, later in pairwise(right):
        before, span = _span(earlier), _span(later)
        if span.begin < before.end or before.end <= before.begin:
            notes.add(loc, f"{show(later)} overlaps {show(earlier)}")


def converted(sections: Mapping[str, HoursSection]) -> dict[str, Hours]:
    return {
        name: Hours(
            name,
            one.zone,
            tuple(_of(one.week, day) for day in DAYS),
            one.holidays,
            {day: tuple(map(_span, times)) for day, times in one.dates.items()},
        )
        for name, one in sections.items()
    }


def _of(week: Mapping[str, tuple[str, ...]], day: str) -> tuple[Span, ...]:
    return next((tuple(map(_span, times)) for key, times in week.items() if day in _row(key)), ())


@lru_cache(maxsize=200)
def _year(where: str, year: int) -> Mapping[date, str]:
    import holidays

    country, _, part = where.partition("-")
    return holidays.country_holidays(country, subdiv=part or None, years=[year])


def holiday(where: str, day: date) -> str:
    """The name of this country's holiday, or ""; ``where``: GR, or DE-BY."""
    return str(_year(where, day.year).get(day, ""))


def found(sections: Mapping[str, HoursSection], asked: str) -> list[str]:
    """Names of the hours that somebody means: by name, department or dialled number."""
    if asked in sections:
        return [asked]
    return [name for name, one in sections.items() if asked in one.departments or asked in one.numbers]
