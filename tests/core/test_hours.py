"""Opening hours at explicit instants, in zones with and without summer time; and against every minute."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ccbridge.core.hours import Closing, Hours, Span, moment, standing

NINE_TO_FIVE = (Span(540, 1020),)
WEEK = (NINE_TO_FIVE,) * 5 + ((Span(600, 840),), ())
HOLIDAYS = {("GR", date(2026, 3, 25)): "Independence Day", ("AE", date(2026, 12, 2)): "National Day"}


def no_holiday(country: str, day: date) -> str:
    return ""


def holiday(country: str, day: date) -> str:
    return HOLIDAYS.get((country, day), "")


def at(text: str, zone: str) -> float:
    return moment(datetime.fromisoformat(text), zone)


def utc(seconds: float | None) -> str:
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(" ", "minutes")[:16]


@pytest.mark.parametrize(
    ("zone", "when", "is_open", "until"),
    [
        ("Europe/Athens", "2026-11-23 08:59", False, "2026-11-23 07:00"),
        ("Europe/Athens", "2026-11-23 09:00", True, "2026-11-23 15:00"),
        ("Europe/Athens", "2026-11-23 17:00", False, "2026-11-24 07:00"),
        ("Europe/Athens", "2026-11-28 13:59", True, "2026-11-28 12:00"),
        ("Europe/Athens", "2026-11-28 14:00", False, "2026-11-30 07:00"),
        # over the night in which the clocks change: Friday's evening to Monday's morning
        ("Europe/Athens", "2026-03-28 15:00", False, "2026-03-30 06:00"),
        ("Europe/Athens", "2026-10-24 15:00", False, "2026-10-26 07:00"),
        ("Europe/Zagreb", "2026-07-01 12:00", True, "2026-07-01 15:00"),
        ("Asia/Tehran", "2026-07-01 12:00", True, "2026-07-01 13:30"),  # +03:30 all the year since 2022
        ("Asia/Tehran", "2026-01-01 12:00", True, "2026-01-01 13:30"),
        ("Asia/Dubai", "2026-07-01 08:00", False, "2026-07-01 05:00"),
        ("America/New_York", "2026-03-06 18:00", False, "2026-03-07 15:00"),
        ("America/New_York", "2026-03-07 15:00", False, "2026-03-09 13:00"),  # EDT by then
    ],
)
def test_ordinary_weeks(zone: str, when: str, is_open: bool, until: str) -> None:
    found = standing(Hours("office", zone, WEEK), at(when, zone), None, no_holiday)
    assert (found.open, found.why, utc(found.until)) == (is_open, "hours", until)


NIGHTS = tuple((Span(210, 240),) for _ in range(7))  # 03:30 to 04:00, each night


def test_a_time_that_does_not_exist() -> None:
    """Athens, 2026-03-29: after 02:59 comes 04:00. The half hour of that night never comes."""
    hours = Hours("nights", "Europe/Athens", NIGHTS)
    # as the clock would show it had it not been put forward: 04:30 by the new time
    assert utc(at("2026-03-29 03:30", "Europe/Athens")) == "2026-03-29 01:30"
    found = standing(hours, at("2026-03-29 03:30", "Europe/Athens"), None, no_holiday)
    assert (found.open, utc(found.until)) == (False, "2026-03-30 00:30")
    before = standing(hours, at("2026-03-29 02:59", "Europe/Athens"), None, no_holiday)
    assert (before.open, utc(before.until)) == (False, "2026-03-30 00:30")


def test_a_span_that_would_begin_in_it_begins_when_the_clocks_are_forward() -> None:
    hours = Hours("morning", "Europe/Athens", tuple((Span(210, 480),) for _ in range(7)))
    found = standing(hours, at("2026-03-29 02:00", "Europe/Athens"), None, no_holiday)
    assert (found.open, utc(found.until)) == (False, "2026-03-29 01:00")  # 04:00 by the new time
    assert standing(hours, found.until or 0, None, no_holiday).open


def test_a_time_that_is_twice() -> None:
    """Athens, 2026-10-25: 03:30 is at 00:30 and at 01:30 UTC; it is open both times, and shut in between."""
    hours = Hours("nights", "Europe/Athens", NIGHTS)
    first = at("2026-10-25 03:30", "Europe/Athens")
    assert utc(first) == "2026-10-25 00:30"
    changes = []
    now = first - 60
    for _ in range(4):
        now = standing(hours, now, None, no_holiday).until or 0.0
        changes.append((utc(now), standing(hours, now, None, no_holiday).open))
    assert changes == [
        ("2026-10-25 00:30", True),
        ("2026-10-25 01:00", False),  # 04:00 is put back to 03:00
        ("2026-10-25 01:30", True),
        ("2026-10-25 02:00", False),
    ]


def test_a_span_over_midnight_that_would_end_in_the_hour_that_is_not() -> None:
    """New York, 2026-03-08: after 01:59 comes 03:00. It is closed when the clocks are put forward."""
    hours = Hours("night", "America/New_York", (*[()] * 5, (Span(340, 158),), ()))  # Saturday 05:40 to 02:38
    found = standing(hours, at("2026-03-07 12:00", "America/New_York"), None, no_holiday)
    assert (found.open, utc(found.until)) == (True, "2026-03-08 07:00")


def test_over_midnight_and_around_the_clock() -> None:
    night = Hours("night", "Europe/Athens", ((Span(1320, 360),), *[()] * 6))  # Monday 22:00 to Tuesday 06:00
    for when, is_open in (("23 21:59", False), ("23 22:00", True), ("24 05:59", True), ("24 06:00", False)):
        assert standing(night, at(f"2026-11-{when}", "Europe/Athens"), None, no_holiday).open is is_open, when
    always = Hours("always", "Europe/Athens", ((Span(0, 1440),),) * 7)
    found = standing(always, at("2026-11-23 12:00", "Europe/Athens"), None, no_holiday)
    assert (found.open, found.until) == (True, None)
    never = Hours("never", "Europe/Athens", ((),) * 7)
    assert standing(never, 0.0, None, no_holiday).until is None


def test_holidays_and_own_dates() -> None:
    own = {"2026-12-24": (Span(540, 780),), "2026-08-14": (), "2026-03-25": (Span(600, 660),)}
    hours = Hours("office", "Europe/Athens", WEEK, ("AE", "GR"), own)
    plain = Hours("office", "Europe/Athens", WEEK, ("AE", "GR"))
    found = standing(plain, at("2026-03-25 10:00", "Europe/Athens"), None, holiday)
    assert (found.open, found.why, utc(found.until)) == (
        False,
        "holiday Independence Day",
        "2026-03-26 07:00",
    )
    assert (
        standing(plain, at("2026-12-02 10:00", "Europe/Athens"), None, holiday).why == "holiday National Day"
    )
    eve = standing(hours, at("2026-12-24 12:00", "Europe/Athens"), None, holiday)
    assert (eve.open, eve.why, utc(eve.until)) == (True, "date", "2026-12-24 11:00")
    assert standing(hours, at("2026-08-14 12:00", "Europe/Athens"), None, holiday) == standing(
        hours, at("2026-08-14 13:00", "Europe/Athens"), None, holiday
    )
    # an own date comes before the holiday
    assert standing(hours, at("2026-03-25 10:30", "Europe/Athens"), None, holiday).open


def test_an_exceptional_closing() -> None:
    hours = Hours("office", "Europe/Athens", WEEK)
    now = at("2026-11-23 10:00", "Europe/Athens")
    until = at("2026-11-23 12:00", "Europe/Athens")
    found = standing(hours, now, Closing("maria", until), no_holiday)
    assert (found.open, found.why, found.until) == (False, "closed by maria", until)
    assert standing(hours, until, Closing("maria", until), no_holiday).open
    # it ends in the night: open again when the hours say so
    night = standing(hours, now, Closing("maria", at("2026-11-23 23:00", "Europe/Athens")), no_holiday)
    assert utc(night.until) == "2026-11-24 07:00"
    assert standing(hours, now, Closing("maria", None), no_holiday).until is None


SPANS = st.lists(
    st.tuples(st.integers(0, 1439), st.integers(0, 1440)).map(lambda both: Span(*both)), max_size=2
).map(tuple)


@settings(max_examples=12, deadline=None)
@given(
    st.tuples(*[SPANS] * 7),
    st.sampled_from(["Europe/Athens", "Asia/Tehran", "America/New_York", "Australia/Lord_Howe"]),
    st.sampled_from(["2026-03-28", "2026-10-24", "2026-03-07", "2026-04-04", "2026-11-23"]),
)
def test_from_change_to_change_is_what_each_minute_says(
    week: tuple[tuple[Span, ...], ...], zone: str, day: str
) -> None:
    hours = Hours("any", zone, week)
    begin = at(f"{day} 00:00", zone)
    end = begin + 3 * 86_400
    minutes = [begin + 60 * n for n in range(3 * 1440)]
    changes = dict[float, bool]()
    now = begin
    while (after := standing(hours, now, None, no_holiday)).until is not None and after.until < end:
        now = after.until
        changes[now] = not after.open
    is_open = standing(hours, begin, None, no_holiday).open
    for minute in minutes:
        is_open = changes.get(minute, is_open)
        assert standing(hours, minute, None, no_holiday).open is is_open
