"""Opening hours: whether it is open at a moment, why, and until when.

It is open when the clock on the wall of the hours' own zone is within a span of that day, or of the day
before where that span crosses midnight. So a moment has one answer, whatever the clocks do: of a time that
is twice (the hour when summer ends) both are within, a time that does not exist (the hour when summer begins)
never comes, and a span that would begin in it begins when the clocks have been put forward.

Which spans a day has: those of its own date, if it is named; none on a holiday; else those of its weekday.
An exceptional closing comes before all of that, until it ends or is lifted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

FARTHEST = 400  # days that `until` looks ahead
MINUTE = timedelta(minutes=1)

Holiday = Callable[[str, date], str]  # country, or country-subdivision, and day -> the holiday's name, or ""


@dataclass(frozen=True, slots=True)
class Span:
    """Minutes since midnight, ``begin`` included and ``end`` not; an ``end`` of ``begin`` or less is of the
    next day.
    """

    begin: int  # 0-1439
    end: int  # 0-1440


@dataclass(frozen=True, slots=True)
class Hours:
    name: str
    zone: str  # IANA, such as Europe/Athens
    week: tuple[tuple[Span, ...], ...]  # seven days, Monday first
    holidays: tuple[str, ...] = ()  # countries: GR, or DE-BY
    dates: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)  # 2026-12-24 -> its own spans


@dataclass(frozen=True, slots=True)
class Closing:
    """Closed by somebody, whatever the hours say."""

    by: str
    until: float | None  # epoch seconds; None: until it is lifted
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    open: bool
    why: str  # hours; "holiday <name>"; date; "closed by <who>"
    until: float | None  # epoch seconds of the next change; None: none within FARTHEST days


def standing(hours: Hours, at: float, closing: Closing | None, holiday: Holiday) -> Standing:
    """``at``: epoch seconds."""
    if closing is not None and (closing.until is None or at < closing.until):
        why = f"closed by {closing.by or 'somebody'}"
        if closing.until is None:
            return Standing(False, why, None)
        after = standing(hours, closing.until, None, holiday)
        return Standing(False, why, closing.until if after.open else after.until)
    is_open, why = _now(hours, at, holiday)
    return Standing(is_open, why, _change(hours, at, is_open, holiday))


def moment(text: datetime, zone: str) -> float:
    """The moment that a clock of this zone shows this at: the first one of two; for one that does not exist,
    what the clock would show had it not been put forward.
    """
    return text.replace(tzinfo=ZoneInfo(zone)).timestamp()


def _now(hours: Hours, at: float, holiday: Holiday) -> tuple[bool, str]:
    wall = datetime.fromtimestamp(at, ZoneInfo(hours.zone))
    today, minute = wall.date(), wall.hour * 60 + wall.minute
    spans, why = _of(hours, today, holiday)
    if any(one.begin <= minute and (minute < one.end or one.end <= one.begin) for one in spans):
        return True, why
    before, of_before = _of(hours, today - timedelta(days=1), holiday)
    if any(one.end <= one.begin and minute < one.end for one in before):
        return True, of_before
    return False, why


def _of(hours: Hours, day: date, holiday: Holiday) -> tuple[tuple[Span, ...], str]:
    """A day's own spans, and why it has these."""
    if (own := hours.dates.get(day.isoformat())) is not None:
        return own, "date"
    for country in hours.holidays:
        if name := holiday(country, day):
            return (), f"holiday {name}"
    return hours.week[day.weekday()], "hours"


def _change(hours: Hours, at: float, is_open: bool, holiday: Holiday) -> float | None:
    zone = ZoneInfo(hours.zone)
    today = datetime.fromtimestamp(at, zone).date()
    before = set(_edges(hours, today - timedelta(days=1), holiday))
    for ahead in range(FARTHEST + 1):
        day = today + timedelta(days=ahead)
        own = set(_edges(hours, day, holiday))
        # those of the day before that are on this day come in one order with this day's own
        for edge in sorted(before | own):
            is_today = datetime.fromtimestamp(edge, zone).date() == day
            if edge > at and is_today and _now(hours, edge, holiday)[0] != is_open:
                return edge
        before = own
    return None


def _edges(hours: Hours, day: date, holiday: Holiday) -> Iterator[float]:
    """Moments of a day at which something may change, those of a span that crosses midnight included."""
    zone = ZoneInfo(hours.zone)
    for span in _of(hours, day, holiday)[0]:
        for minute, later in ((span.begin, 0), (span.end, int(span.end <= span.begin))):
            days, rest = divmod(minute, 1440)
            wall = datetime.combine(day + timedelta(days=days + later), time(rest // 60, rest % 60), zone)
            yield from (wall.timestamp(), wall.replace(fold=1).timestamp())
    yield from _shift(day, zone)


def _shift(day: date, zone: ZoneInfo) -> Iterator[float]:
    """The minute of this day at which the zone's clocks are put forward or back, if they are."""
    low = datetime.combine(day, time(), zone).astimezone(UTC)
    high = datetime.combine(day + timedelta(days=1), time(), zone).astimezone(UTC)
    was = low.astimezone(zone).utcoffset()
    if high.astimezone(zone).utcoffset() == was:
        return
    while high - low > MINUTE:
        middle = low + (high - low) // 2
        middle = middle.replace(second=0, microsecond=0)
        if middle <= low:
            break
        if middle.astimezone(zone).utcoffset() == was:
            low = middle
        else:
            high = middle
    yield high.timestamp()
