"""Who hears what, told by tones, where supervisors are on the line.

The caller sends 440 Hz, anna 1,000, ben 1,500, the supervisor 700; music is 300.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from click.testing import CliRunner
from e2e_rig import SALES, Site

from ccbridge.cli import main
from ccbridge.lab.carrier import Call, Carrier
from ccbridge.lab.legs import Leg
from ccbridge.lab.machine import Since
from ccbridge.lab.phones import Phone
from ccbridge.lab.tones import RATE, samples, tone_spans

Phones = dict[str, Phone]
TONES = CALLER, ANNA, BEN, SUE, MUSIC = 440, 1000, 1500, 700, 300
WINDOW_S = 0.8
# Before and after it: ChanSpy waits 0.1 s before it begins, and a phone that is sent nothing records nothing,
# so that its recording runs a little ahead of the clock.
MARGIN_S = 0.5
GAP_MS = 60
PEOPLE: dict[str, Any] = {
    "departments": {"front": ["sales"], "back": ["support"]},
    "supervisors": {
        "sue": {"name": "Sue", "device": "PJSIP/1006", "role": "supervisor", "departments": ["front"]},
        "trainee": {"name": "T", "device": "PJSIP/1007", "role": "trainee", "departments": ["front"]},
        "chief": {"name": "C", "device": "PJSIP/1005", "role": "manager"},
    },
}


def ccbridge(site: Site, *words: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["-c", str(site.config), *words], prog_name="ccbridge")
    assert result.exit_code == code, result.output
    return (result.stderr if code else result.stdout).strip()


class Ears:
    """Notes who is to hear what and when; judged when the phones have hung up: their recordings are whole."""

    def __init__(self, machine: Since) -> None:
        self._machine = machine
        self._noted: list[tuple[str, float, Leg, tuple[int, ...]]] = []

    async def now(self, what: str, **people: tuple[Leg, tuple[int, ...]]) -> None:
        """For a while each of these people hears these tones, and no other."""
        await asyncio.sleep(MARGIN_S + self._machine.late_s)
        begun = time.time()
        await asyncio.sleep(WINDOW_S + MARGIN_S)
        self._noted += [(f"{what}: {who}", begun, leg, tones) for who, (leg, tones) in people.items()]

    async def judge(self, *, from_end: bool = False) -> None:
        """``from_end``: its moments are reckoned from a recording's end. While keys are pressed in a talk
        nothing is sent to the other side, which then has less on record than the clock says."""
        for what, begun, leg, tones in self._noted:
            await leg.ended()
            assert leg.answered_at is not None
            start = since_end(leg, begun) if from_end else begun - leg.answered_at
            parts = {tone: part(leg, tone, start, start + WINDOW_S) for tone in TONES}
            assert {tone for tone in TONES if parts[tone] > 0.8} == set(tones), (what, parts)
            assert all(parts[tone] < 0.05 for tone in TONES if tone not in tones), (what, parts)


def since_end(leg: Leg, at: float) -> float:
    """This moment in the recording of a leg that has ended, reckoned from there."""
    assert leg.ended_at is not None
    return len(samples(leg.heard)) / RATE - (leg.ended_at - at)


def part(leg: Leg, tone: int, start: float, end: float) -> float:
    """Of the time from ``start`` to ``end`` (seconds of its recording), how much this tone was heard."""
    inside = (min(end, till) - max(start, since) for since, till in tone_spans(leg.heard, tone))
    return sum(one for one in inside if one > 0) / (end - start)


async def talk(site: Site, phones: Phones, carrier: Carrier) -> tuple[Call, str, Leg]:
    call, name = await site.dial(carrier, SALES)
    await site.until_event(name, "answered", agent="anna")
    return call, name, await phones["1001"].talks()


def told(site: Site) -> list[tuple[str, str, str, str, str]]:
    rows = site.controls()
    return [(one["what"], one["result"], one["who"], one["whom"], one["door"]) for one in rows]


async def until_told(site: Site, what: str, result: str, times: int = 1) -> None:
    await site.until(lambda: [one[:2] for one in told(site)].count((what, result)) >= times)


async def until_agreed(site: Site, limit_s: float = 60.0) -> None:
    """Until Asterisk's own files, once the jobs have read them, tell the same as the events.

    The recordings of sites before this one are in another database: they go.
    """
    for file in site.lab.recordings.rglob("*.wav"):
        if file.stat().st_mtime < site.config.stat().st_mtime:
            file.unlink()
    words = ["-c", str(site.config), "reconcile"]
    deadline = time.monotonic() + limit_s
    while (done := await asyncio.to_thread(CliRunner().invoke, main, words)).exit_code != 0:
        assert time.monotonic() < deadline, done.output
        await asyncio.sleep(0.5)
