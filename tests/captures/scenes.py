"""What happens in each golden capture: real calls, and what is true of them.

A scene plays itself on a ``Stage`` and returns the truth, written by hand from what it did and from the
phones' own clocks. Its name is the name of the capture, its docstring the page's first lines.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from e2e_rig import AGENTS, MENU, SALES, SUPPORT, Site

from ccbridge.lab.carrier import Call, Carrier
from ccbridge.lab.lab import Lab
from ccbridge.lab.legs import Leg
from ccbridge.lab.outside import Outside
from ccbridge.lab.phones import Phone

TALK_S = 0.8
MOBILE = "+306912300001"  # anna's


@dataclass
class Truth:
    """One call: how it ended, and how long he talked with agents by the phones' clocks."""

    end: str
    by: str
    offers: list[str]
    talk: float = 0.0
    transfers: list[str] | None = None
    inferred: bool = False


class Stage:
    """A site with its daemon, phones and carrier; nobody is logged in, no call is up."""

    def __init__(self, lab: Lab, outside: Outside, site: Site) -> None:
        self.lab, self.outside, self.site = lab, outside, site
        self.phones: dict[str, Phone] = {name: outside.phones[number] for name, number in AGENTS.items()}
        self.phones["other"] = outside.phones["1008"]
        self.carrier: Carrier = outside.carrier
        self.calls: list[Call] = []

    async def dial(self, did: str = SALES, **more: Any) -> tuple[Call, str]:
        call, name = await self.site.dial(self.carrier, did, **more)
        self.calls.append(call)
        return call, name

    async def hold(self, did: str = SALES, **more: Any) -> tuple[Call, str]:
        call, name = await self.dial(did, **more)
        await self.site.until_event(name, "holding")
        return call, name

    async def talk(self, agent: str = "anna", did: str = SALES, **more: Any) -> tuple[Call, str, Leg]:
        """A call that this agent has answered, after a moment of talk."""
        call, name = await self.dial(did, **more)
        await self.site.until_event(name, "answered", agent=agent)
        leg = await self.phones[agent].talks()
        await asyncio.sleep(TALK_S)
        return call, name, leg

    async def end(self, call: Call, name: str) -> dict[str, Any]:
        """The caller hangs up."""
        await call.hangup()
        return await self.site.until_closed(name)

    def restart(self) -> None:
        """kill -9 of the daemon, and the next one."""
        self.site.daemon.kill()
        self.site.daemon.start()


Scene = Callable[[Stage], Awaitable[list[Truth]]]


def together(call: Call, *legs: Leg) -> float:
    """Seconds from the answer on the agent's phone to the first hang-up of the two, summed over the legs."""
    found = 0.0
    for leg in legs:
        assert leg.answered_at is not None
        ends = [one.ended_at for one in (call.leg, leg) if one.ended_at is not None]
        found += min(ends) - leg.answered_at
    return found


async def answered_caller_ends(s: Stage) -> list[Truth]:
    """Answered, and the caller hangs up first.

    The agent stays on the line and keys the outcome: 3, a follow-up.
    """
    await s.phones["anna"].will("answer", after=0.3, outcome="3", outcome_after=0.5)
    s.site.login("anna")
    call, name, leg = await s.talk()
    await s.end(call, name)
    await s.site.until_event(name, "outcome")
    await leg.ended()
    return [Truth("answered", "caller", ["anna talked"], together(call, leg))]


async def answered_agent_ends(s: Stage) -> list[Truth]:
    """Answered out of the menu, and the agent hangs up first."""
    s.site.login("anna")
    call, name = await s.dial(MENU, script=[0.4, "1"])
    leg = await s.phones["anna"].talks()
    await asyncio.sleep(TALK_S)
    await leg.hangup()
    await call.ended()
    await s.site.until_closed(name)
    return [Truth("answered", "agent", ["anna talked"], together(call, leg))]


async def _at_the_mobile(s: Stage) -> tuple[Call, str, Phone]:
    """A call that anna's mobile has picked up."""
    mobile = s.outside.telephone(MOBILE)
    await mobile.will("answer", after=0.3)
    s.site.login("anna")
    s.site.ask("agent.personal", agent="anna", device="mobile")
    call, name = await s.dial()
    await s.site.until_event(name, "asked", agent="anna")
    await mobile.talks()
    return call, name, mobile


