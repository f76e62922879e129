"""Numbers, digits, dates and times as each language has them, and sentences with them in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from ccbridge.prompts import words
from ccbridge.prompts.texts import built_in
from ccbridge.prompts.words import Kind

ATHENS = timezone(timedelta(hours=2))
TUESDAY = datetime(2026, 11, 24, 9, 0, tzinfo=ATHENS)
LATER = datetime(2026, 11, 24, 15, 30, tzinfo=ATHENS)


def sentence(name: str, language: str, **values: Any) -> str:
    built = built_in(language)
    assert built is not None
    return words.of_sentence(built.sentences[name], values, language)


@pytest.mark.parametrize(
    ("language", "count", "said"),
    [
        ("en", 1, "The expected wait is about one minute."),
        ("en", 21, "The expected wait is about 21 minutes."),
        ("el", 1, "Ο χρόνος αναμονής είναι περίπου ένα λεπτό."),
        ("el", 3, "Ο χρόνος αναμονής είναι περίπου 3 λεπτά."),
        ("hr", 2, "Predviđeno vrijeme čekanja je oko dvije minute."),
        ("hr", 3, "Predviđeno vrijeme čekanja je oko 3 minute."),
        ("hr", 5, "Predviđeno vrijeme čekanja je oko 5 minuta."),
        ("hr", 12, "Predviđeno vrijeme čekanja je oko 12 minuta."),
        ("hr", 61, "Predviđeno vrijeme čekanja je oko 61 minute."),
        ("ar", 0, "وقت الانتظار المتوقع أقل من دقيقة."),
        ("ar", 1, "وقت الانتظار المتوقع دقيقة واحدة تقريبًا."),
        ("ar", 2, "وقت الانتظار المتوقع دقيقتان تقريبًا."),
        ("ar", 3, "وقت الانتظار المتوقع 3 دقائق تقريبًا."),
        ("ar", 11, "وقت الانتظار المتوقع 11 دقيقة تقريبًا."),
        ("ar", 100, "وقت الانتظار المتوقع 100 دقيقة تقريبًا."),
        ("fa", 1, "زمان انتظار حدود 1 دقیقه است."),
        ("fa", 15, "زمان انتظار حدود 15 دقیقه است."),
    ],
)
def test_the_wait_in_each_plural(language: str, count: int, said: str) -> None:
    assert sentence("wait", language, n=count) == said


@pytest.mark.parametrize(
    ("language", "nine", "half"),
    [
        ("en", "on Tuesday, 24 November, at 9 in the morning.", "3:30 in the afternoon"),
        ("el", "ξανά: Τρίτη 24 Νοεμβρίου, ώρα 9 το πρωί.", "3 και 30 το μεσημέρι"),
        ("hr", "radimo: utorak, 24. studenoga, u 9 ujutro.", "3 i 30 poslije podne"),
        ("ar", "جديد يوم الثلاثاء 24 نوفمبر، الساعة 9 صباحًا.", "3 و 30 دقيقة بعد الظهر"),
        ("fa", "دوباره روز سه‌شنبه 24 نوامبر، ساعت 9 صبح باز می‌کنیم.", "3 و 30 دقیقه عصر"),
    ],
)
def test_a_moment_in_a_sentence_and_a_time_alone(language: str, nine: str, half: str) -> None:
    assert sentence("opens-at", language, when=TUESDAY).endswith(nine)
    assert words.word("time", LATER, language) == half


def test_hours_are_those_of_the_moments_zone() -> None:
    assert words.word("time", TUESDAY.astimezone(UTC), "en") == "7 in the morning"
    assert words.word("time", TUESDAY.astimezone(UTC), "de") == "07:00"


@pytest.mark.parametrize(
    ("kind", "value", "language", "said"),
    [
        ("number", 1234, "en", "1234"),
        ("number", 3.5, "el", "3,5"),
        ("number", 3.5, "en", "3.5"),
        ("digits", "+302101234567", "en", "3 0 2, 1 0 1, 2 3 4, 5 6 7"),
        ("digits", 42, "hr", "4 2"),
        ("date", TUESDAY, "en", "Tuesday, 24 November 2026"),
        ("date", TUESDAY, "el", "Τρίτη 24 Νοεμβρίου 2026"),
        ("date", TUESDAY, "hr", "utorak, 24. studenoga 2026."),
        ("date", TUESDAY, "ar", "الثلاثاء، 24 نوفمبر 2026"),
        ("date", TUESDAY, "fa", "سه‌شنبه 24 نوامبر 2026"),
        ("date", TUESDAY, "de", "Dienstag, 24. November 2026"),
    ],
)
def test_values_alone(kind: Kind, value: Any, language: str, said: str) -> None:
    assert words.word(kind, value, language) == said


@pytest.mark.parametrize(
    ("kind", "value", "why"),
    [
        ("digits", "call me", "no digit"),
        ("digits", 1.5, "float cannot be said as digits"),
        ("number", "7", "str cannot be said as number"),
        ("number", True, "not a truth"),
        ("date", datetime(2026, 11, 24), "without its time zone"),  # noqa: DTZ001
        ("time", "9:00", "str cannot be said as time"),
    ],
)
def test_wrong_values(kind: Kind, value: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        words.word(kind, value, "en")


def test_a_text_from_outside_stays_on_one_line_and_is_no_pattern() -> None:
    assert words.said({"name": "a {n}\n\x00 b\u202e", "n": 2}, "en") == {"name": "a {n} b", "n": "2"}


def test_a_count_must_be_one() -> None:
    with pytest.raises(ValueError, match="n must be a number"):
        sentence("wait", "en", n="3")
    with pytest.raises(KeyError, match="n"):
        sentence("wait", "en")


def test_known_languages() -> None:
    assert all(map(words.known, ("en", "en_GB", "el_GR", "fa", "no")))
    assert not any(map(words.known, ("xx", "", "english", "el-GR")))
