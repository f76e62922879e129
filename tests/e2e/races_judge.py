"""What came of races: Asterisk's own channel events and the phones' own log, held against the accounts."""

from __future__ import annotations

import csv
import json
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from ccbridge.lab.chaos.evidence import Seen, by

#: the phone hears of the end of a call, or the PBX of an answer, a moment after the other side knows it
SIDES_S = 0.05
#: a hang-up so near to the INVITE, or the answer, that nobody can say which was first
CLOSE_S = 0.01


@dataclass
class Leg:
    """An agent's leg as the PBX's channel events have it. Times are seconds since the epoch."""

    phone: str
    uniqueid: str
    linkedid: str
    begun: float
    ended: float | None = None
    #: ids of the bridges in which it was
    bridges: set[str] = field(default_factory=set)


@dataclass
class Channels:
    """The PBX's channel events: the agents' legs, and each caller's channel by its uniqueid."""

    legs: list[Leg]
    #: bridges of each caller
    callers: dict[str, set[str]]

    @classmethod
    def read(cls, cel: Path, phones: Iterable[str]) -> Channels:
        """The columns of `cel_custom_ccbridge.conf`."""
        legs: dict[str, Leg] = {}
        callers: dict[str, set[str]] = {}
        names = {f"PJSIP/{phone}": phone for phone in phones}
        with cel.open(newline="", errors="replace") as file:
            for row in csv.reader(file):
                at, kind, uniqueid, linkedid, channel, extra = (row[n] for n in (1, 2, 4, 5, 6, 14))
                phone = names.get(channel.rpartition("-")[0])
                if kind == "CHAN_START" and phone is not None:
                    legs[uniqueid] = Leg(phone, uniqueid, linkedid, float(at))
                elif kind == "CHAN_START" and uniqueid == linkedid:
                    callers[uniqueid] = set()
                elif kind == "HANGUP" and uniqueid in legs:
                    legs[uniqueid].ended = float(at)
                elif kind == "BRIDGE_ENTER":
                    bridges = legs[uniqueid].bridges if uniqueid in legs else callers.get(uniqueid, set())
                    bridges.add(json.loads(extra)["bridge_id"])
        return cls(list(legs.values()), callers)


def picked_up(log: Path) -> set[str]:
    """Channels of the phones' own log that said so: a phone on Asterisk 16 is `answered` only with sound."""
    with log.open(newline="", errors="replace") as file:  # a hostile caller's name may be no UTF-8
        return {row[3] for row in csv.reader(file) if row[1] == "ANSWER"}


def overlaps(legs: list[Leg]) -> list[str]:
    """Legs of one phone that were there at once, on the PBX's own clock: not a microsecond is forgiven."""
    wrong = []
    for phone, mine in by(legs, lambda leg: leg.phone).items():
        for one, two in pairwise(sorted(mine, key=lambda leg: leg.begun)):
            if one.ended is None or two.begun < one.ended:
                wrong.append(f"phone {phone}: {two.uniqueid} begun before {one.uniqueid} ended")
    return wrong


def rung_twice(rung: list[Seen], late_s: float) -> list[str]:
    """The same as the phones themselves saw it."""
    wrong = []
    for phone, mine in by(rung, lambda seen: seen.line).items():
        for one, two in pairwise(sorted(mine, key=lambda seen: seen.invited or 0.0)):
            assert two.invited is not None
            if one.ended is None or two.invited < one.ended - SIDES_S - late_s:
                wrong.append(f"phone {phone}: rung for {two.shown} while in the call of {one.shown}")
    return wrong


def fates(
    callers: dict[str, Seen],
    rung: list[Seen],
    channels: Channels,
    accounts: list[dict[str, Any]],
    late_s: float,
    at_most: int = 1,
) -> list[str]:
    """What is wrong with what came of each caller (by number); `at_most` so many phones may have answered.

    An agent who hangs up before his caller is connected has ended the call, as after a talk.
    Who hangs up as he is answered may be in a bridge for a few milliseconds, after his hang-up has been told:
    then nobody can say that he was served.
    """
    wrong = []
    told = by(accounts, lambda row: row["caller_raw"])
    invited = by(rung, lambda seen: seen.shown)
    legs = by(channels.legs, lambda leg: leg.linkedid)
    for number, seen in callers.items():
        mine = told.pop(number, [])
        if len(mine) != 1:
            wrong.append(f"{number}: {len(mine)} accounts")
            continue
        account = mine[0]
        with_him = [
            leg
            for leg in legs.get(account["call_id"], ())
            if leg.bridges & channels.callers[account["call_id"]]
        ]
        answered = [leg for leg in invited.get(number, ()) if leg.answered]
        what = f"{number} ({account['call_id']}, {account['disposition']})"
        if len(with_him) > 1 or len(answered) > at_most:
            wrong.append(f"{what}: {len(with_him)} agents were with him, {len(answered)} phones answered")
        taken = any(leg.hung_up for leg in answered)
        if not seen.hung_up and not with_him and not taken:
            wrong.append(f"{what}: cut off, and no agent was with him")
        too_late = seen.hung_up and all(
            leg.answered > seen.ended - SIDES_S - late_s for leg in answered if leg.answered and seen.ended
        )
        if (account["disposition"] == "answered") != bool(with_him) and not (with_him and too_late):
            wrong.append(f"{what}: with him were {[leg.phone for leg in with_him]}")
        if account["disposition"] not in ("answered", "abandoned"):
            wrong.append(f"{what}: neither served nor did he hang up")
        by_whom = "caller" if seen.hung_up else "agent" if taken else "nobody"
        if account["disposition"] == "abandoned" and account["ended_by"] != by_whom:
            wrong.append(f"{what}: ended by {account['ended_by']}, hung up himself: {seen.hung_up}")
    return wrong + [f"{number}: an account, and nobody called" for number in told]


def seen_of_it(callers: dict[str, Seen], rung: list[Seen], channels: Channels) -> str:
    """How near the races were, for people."""
    invited = by(rung, lambda seen: seen.shown)
    gaps = []
    for mine in by(channels.legs, lambda leg: leg.phone).values():
        ends = sorted(mine, key=lambda leg: leg.begun)
        gaps += [two.begun - one.ended for one, two in pairwise(ends) if one.ended is not None]
    close = sum(
        any(
            seen.ended and at and abs(seen.ended - at) < CLOSE_S
            for leg in invited.get(number, ())
            for at in (leg.invited, leg.answered)
        )
        for number, seen in callers.items()
        if seen.hung_up
    )
    unanswered = sum(not leg.answered for leg in rung)
    return (
        f"{len(callers)} callers, {sum(seen.hung_up for seen in callers.values())} hung up, {close} of them "
        f"within {CLOSE_S * 1000:.0f} ms of an INVITE or an answer; {len(rung)} INVITEs, {unanswered} not "
        f"answered; between two calls at a phone {min(gaps) * 1000:.1f} ms at least, "
        f"{statistics.median(gaps) * 1000:.1f} ms in the median"
    )