async def press_1_taken(s: Stage) -> list[Truth]:
    """At the agent's mobile: picked up, 1 is pressed after a moment, and the caller hangs up in the end."""
    call, name, mobile = await _at_the_mobile(s)
    await asyncio.sleep(1.0)
    await mobile.press("1")
    answered = await s.site.until_event(name, "answered", agent="anna")
    await asyncio.sleep(TALK_S)
    await s.end(call, name)
    await mobile.hangup()
    assert call.leg.ended_at is not None
    return [Truth("answered", "caller", ["anna talked"], call.leg.ended_at - answered["at"])]


async def press_1_not_pressed(s: Stage) -> list[Truth]:
    """The agent's mobile has a voicemail: it answers, presses nothing, and the next agent gets the caller."""
    call, name, _ = await _at_the_mobile(s)
    s.site.login("ben")
    leg = await s.phones["ben"].talks()
    await s.site.until_event(name, "answered", agent="ben")
    await asyncio.sleep(TALK_S)
    await s.end(call, name)
    return [Truth("answered", "caller", ["anna not_confirmed", "ben talked"], together(call, leg))]


async def abandoned_in_menu(s: Stage) -> list[Truth]:
    """The caller hangs up in the menu, before any choice."""
    call, name = await s.dial(MENU)
    await asyncio.sleep(0.5)
    await s.end(call, name)
    return [Truth("menu_ended", "caller", [])]


async def menu_without_a_choice(s: Stage) -> list[Truth]:
    """The caller presses a wrong key, then none; the menu says good-bye."""
    call, name = await s.dial(MENU, script=[0.3, "9"])
    await call.ended()
    await s.site.until_closed(name)
    return [Truth("menu_ended", "system", [])]


async def abandoned_in_hold(s: Stage) -> list[Truth]:
    """Nobody is logged in; the caller gives up in the hold loop."""
    call, name = await s.hold()
    await asyncio.sleep(0.7)
    await s.end(call, name)
    return [Truth("abandoned", "caller", [])]


async def abandoned_at_offer(s: Stage) -> list[Truth]:
    """The agent's phone is dialled and does not ring yet (it is dead); the caller gives up there."""
    await s.phones["anna"].die()
    s.site.login("anna")
    call, name = await s.hold()
    await s.site.until_event(name, "dialled")
    await asyncio.sleep(0.3)
    await s.end(call, name)
    return [Truth("abandoned", "caller", ["anna withdrawn"])]


async def abandoned_ringing(s: Stage) -> list[Truth]:
    """The agent's phone rings; the caller gives up."""
    await s.phones["anna"].will("ring")
    s.site.login("anna")
    call, name = await s.hold()
    await s.phones["anna"].rings()
    await asyncio.sleep(0.5)
    await s.end(call, name)
    await s.phones["anna"].idle()
    return [Truth("abandoned", "caller", ["anna withdrawn"])]


async def _next_agent(s: Stage, result: str) -> list[Truth]:
    """Anna's phone does not take it, Ben's does."""
    s.site.login("anna", "ben")
    call, name, leg = await s.talk("ben")
    await s.end(call, name)
    return [Truth("answered", "caller", [f"anna {result}", "ben talked"], together(call, leg))]


async def refused(s: Stage) -> list[Truth]:
    """The first agent presses "reject" (603), the second one answers."""
    await s.phones["anna"].will("refuse")
    return await _next_agent(s, "refused")


async def busy(s: Stage) -> list[Truth]:
    """The first agent's phone is busy (486), the second one answers."""
    await s.phones["anna"].will("busy")
    return await _next_agent(s, "busy")


async def missed(s: Stage) -> list[Truth]:
    """The first agent lets it ring for 6 s, the second one answers."""
    await s.phones["anna"].will("ring")
    return await _next_agent(s, "missed")


async def dead_phone(s: Stage) -> list[Truth]:
    """The first agent's phone is registered and dead: dropped after 2 s, and the second one answers."""
    await s.phones["anna"].die()
    return await _next_agent(s, "unreachable")


