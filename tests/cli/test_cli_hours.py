"""``ccbridge hours show``, with and without a daemon."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from cli_rig import NOWHERE, Shell

from ccbridge.cli.here import Here
from ccbridge.control.wire import Answer

HOURS = """
hours:
  office:
    zone: Europe/Athens
    week: {mon-fri: ["09:00-17:00"]}
    holidays: [GR]
    numbers: ["2101234567"]
  night: {zone: Asia/Tehran, week: {mon-sun: ["22:00-06:00"]}}
"""


@pytest.fixture
def hours(write_site: Callable[[str], Path]) -> Shell:
    site = write_site(NOWHERE)
    site.write_text(site.read_text() + HOURS)
    return Shell(site)


@pytest.mark.parametrize(
    ("at", "is_open", "until", "why"),
    [
        ("2026-11-23 10:00", True, "2026-11-23 17:00", "hours"),
        ("2026-03-25 10:00", False, "2026-03-26 09:00", "holiday Independence Day"),
        ("2026-03-29 03:30", False, "2026-03-30 09:00", "hours"),  # does not exist
        ("2026-10-25 03:30", False, "2026-10-26 09:00", "hours"),  # is twice
    ],
)
def test_at_a_moment(hours: Shell, at: str, is_open: bool, until: str, why: str) -> None:
    (row,) = hours.json("hours", "show", "2101234567", "--at", at)
    assert row == {"hours": "office", "open": is_open, "why": why, "until": until, "zone": "Europe/Athens"}


def test_a_closing_counts_at_a_later_moment_and_not_in_the_past(
    hours: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    until = time.time() + 3 * 86_400
    shut = {"by": "maria", "until": until, "reason": "flood"}
    monkeypatch.setattr(Here, "ask", lambda self, do: Answer(True, "", {"night": shut}))
    moments = [until - 3600, until + 3600, time.time() - 86_400]
    local = [
        datetime.fromtimestamp(one, ZoneInfo("Asia/Tehran")).strftime("%Y-%m-%d %H:%M") for one in moments
    ]
    said = [hours.json("hours", "show", "night", "--at", one)[0]["why"] for one in local]
    assert said == ["closed by maria: flood", "hours", "hours"]


def test_now_without_the_daemon(hours: Shell) -> None:
    result = hours.run("hours", "show")
    assert result.stderr == "the daemon is away: exceptional closings are not known\n"
    assert result.stdout.count("Europe/Athens") == result.stdout.count("Asia/Tehran") == 1


def test_wrong_use(hours: Shell) -> None:
    assert "there are no hours nix" in hours.run("hours", "show", "nix", code=1).stderr
    assert "is no moment" in hours.run("hours", "show", "--at", "noon", code=2).stderr
    assert "is no time" in hours.run("hours", "close", "office", "--for", "2 weeks", code=2).stderr
    assert "not both" in hours.run("hours", "close", "office", "--for", "2h", "--until", "x", code=2).stderr
    assert "no hours nix" in hours.run("hours", "close", "nix", "--until", "2026-11-24 08:00", code=1).stderr
    assert hours.run("hours", "close", "office", code=3).stderr
