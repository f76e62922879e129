"""Supervisors at the control socket: what is asked is resolved, judged, and kept."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from control_rig import Board

from ccbridge.control.monitoring import Monitors
from ccbridge.control.peer import asker
from ccbridge.control.wire import Answer, Refused
from ccbridge.core import inputs as i
from ccbridge.core.records import ControlEvent
from ccbridge.supervision.desk import Briefing, Decided, Desk
from ccbridge.supervision.roles import Supervisor
from ccbridge.supervision.sessions import Drop, Hear, Rest, Ring

PEOPLE = {
    one.id: one
    for one in (
        Supervisor("sue", "Sue", "PJSIP/2001", "supervisor", ("house",), "susan"),
        Supervisor("chief", "C", "PJSIP/2002", "manager"),
        Supervisor("trainee", "T", "PJSIP/1003", "trainee", ("house",)),
    )
}


class Room:
    """A desk over a real switchboard; department house is queue support: ben and chloe."""

    def __init__(self) -> None:
        self.board = Board()
        self.people = dict(PEOPLE)
        self.desk = Desk(lambda: self.board.board.world, lambda: self.people, "t", lambda: "nobody")
        self.done: list[Any] = []
        monitors = Monitors(self.desk, self._perform, lambda: self.board.at)
        self.handlers = monitors.handlers()

    def _perform(self, decided: Decided) -> tuple[bool, str]:
        self.done += decided.effects
        return decided.ok, decided.text

    async def ask(self, do: str, **fields: str) -> Answer:
        return await self.handlers[do](dict(fields))

    async def refused(self, do: str, **fields: str) -> str:
        """It is refused, and both rows are in the audit."""
        known = len(self.done)
        answer = await self.ask(do, **fields)
        assert not answer.ok
        rows = self.done[known:]
        assert [(one.result, one.control) for one in rows] == [
            ("asked", rows[0].control), ("refused", rows[0].control),
        ]  # fmt: skip
        assert rows[1].reason == answer.text
        return answer.text

    def device(self, device: str, state: str) -> None:
        self.board.put(i.DeviceChanged(self.board.at, device, state))

    def look(self) -> list[Any]:
        return [one for one in self.desk.look(self.board.at) if not isinstance(one, ControlEvent)]


@pytest.fixture
def room() -> Room:
    return Room()


async def test_who_is_refused_and_why(room: Room) -> None:
    start = "monitor.start"
    assert (
        await room.refused(start, agent="anna", to="sue") == "sue supervises none of the agent's departments"
    )
    assert await room.refused(start, agent="ben", to="trainee", mode="barge") == "a trainee may not barge"
    nobody = "no supervisor has this name or extension"
    for to in ("1001", "PJSIP/1001", "PJSIP/2001&PJSIP/1001", "Local/100@internal"):
        assert await room.refused(start, agent="ben", to=to) == nobody
    assert room.done[-1].who == ""
    assert await room.refused(start, agent="zoe", to="sue") == "there is no such agent"
    assert room.done[-1].whom == ""
    unknown = await room.refused(start, agent="ben", to="sue", **{"as": "nobody"})
    assert unknown == "there is no supervisor of this name"
    assert await room.refused(start, agent="chloe", to="trainee") == "it is the agent's own phone"
    # the phone is another's: his role counts who listens
    assert await room.refused(start, agent="anna", to="chief", **{"as": "sue"})
    asker.set("susan")
    assert await room.refused(start, agent="anna", to="chief") == "susan is sue, not chief"
    room.device("PJSIP/2001", "INUSE")
    assert await room.refused(start, agent="ben", to="sue") == "PJSIP/2001 is in use"
    room.device("PJSIP/2001", "UNAVAILABLE")
    assert await room.refused(start, agent="ben", to="sue") == "PJSIP/2001 is not reachable"
    room.device("PJSIP/2001", "NOT_INUSE")
    room.board.put(i.LinkDown(room.board.at, "cut"))
    assert await room.refused(start, agent="ben", to="sue") == "Asterisk is not connected"
    assert not room.desk.sessions.all


@pytest.mark.parametrize(
    ("do", "fields"),
    [
        ("monitor.start", {"agent": "ben"}),
        ("monitor.start", {"agent": "ben", "to": "sue", "mode": "record"}),
        ("monitor.start", {"agent": "ben", "to": "sue", "from": "phone"}),
        ("monitor.stop", {"from": "phone"}),
        ("monitor.stop", {"session": "x"}),
    ],
)
async def test_what_cannot_be_meant(room: Room, do: str, fields: dict[str, str]) -> None:
    with pytest.raises(Refused):
        await room.ask(do, **fields)
    assert room.done == []


async def test_a_supervisor_is_brought_into_a_call(room: Room) -> None:
    board = room.board
    board.login("ben")
    for typed in ("1700.9", "no such call"):
        refused = await room.refused("call.escalate", call=typed)
        assert refused == "nobody talks in a call of this id"  # and this is what the audit keeps
    call = board.caller("support")
    board.ring(call)
    assert await room.refused("call.escalate", call=call) == "the agent has no caller on the line"
    board.answer(call)
    room.people["sue"] = dataclasses.replace(PEOPLE["sue"], departments=("other",))
    asker.set("susan")
    refused = await room.refused("call.escalate", call=call)
    assert refused == "sue supervises none of the agent's departments"
    asker.set("ops")
    answer = await room.ask("call.escalate", call=call, **{"from": "cli"})
    assert (answer.ok, answer.text) == (True, "chief is rung for ben")
    (ring,) = (one for one in room.done if isinstance(one, Ring))
    assert (ring.device, ring.shown) == ("PJSIP/2002", "help: ben")
    assert await room.refused("call.escalate", call=call) == "chief is asked already"
    assert room.desk.briefing(ring.session) is None  # he has not answered
    room.desk.sessions.arrived(board.at, ring.session)
    assert room.desk.briefing(ring.session) == Briefing(call, "+302101234567")
    room.desk.sessions.arrived(board.at, ring.session)
    assert room.desk.briefing(ring.session) is None
    assert room.desk.briefing("mx9") is None
    rows = [one for one in room.done if isinstance(one, ControlEvent) and one.what == "escalate"]
    assert [(one.who, one.by, one.door, one.result) for one in rows[-3:]] == [
        ("ben", "ops", "cli", "asked"), ("ben", "ops", "api", "asked"), ("ben", "ops", "api", "refused"),
    ]  # fmt: skip
    board.hang_up(call)
    assert room.look() == [Drop(ring.session)]


async def test_a_supervisor_who_listens_already_is_heard(room: Room) -> None:
    """Before anybody is rung, whose phone is free; but not who listens to another, or may only listen."""
    board, sessions = room.board, room.desk.sessions
    board.login("ben")
    call = board.caller("support")
    board.ring(call)
    board.answer(call)

    async def listens(who: str) -> str:
        known = set(sessions.all)
        assert (await room.ask("monitor.start", agent="ben", to=who)).ok
        (id_,) = sessions.all.keys() - known
        sessions.arrived(board.at, id_)
        sessions.spying(board.at, id_, "a1")
        return id_

    await listens("trainee")
    chief = await listens("chief")
    room.done.clear()
    answer = await room.ask("call.escalate", call=call)
    assert (answer.ok, answer.text) == (True, "chief, who listens, is heard by ben")
    assert [one for one in room.done if not isinstance(one, ControlEvent)] == [
        Hear(chief, 2, sessions.all[chief].talk.leg, "barge", beep=True)  # type: ignore[union-attr]
    ]
    assert room.desk.briefing(chief) is None


async def test_listening_to_a_real_switchboard(room: Room) -> None:
    """The leg is that of the talk, from its answer to its end; then the next one's."""
    board = room.board
    board.login("ben")
    answer = await room.ask("monitor.start", agent="ben", to="2001", **{"from": "cli"})
    assert (answer.ok, answer.text) == (True, "PJSIP/2001 is rung: sue monitors ben, listen")
    asked, ring = room.done
    assert (asked.who, asked.whom, asked.door, asked.result) == ("sue", "ben", "cli", "asked")
    assert isinstance(ring, Ring)
    busy = await room.refused("monitor.start", agent="chloe", to="sue")
    assert busy == "PJSIP/2001 monitors ben already"
    room.desk.sessions.arrived(board.at, ring.session)
    call = board.caller("support")
    board.ring(call)
    assert room.look() == []  # a phone that rings is not listened to
    board.answer(call)
    leg = f"leg-{board.offer_of(call).offer}"
    assert room.look() == [Hear(ring.session, 1, leg, "listen")]
    room.desk.sessions.spying(board.at, ring.session, "a1")
    switched = await room.ask("monitor.start", agent="ben", to="sue", mode="whisper")
    assert switched.text == "sue monitors ben: whisper"
    assert room.done[-1] == Hear(ring.session, 2, leg, "whisper")
    rows = (await room.ask("monitor.list")).data
    assert [(one["supervisor"], one["state"], one["call"]) for one in rows] == [("sue", "hearing", call)]
    board.hang_up(call)
    assert room.look() == [Rest(ring.session)]
    board.go(60)
    following = board.caller("support")
    board.answer(following)
    (hear,) = room.look()
    assert (hear.leg, hear.mode) == (f"leg-{board.offer_of(following).offer}", "whisper")
    asker.set("susan")
    stopped = await room.ask("monitor.stop", agent="ben")
    assert stopped.text == "1 stopped"
    assert room.done[-1] == Drop(ring.session)


async def test_a_reload_ends_what_may_not_be_any_more(room: Room) -> None:
    await room.ask("monitor.start", agent="ben", to="sue")
    await room.ask("monitor.start", agent="chloe", to="chief")
    (first, second) = room.desk.sessions.all
    for one in (first, second):
        room.desk.sessions.arrived(room.board.at, one)
    room.people = {**PEOPLE, "sue": Supervisor("sue", "Sue", "PJSIP/2001", "supervisor", ("other",))}
    assert room.look() == [Drop(first)]
    assert room.look() == []


async def test_a_supervisor_stops_only_his_own(room: Room) -> None:
    await room.ask("monitor.start", agent="ben", to="chief")
    asker.set("susan")
    assert await room.refused("monitor.stop", agent="ben") == "susan is sue, not chief"
    asker.set("root")
    assert (await room.ask("monitor.stop")).text == "1 stopped"
    assert (await room.ask("monitor.stop", agent="chloe")).text == "nobody monitors so"