async def unregistered_and_back(s: Stage) -> list[Truth]:
    """The only agent's phone is not registered: the caller waits until it is."""
    phone = s.phones["anna"]
    await phone.unregister()
    s.site.login("anna")
    await s.site.until_agent("anna", "unreachable")
    call, name = await s.hold()
    await asyncio.sleep(0.5)
    await phone.register()
    leg = await phone.talks()
    await asyncio.sleep(TALK_S)
    await s.end(call, name)
    return [Truth("answered", "caller", ["anna talked"], together(call, leg))]


async def two_at_once(s: Stage) -> list[Truth]:
    """Two callers wait, then two agents log in at once: one each, in order, answered in the same moment."""
    first, one = await s.hold()
    second, two = await s.hold()
    for agent in ("anna", "ben"):
        await s.phones[agent].will("answer", after=0.4)
    s.site.login("anna", "ben")
    legs = [await s.phones[agent].talks() for agent in ("anna", "ben")]
    await asyncio.sleep(TALK_S)
    await asyncio.gather(s.end(first, one), s.end(second, two))
    return [
        Truth("answered", "caller", [f"{agent} talked"], together(call, leg))
        for agent, call, leg in zip(("anna", "ben"), (first, second), legs, strict=True)
    ]


async def answered_at_the_last_moment(s: Stage) -> list[Truth]:
    """The caller hangs up in the moment in which the agent answers; whoever was first, it is told once."""
    await s.phones["anna"].will("answer", after=1.0)
    s.site.login("anna")
    call, name = await s.hold()
    leg = await s.phones["anna"].rings()
    assert leg.ringing_at is not None
    await asyncio.sleep(max(0.0, leg.ringing_at + 0.997 - time.time()))
    await s.end(call, name)
    await s.phones["anna"].hangup() if s.phones["anna"].leg else None
    answered = bool(s.site.events(name, "answered"))
    if answered:
        return [Truth("answered", "caller", ["anna talked"], together(call, leg))]
    return [Truth("abandoned", "caller", ["anna withdrawn"])]


async def held_by_the_agent(s: Stage) -> list[Truth]:
    """The agent puts the caller on hold with his phone's key and takes him back."""
    s.site.login("anna")
    call, name, leg = await s.talk()
    held = time.time()
    await s.phones["anna"].hold()
    await s.site.until_event(name, "held")
    await asyncio.sleep(0.6)
    back = time.time()
    await s.phones["anna"].unhold()
    await s.site.until_event(name, "resumed")
    await asyncio.sleep(0.3)
    await s.end(call, name)
    return [Truth("answered", "caller", ["anna talked"], together(call, leg) - (back - held))]


async def overflow(s: Stage) -> list[Truth]:
    """Nobody is there for max_wait (10 s): the caller goes to the overflow extension, which answers."""
    call, name = await s.hold()
    await s.site.until_closed(name, 20.0)
    leg = await s.phones["other"].talks()
    assert leg.answered_at is not None
    await call.hangup()
    return [Truth("overflowed", "system", [])]


async def left_by_the_menu(s: Stage) -> list[Truth]:
    """The caller asks the menu for the operator and is passed on."""
    call, name = await s.dial(MENU, script=[0.3, "0"])
    await s.site.until_closed(name)
    await s.phones["other"].talks()
    await call.hangup()
    return [Truth("left", "system", [], transfers=["menu 1008"])]


async def daemon_killed_in_talk(s: Stage) -> list[Truth]:
    """kill -9 of the daemon in the middle of a talk, and its restart: nobody notices."""
    s.site.login("anna")
    call, name, leg = await s.talk()
    s.restart()
    await asyncio.sleep(0.5)
    await s.end(call, name)
    return [Truth("answered", "caller", ["anna talked"], together(call, leg))]


async def daemon_killed_in_hold(s: Stage) -> list[Truth]:
    """kill -9 of the daemon while the caller waits; after the restart an agent logs in and answers."""
    call, name = await s.hold()
    s.restart()
    s.site.login("anna")
    leg = await s.phones["anna"].talks()
    await asyncio.sleep(TALK_S)
    await s.end(call, name)
    return [Truth("answered", "caller", ["anna talked"], together(call, leg))]


