"""Channel events as Asterisk 22 and 16 write them, and the calls that they tell."""

from __future__ import annotations

from typing import Any

import pytest

from ccbridge.fallback import QUEUE
from ccbridge.gaps.stories import Happened, Story, stories

AGENTS = {"PJSIP/1001": "anna", "PJSIP/1002": "ben"}
CALLER, LEG, OTHER = "pbx-1.0", "pbx-1.8", "pbx-1.9"
NAMES = {CALLER: "PJSIP/carrier-00000000", LEG: "PJSIP/1001-00000001", OTHER: "PJSIP/1009-00000002"}
TRUNK, IN, HOLD, OFFER = "from-trunk", "ccbridge-in", "ccbridge-hold", "ccbridge-offer"
FALLBACK, PHONES, INTERNAL = "ccbridge-fallback", "from-phones", "internal"


def event(at: float, who: str, kind: str, context: str, exten: str = "", **extra: Any) -> Happened:
    number = "+306900000001" if kind == "CHAN_START" and who == CALLER else ""
    return Happened(at, kind, who, NAMES[who], number, "Zoë" if number else "", context, exten, extra)


def arrival(at: float = 0.0) -> list[Happened]:
    return [
        event(at, CALLER, "CHAN_START", TRUNK, "2101234567"),
        event(at + 0.1, CALLER, "ANSWER", IN, "menu"),
        event(at + 0.2, CALLER, "APP_START", IN, "menu"),
        event(at + 2, CALLER, "APP_END", IN, "menu"),
    ]


def talk(begun: float, ended: float, leg: str = LEG, context: str = OFFER) -> list[Happened]:
    return [
        event(begun - 1, leg, "CHAN_START", PHONES, "s"),
        event(begun, leg, "BRIDGE_ENTER", PHONES, bridge_id="b"),
        event(begun, CALLER, "BRIDGE_ENTER", context, "o1", bridge_id="b"),
        event(ended, CALLER, "BRIDGE_EXIT", context, "o1", bridge_id="b"),
        event(ended, leg, "BRIDGE_EXIT", PHONES, bridge_id="b"),
    ]


def end(at: float, context: str, source: str = CALLER) -> list[Happened]:
    name = NAMES.get(source, source)
    return [
        event(at, CALLER, "HANGUP", context, "h", hangupsource=name),
        event(at, CALLER, "CHAN_END", context, "h"),
        event(at, CALLER, "LINKEDID_END", context, "h"),
    ]


def one(events: list[Happened]) -> Story:
    (story,) = stories(events, AGENTS)
    return story


def account(story: Story) -> tuple[Any, ...]:
    return (story.disposition, story.ended_by, story.answered, story.agent, story.talk, story.ended)


def test_a_talk() -> None:
    story = one([*arrival(), *talk(5, 25), *end(25, OFFER)])
    assert account(story) == ("answered", "caller", 5, "anna", 20, 25)
    assert (story.call, story.arrived, story.did) == (CALLER, 0, "2101234567")
    assert (story.number, story.name, story.whole) == ("+306900000001", "Zoë", True)


def test_the_agent_hangs_up_first() -> None:
    assert one([*arrival(), *talk(5, 25), *end(25, OFFER, LEG)]).ended_by == "agent"


@pytest.mark.parametrize(
    ("context", "disposition"), [(IN, "menu_ended"), (HOLD, "abandoned"), (OFFER, "abandoned")]
)
def test_hung_up_unanswered(context: str, disposition: str) -> None:
    assert account(one([*arrival(), *end(9, context)])) == (disposition, "caller", None, None, 0, 9)


def test_hung_up_by_the_dialplan() -> None:
    assert one([*arrival(), *end(9, IN, "dialplan/builtin")]).ended_by == "system"


