"""Opening hours as they are written: what is right, and each mistake where it stands."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from config_bench import Bench

from ccbridge.config import hours as configured
from ccbridge.core.hours import Span, moment, standing

HOURS = """
hours:
  office:
    zone: Europe/Athens
    week: {mon-thu: ["09:00-13:00", "14:00-18:00"], fri: ["09:00-24:00"], sat: ["22:00-02:00"], sun: closed}
    holidays: [GR]
    dates: {"2026-12-24": ["09:00-13:00"], "2026-08-14": closed}
    departments: [north]
    numbers: ["2101234567"]
departments: {north: [sales]}
queues:
"""


def test_what_is_written(bench: Bench) -> None:
    site = bench.site(("queues:\n", HOURS))
    office = site.plan.hours["office"]
    assert office.week[0] == office.week[3] == (Span(540, 780), Span(840, 1080))
    assert office.week[4:] == ((Span(540, 1440),), (Span(1320, 120),), ())
    assert office.dates == {"2026-12-24": (Span(540, 780),), "2026-08-14": ()}
    assert [configured.found(site.hours, asked) for asked in ("office", "north", "2101234567", "south")] == [
        ["office"], ["office"], ["office"], []
    ]  # fmt: skip
    assert [one.key for one in site.warnings] == ["departments.north"]  # nobody works for it


@pytest.mark.parametrize(
    ("country", "day", "name"),
    [
        ("GR", date(2026, 3, 25), "Independence Day"),
        ("HR", date(2026, 5, 30), "Statehood Day"),
        ("US", date(2026, 11, 26), "Thanksgiving Day"),
        ("AE", date(2026, 12, 2), "National Day"),
        ("IR", date(2026, 3, 21), "Nowruz"),
        ("DE-BY", date(2026, 1, 6), "Epiphany"),
        ("DE", date(2026, 1, 6), ""),
        ("GR", date(2026, 11, 23), ""),
    ],
)
def test_holidays(country: str, day: date, name: str) -> None:
    assert name in configured.holiday(country, day)
    assert bool(name) is bool(configured.holiday(country, day))


@pytest.mark.parametrize(
    ("zone", "country", "noon", "until"),
    [
        ("Europe/Athens", "GR", "2026-03-25 12:00", "2026-03-26 07:00"),
        ("Europe/Zagreb", "HR", "2026-06-22 12:00", "2026-06-23 07:00"),
        ("America/New_York", "US", "2026-11-26 12:00", "2026-11-27 14:00"),
        ("Asia/Dubai", "AE", "2026-12-02 12:00", "2026-12-04 05:00"),
        ("Asia/Tehran", "IR", "2026-03-21 12:00", "2026-03-25 05:30"),
    ],
)
def test_a_holiday_is_closed_until_the_next_day_that_is_none(
    bench: Bench, zone: str, country: str, noon: str, until: str
) -> None:
    week = '{mon-sun: ["09:00-17:00"]}'
    text = f"hours: {{h: {{zone: {zone}, week: {week}, holidays: [{country}]}}}}\nqueues:\n"
    hours = bench.site(("queues:\n", text)).plan.hours["h"]
    found = standing(hours, moment(datetime.fromisoformat(noon), zone), None, configured.holiday)
    assert not found.open
    assert found.why.startswith("holiday ")
    assert datetime.fromtimestamp(found.until or 0, UTC).strftime("%Y-%m-%d %H:%M") == until


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("Europe/Athens", "Europe/Athen"), 'no zone "Europe/Athen"; did you mean "Europe/Athens"?'),
        (("mon-thu", "mon-thur"), 'must be a day or a row of days, such as mon or mon-fri, not "mon-thur"'),
        (("mon-thu", "thu-mon"), "must be days in their order"),
        (("fri: [", "thu: ["), 'thu stands in "mon-thu" already'),
        (("14:00-18:00", "12:59-18:00"), '"12:59-18:00" overlaps "09:00-13:00"'),
        (("09:00-24:00", "09:00-24:01"), 'must be two times such as "09:00-17:30", not "09:00-24:01"'),
        (("09:00-24:00", "09:00-09:00"), "begins and ends at the same time; all day is 00:00-24:00"),
        (("09:00-24:00", "9-17"), "must be two times"),
        (("[GR]", "[Greece]"), "must be a country's two letters"),
        (("[GR]", "[DE-XX]"), 'no part "XX" of DE'),
        (("2026-12-24", "2026-02-30"), 'must be a date such as "2026-12-24", not "2026-02-30"'),
        (("2026-12-24", "2026-1-2"), "must be a date"),
        (("[north]", "[nroth]"), 'no department "nroth"; did you mean "north"?'),
        (("departments: {", "  shop: {zone: UTC, week: {sun: []}, departments: [north]}\ndepartments: {"),
         "has the hours office already"),
    ],
)  # fmt: skip
def test_mistakes(bench: Bench, change: tuple[str, str], says: str) -> None:
    assert change[0] in HOURS
    bench.change(("queues:\n", HOURS.replace(*change, 1)))
    (line,) = bench.mistakes()
    assert says in line
    assert ": hours." in line


def test_never_open_is_a_warning(bench: Bench) -> None:
    site = bench.site(
        ("queues:\n", 'hours: {h: {zone: UTC, week: {sun: []}, numbers: ["2101234567"]}}\nqueues:\n')
    )
    assert [(one.key, one.text) for one in site.warnings] == [("hours.h.week", "warning: it is never open")]


def test_open_on_a_date_alone_is_not_never(bench: Bench) -> None:
    text = 'hours: {h: {zone: UTC, week: {sun: closed}, dates: {"2026-12-24": ["09:00-13:00"]}}}\nqueues:\n'
    (warning,) = bench.site(("queues:\n", text)).warnings
    assert (warning.key, warning.text) == (
        "hours.h", "warning: no flow asks for it, and it has no departments or numbers"
    )  # fmt: skip


def test_digits_are_of_one_alone(bench: Bench) -> None:
    one = 'zone: UTC, numbers: ["2101234567"], week: {sun: ["10:00-12:00"]}'
    text = f'hours:\n  a: {{{one}, digits: "7"}}\n  b: {{{one}, digits: "7"}}\nqueues:\n'
    bench.change(("queues:\n", text.replace("2101234567", "2101234568", 1)))
    (line,) = bench.mistakes()
    assert 'hours.b.digits: "7" is hours a\'s already' in line


def test_digits_that_are_none(bench: Bench) -> None:
    text = 'hours: {a: {zone: UTC, week: {sun: ["10:00-12:00"]}, digits: "7a"}}\nqueues:\n'
    bench.change(("queues:\n", text))
    (line,) = bench.mistakes()
    assert 'must be 1 to 4 digits, such as "1", not "7a"' in line


def test_a_step_of_unknown_hours(bench: Bench) -> None:
    bench.change(("queues:\n", HOURS), ("        queue: sales\n", "        hours: ofice\n        open: goodbye\n        closed: goodbye\n"))  # fmt: skip  # noqa: E501
    (line,) = bench.mistakes()
    assert 'no hours "ofice"; did you mean "office"?' in line