async def daemon_killed_while_it_rings(s: Stage) -> list[Truth]:
    """kill -9 of the daemon while the agent's phone rings, which goes on; he answers after the restart."""
    await s.phones["anna"].will("answer", after=10.0)
    s.site.login("anna")
    call, name = await s.hold()
    await s.phones["anna"].rings()
    s.restart()
    await asyncio.sleep(0.2)
    assert s.phones["anna"].leg is not None
    assert s.phones["anna"].leg.answered_at is None
    leg = await s.phones["anna"].talks()
    await asyncio.sleep(TALK_S)
    await s.end(call, name)
    return [Truth("answered", "caller", ["anna talked"], together(call, leg))]


async def answered_while_the_daemon_was_away(s: Stage) -> list[Truth]:
    """kill -9 of the daemon while the agent's phone rings, and he answers before the next one is there.

    The answer itself went by unseen: wait and talk are counted to and from the moment of the return, and the
    account says that it is inferred.
    """
    await s.phones["anna"].will("answer", after=0.3)
    s.site.login("anna")
    call, name = await s.hold()
    await s.phones["anna"].rings()
    s.site.daemon.kill()
    await s.phones["anna"].talks()
    s.site.daemon.start()
    await s.site.until_event(name, "answered")
    await asyncio.sleep(TALK_S)
    await s.end(call, name)
    return [Truth("answered", "caller", ["anna talked"], inferred=True)]


async def ended_while_the_daemon_was_away(s: Stage) -> list[Truth]:
    """kill -9 of the daemon in a talk, and the caller hangs up before the next one is there."""
    s.site.login("anna")
    call, name, leg = await s.talk()
    s.site.daemon.kill()
    await call.hangup()
    await leg.hangup()
    s.site.daemon.start()
    await s.site.until_closed(name)
    return [Truth("answered", "unknown", ["anna talked"], inferred=True)]


async def link_lost_and_back(s: Stage) -> list[Truth]:
    """Asterisk stands still until we give the AMI link up, while one caller talks and one waits."""
    s.site.login("anna")
    call, name, leg = await s.talk()
    waiting, other = await s.hold()
    os.kill(s.lab.pbx.pid, signal.SIGSTOP)
    try:
        await s.site.until(lambda: not s.site.ask("status")["link"]["up"])
    finally:
        os.kill(s.lab.pbx.pid, signal.SIGCONT)
    await s.site.until(lambda: s.site.ask("status")["link"]["up"], 20.0)
    await s.end(call, name)
    await leg.hangup()
    again = await s.phones["anna"].talks()
    await asyncio.sleep(TALK_S)
    await s.end(waiting, other)
    return [
        Truth("answered", "caller", ["anna talked"], together(call, leg)),
        Truth("answered", "caller", ["anna talked"], together(waiting, again)),
    ]


async def fallback(s: Stage) -> list[Truth]:
    """The daemon dies and stays away: after 10 s Asterisk's own queue takes the caller, who stays there."""
    await s.outside.phones["1009"].will("answer", after=0.2)
    call, name = await s.hold()
    s.site.daemon.kill()
    leg = await s.outside.phones["1009"].talks(40.0)
    s.site.daemon.start()
    await s.site.until_event(name, "in_fallback")
    await asyncio.sleep(TALK_S)
    assert leg.live
    await s.end(call, name)
    return [Truth("fallback", "caller", [])]


async def pbx_killed(s: Stage) -> list[Truth]:
    """kill -9 of Asterisk with one caller in a talk and one in the hold loop, and its restart."""
    s.site.login("anna")
    _, one, _ = await s.talk()
    _, two = await s.hold()
    s.lab.pbx.kill()
    await s.site.until(lambda: not s.site.ask("status")["link"]["up"])
    s.lab.pbx.start()
    await s.site.until(lambda: s.site.ask("status")["link"]["up"], 30.0)
    for name in (one, two):
        await s.site.until_closed(name)
    return [
        Truth("pbx_restart", "system", ["anna talked"], inferred=True),
        Truth("pbx_restart", "system", [], inferred=True),
    ]