def test_served_by_the_fallback_queue() -> None:
    queue = event(11, CALLER, "APP_START", FALLBACK, "s")
    story = one([*arrival(), queue, *talk(13, 20, OTHER, FALLBACK), *end(20, FALLBACK, OTHER)])
    assert account(story) == ("fallback", "agent", 13, None, 7, 20)
    own = one([*arrival(), queue, *talk(13, 20, LEG, FALLBACK), *end(20, FALLBACK)])
    assert account(own) == ("fallback", "caller", 13, "anna", 7, 20)


def test_abandoned_in_the_fallback_queue() -> None:
    queue = event(11, CALLER, "APP_START", FALLBACK, "s")
    assert account(one([*arrival(), queue, *end(20, FALLBACK)]))[:3] == ("fallback", "caller", None)


def test_the_queue_that_the_script_chose() -> None:
    def chosen(queue: str, context: str = FALLBACK) -> list[Happened]:
        return [event(12, CALLER, "CCB_FALLBACK", context, "s", extra=queue)]

    def story(*told: Happened) -> Story:
        return one([*arrival(), event(11, CALLER, "APP_START", FALLBACK, "s"), *told, *end(20, FALLBACK)])

    assert story(*chosen(f"{QUEUE}-sales")).fallback_queue == "sales"
    assert story(*chosen(f"{QUEUE}-sales"), *chosen(QUEUE)).fallback_queue is None
    assert story(*chosen("another")).fallback_queue is None
    assert story(*chosen(f"{QUEUE}-sales", INTERNAL)).fallback_queue is None
    assert story().fallback_queue is None


def test_gone_to_the_sites_own_dialplan() -> None:
    """The overflow's phone is no agent of ours, and the time there is not ours."""
    away = event(30, CALLER, "APP_START", INTERNAL, "1008")
    story = one([*arrival(), away, *talk(33, 50, OTHER, INTERNAL), *end(50, INTERNAL)])
    assert account(story) == ("left", "system", None, None, 0, 30)


def test_passed_on_after_a_talk() -> None:
    away = event(26, CALLER, "APP_START", INTERNAL, "1008")
    story = one([*arrival(), *talk(5, 25), away, *talk(33, 50, OTHER, INTERNAL), *end(50, INTERNAL)])
    assert account(story)[0] == "answered"
    assert (story.agent, story.talk) == ("anna", 20)


def test_two_agents_one_after_the_other() -> None:
    NAMES["pbx-1.7"] = "PJSIP/1002-00000007"
    story = one([*arrival(), *talk(5, 25), *talk(30, 40, "pbx-1.7"), *end(40, OFFER)])
    assert (story.agent, story.talk, len(story.legs)) == ("ben", 30, 2)


def test_broken_off() -> None:
    """kill -9 of Asterisk: no end of anything."""
    held = event(15, CALLER, "APP_START", OFFER)
    story = one([*arrival(), *talk(5, 25)[:3], held])
    assert account(story) == ("pbx_restart", "system", None, None, 0, 15)
    assert not story.whole
    assert account(one(arrival())) == ("pbx_restart", "system", None, None, 0, 2)


def test_the_beginning_is_not_there() -> None:
    """The file was begun in the middle of the call."""
    story = one([*talk(5, 25)[1:], *end(25, OFFER)])
    assert (story.did, story.number, story.arrived) == ("", "", 5)
    assert story.disposition == "answered"


def test_calls_of_others_are_none() -> None:
    internal = [
        event(0, LEG, "CHAN_START", PHONES, "1002"),
        event(1, LEG, "ANSWER", INTERNAL, "1002"),
        event(9, LEG, "HANGUP", INTERNAL, "h"),
    ]
    assert stories(internal, AGENTS) == []
    code = [
        event(0, LEG, "CHAN_START", PHONES, "*71"),
        event(1, LEG, "APP_START", "ccbridge-agent", "*71"),
        event(9, LEG, "HANGUP", "ccbridge-agent", "h"),
    ]
    assert stories(code, AGENTS) == []
