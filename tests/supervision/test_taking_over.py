"""A supervisor takes an agent's caller over: the life of his session."""

from __future__ import annotations

import pytest
from test_sessions import ONE, SUE, Room

from ccbridge.supervision.roles import TAKE_OVER
from ccbridge.supervision.sessions import Drop, HandOver, Hear, Join, Rest, State, Talk

TOGETHER = Talk("1.1", "1.0", "PJSIP/1001-01")


@pytest.fixture
def room() -> Room:
    room = Room()
    room.talks["anna"] = TOGETHER
    return room


def dials(room: Room, mode: str = TAKE_OVER) -> None:
    room.took(room.sessions.dialled(room.at, SUE, "anna", mode, "17.1"))


def results(room: Room) -> list[tuple[str, str, str]]:
    return [(one.what, one.result, one.reason) for one in room.told if one.what == TAKE_OVER]


def test_by_code_at_once(room: Room) -> None:
    dials(room)
    assert room.took(room.sessions.arrived(room.at, "17.1")) == [Join("17.1", 1, "PJSIP/1001-01")]
    assert room.took(room.sessions.joined(room.at, "17.1")) == [HandOver("17.1", "1.1", "sue")]
    assert room.took(room.sessions.joined(room.at, "17.1")) == []  # another bridge is nothing to us
    assert room.goes_to(None) == []  # the agent has no caller any more: that is as it should be
    assert room.took(room.sessions.key(room.at, "17.1", "4")) == []
    assert room.took(room.sessions.reloaded({})) == []  # a caller is not dropped for this
    assert room.took(room.sessions.compare(room.at, {"17.1"}, [])) == []
    assert room.took(room.sessions.parted(room.at, "17.1")) == [Drop("17.1")]
    room.took(room.sessions.gone(room.at, "17.1"))
    assert results(room) == [(TAKE_OVER, "done", ""), (TAKE_OVER, "ended", "")]
    ended = room.told[-2]
    assert (ended.call, ended.seconds) == ("1.0", 10.0)
    assert (room.told[-1].result, room.told[-1].reason) == ("ended", "the caller has gone")


def test_by_key_while_he_listens(room: Room) -> None:
    dials(room, "listen")
    room.took(room.sessions.arrived(room.at, "17.1"))
    room.took(room.sessions.spying(room.at, "17.1", "a1"))
    assert room.took(room.sessions.key(room.at, "17.1", "7")) == [Join("17.1", 2, "PJSIP/1001-01")]
    # it comes to nothing: he hears on
    assert room.took(room.sessions.parted(room.at, "17.1")) == [Hear("17.1", 3, "1.1", "listen")]
    room.took(room.sessions.spying(room.at, "17.1", "a3"))
    assert room.took(room.sessions.parted(room.at, "17.1")) == []
    room.took(room.sessions.key(room.at, "17.1", "7"))
    room.took(room.sessions.joined(room.at, "17.1"))
    room.took(room.sessions.gone(room.at, "17.1"))
    assert results(room) == [
        (TAKE_OVER, "asked", ""),
        (TAKE_OVER, "failed", "the caller could not be reached"),
        (TAKE_OVER, "asked", ""),
        (TAKE_OVER, "done", ""),
        (TAKE_OVER, "ended", ""),
    ]
    listened = [one.result for one in room.told if one.what == "listen"]
    assert listened == ["done", "ended", "done", "ended"]


@pytest.mark.parametrize("talk", [None, ONE], ids=["no call", "he asks a colleague"])
def test_an_agent_without_a_caller_on_the_line(room: Room, talk: Talk | None) -> None:
    room.goes_to(talk)
    dials(room)
    assert room.took(room.sessions.arrived(room.at, "17.1")) == [Drop("17.1")]
    room.took(room.sessions.gone(room.at, "17.1"))
    assert results(room) == [(TAKE_OVER, "failed", "the agent has no caller on the line")]
    dials(room, "barge")
    room.took(room.sessions.arrived(room.at, "17.1"))
    assert room.took(room.sessions.key(room.at, "17.1", "7")) == []
    state = State.WAITING if talk is None else State.HEARING
    assert room.sessions.all["17.1"].state is state
    assert results(room)[-1] == (TAKE_OVER, "failed", "the agent has no caller on the line")


def test_a_role_that_may_not(room: Room) -> None:
    room.forbidden.add(TAKE_OVER)
    dials(room, "listen")
    room.took(room.sessions.arrived(room.at, "17.1"))
    assert room.took(room.sessions.key(room.at, "17.1", "7")) == []
    assert results(room)[-1] == (TAKE_OVER, "refused", "may not take_over")


@pytest.mark.parametrize(
    ("key", "why"), [("", "he is being rung"), ("9", "he fills in a score card")], ids=["ringing", "scoring"]
)
def test_not_while_he_is_on_another_page(room: Room, key: str, why: str) -> None:
    """What that page has set on his channel would go with him into the talk, its limit of time, too."""
    id_ = room.begin()
    session = room.sessions.all[id_]
    if key:
        room.took(room.sessions.arrived(room.at, id_))
        room.took(room.sessions.key(room.at, id_, key))
    state = session.state
    refused, effects = room.sessions.switch(room.at, session, TAKE_OVER, "root", "cli")
    assert (refused, room.took(effects), session.state) == (why, [], state)
    assert results(room) == [(TAKE_OVER, "asked", ""), (TAKE_OVER, "refused", why)]


def test_not_while_he_is_hung_up(room: Room) -> None:
    dials(room, "listen")
    room.took(room.sessions.arrived(room.at, "17.1"))
    session = room.sessions.all["17.1"]
    room.took(room.sessions.stop(room.at, session, "ops", "cli"))
    refused, effects = room.sessions.switch(room.at, session, TAKE_OVER, "root", "cli")
    assert (refused, room.took(effects)) == ("he is being hung up", [])
    assert results(room)[-1] == (TAKE_OVER, "refused", "he is being hung up")


def test_a_step_of_which_nobody_tells(room: Room) -> None:
    dials(room, "listen")
    room.took(room.sessions.arrived(room.at, "17.1"))
    room.took(room.sessions.key(room.at, "17.1", "7"))
    room.at += 1
    assert room.took(room.sessions.swept(room.at, {"17.1"}, [])) == []
    room.at += 10
    assert room.took(room.sessions.swept(room.at, {"17.1"}, [])) == [Hear("17.1", 3, "1.1", "listen")]
    room.took(room.sessions.key(room.at, "17.1", "7"))
    room.talks.clear()
    assert room.took(room.sessions.compare(room.at, {"17.1"}, [])) == [Rest("17.1")]
    room.talks["anna"] = TOGETHER
    room.took(room.sessions.look(room.at))
    room.took(room.sessions.key(room.at, "17.1", "7"))
    room.took(room.sessions.gone(room.at, "17.1"))
    assert [reason for _, result, reason in results(room) if result == "failed"] == [
        "it was not told", "the link was lost", "hung up",
    ]  # fmt: skip


def test_one_whom_a_former_run_has_left_in_charge(room: Room) -> None:
    assert room.took(room.sessions.compare(room.at, {"17.1"}, [])) == []
    assert room.took(room.sessions.parted(room.at, "17.1")) == [Drop("17.1")]
    assert room.told[-1].reason == "left by a daemon that has ended"