# -- passed on with the phone


async def _to_ben(s: Stage, *, after: float = 0.3) -> tuple[Call, str, Leg]:
    """Anna talks; Ben is logged in and would answer ``after`` seconds."""
    await s.phones["ben"].will("answer", after=after)
    s.site.login("anna")
    call, name, leg = await s.talk()
    s.site.login("ben")
    return call, name, leg


async def _keyed(leg: Leg, keys: str, number: str) -> None:
    await leg.press(keys)
    await asyncio.sleep(0.5)  # "transfer"
    await leg.press(number)


async def _ben_ends_it(s: Stage, name: str) -> Leg:
    leg = await s.phones["ben"].talks()
    await s.site.until_event(name, "joined", agent="ben")
    await asyncio.sleep(TALK_S)
    await leg.hangup()
    await s.site.until_closed(name)
    return leg


def lasted(leg: Leg, since: float | None = None, until: float | None = None) -> float:
    """Seconds of a phone's leg from its answer to its end, by its own clock."""
    begun, ended = since or leg.answered_at, until or leg.ended_at
    assert begun is not None
    assert ended is not None
    return ended - begun


async def blind_to_an_agent(s: Stage) -> list[Truth]:
    """The agent passes the caller on to another agent, blindly, with his phone's key (REFER)."""
    _, name, first = await _to_ben(s)
    await s.phones["anna"].transfer("1002")
    second = await _ben_ends_it(s, name)
    return [
        Truth(
            "answered", "agent", ["anna talked", "ben talked"], lasted(first) + lasted(second), ["blind 1002"]
        )
    ]


async def blind_to_a_phone(s: Stage) -> list[Truth]:
    """The agent passes the caller on to a phone that is no agent's (REFER), which ends the call later."""
    s.site.login("anna")
    _, name, first = await s.talk()
    await s.phones["anna"].transfer("1008")
    await first.ended()
    other = await s.phones["other"].talks()
    await asyncio.sleep(TALK_S)
    await other.hangup()
    await s.site.until_closed(name)
    return [Truth("answered", "target", ["anna talked"], lasted(first), ["blind 1008"])]


async def blind_to_a_queue(s: Stage) -> list[Truth]:
    """The agent passes the caller on to another queue's number (REFER); he waits there and is answered."""
    s.site.login("anna", "chloe")
    call, name, first = await s.talk()
    await s.phones["anna"].transfer(SUPPORT)
    await s.site.until_event(name, "answered", agent="chloe")
    second = await s.phones["chloe"].talks()
    await asyncio.sleep(TALK_S)
    await s.end(call, name)
    talk = lasted(first) + together(call, second)
    return [Truth("answered", "caller", ["anna talked", "chloe talked"], talk, [f"blind {SUPPORT}"])]


async def attended_with_a_consultation(s: Stage) -> list[Truth]:
    """The agent asks another one first, and then passes the caller on (REFER with Replaces)."""
    _, name, first = await _to_ben(s)
    asked = time.time()
    await s.phones["anna"].consult("1002")
    await s.phones["ben"].talks()
    await asyncio.sleep(TALK_S)
    await s.phones["anna"].complete()
    await first.ended()
    second = await _ben_ends_it(s, name)
    talk = lasted(first, until=asked) + lasted(second, since=first.ended_at)
    return [Truth("answered", "agent", ["anna talked", "ben talked"], talk, ["attended 1002"])]


async def blonde(s: Stage) -> list[Truth]:
    """The agent passes the caller on while the other phone still rings (REFER with Replaces)."""
    _, name, first = await _to_ben(s, after=1.5)
    asked = time.time()
    await s.phones["anna"].consult("1002")
    await s.phones["ben"].rings()
    await s.phones["anna"].complete()
    second = await _ben_ends_it(s, name)
    talk = lasted(first, until=asked) + lasted(second)
    return [Truth("answered", "agent", ["anna talked", "ben talked"], talk, ["blonde 1002"])]


async def blind_by_keys(s: Stage) -> list[Truth]:
    """`#1` and the number, keyed by the agent."""
    _, name, first = await _to_ben(s)
    await _keyed(first, "#1", "1002")
    await _ben_ends_it(s, name)
    return [Truth("answered", "agent", ["anna talked", "ben talked"], transfers=["blind 1002"])]


async def attended_by_keys(s: Stage) -> list[Truth]:
    """`*2` and the number, keyed by the agent, who asks the other one and hangs up."""
    _, name, first = await _to_ben(s)
    await _keyed(first, "*2", "1002")
    await s.phones["ben"].talks()
    await asyncio.sleep(TALK_S)
    await first.hangup()
    await _ben_ends_it(s, name)
    return [Truth("answered", "agent", ["anna talked", "ben talked"], transfers=["attended 1002"])]


async def caller_gone_in_the_consultation(s: Stage) -> list[Truth]:
    """The agent asks another one, and the caller hangs up meanwhile."""
    call, name, first = await _to_ben(s)
    asked = time.time()
    await s.phones["anna"].consult("1002")
    await s.phones["ben"].talks()
    await asyncio.sleep(0.3)
    await s.end(call, name)
    return [Truth("answered", "caller", ["anna talked"], lasted(first, until=asked))]


async def consultation_cancelled(s: Stage) -> list[Truth]:
    """The agent asks another one and takes the caller back."""
    call, name, first = await _to_ben(s)
    asked = time.time()
    await s.phones["anna"].consult("1002")
    await s.phones["ben"].talks()
    await asyncio.sleep(TALK_S)
    back = time.time()
    await s.phones["anna"].cancel()
    await s.site.until_event(name, "resumed")
    await asyncio.sleep(TALK_S)
    await s.end(call, name)
    talk = together(call, first) - (back - asked)
    return [Truth("answered", "caller", ["anna talked"], talk)]


async def parked_and_taken(s: Stage) -> list[Truth]:
    """The agent parks the caller (REFER to 700); another agent takes him at his place, 701.

    Asterisk 16 tells of a blind transfer to 700, and not of the place.
    """
    call, name, first = await _to_ben(s)
    await s.phones["anna"].transfer("700")
    await first.ended()
    taking = await s.phones["ben"].dial("701")
    await taking.answered()
    await s.site.until_event(name, "joined", agent="ben")
    await asyncio.sleep(TALK_S)
    await s.end(call, name)
    how = "blind 700" if s.lab.pbx.version.startswith("16.") else "park 701"
    return [Truth("answered", "caller", ["anna talked", "ben talked"], transfers=[how])]


async def daemon_killed_after_a_transfer(s: Stage) -> list[Truth]:
    """kill -9 of the daemon while the agent who was passed the caller talks with him."""
    _, name, first = await _to_ben(s)
    await s.phones["anna"].transfer("1002")
    await s.phones["ben"].talks()
    await s.site.until_event(name, "joined", agent="ben")
    s.restart()
    second = await _ben_ends_it(s, name)
    return [
        Truth(
            "answered", "agent", ["anna talked", "ben talked"], lasted(first) + lasted(second), ["blind 1002"]
        )
    ]


SCENES: dict[str, Scene] = {
    scene.__name__: scene
    for scene in (
        answered_caller_ends,
        answered_agent_ends,
        press_1_taken,
        press_1_not_pressed,
        abandoned_in_menu,
        menu_without_a_choice,
        abandoned_in_hold,
        abandoned_at_offer,
        abandoned_ringing,
        refused,
        busy,
        missed,
        dead_phone,
        unregistered_and_back,
        two_at_once,
        answered_at_the_last_moment,
        held_by_the_agent,
        overflow,
        left_by_the_menu,
        daemon_killed_in_talk,
        daemon_killed_in_hold,
        daemon_killed_while_it_rings,
        answered_while_the_daemon_was_away,
        ended_while_the_daemon_was_away,
        link_lost_and_back,
        fallback,
        blind_to_an_agent,
        blind_to_a_phone,
        blind_to_a_queue,
        attended_with_a_consultation,
        blonde,
        blind_by_keys,
        attended_by_keys,
        caller_gone_in_the_consultation,
        consultation_cancelled,
        parked_and_taken,
        daemon_killed_after_a_transfer,
        pbx_killed,  # last: the phones must find the PBX again after it
    )
}
