"""An agent brings a supervisor into his talk: who is rung, what he is told, and what is kept of it."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from test_sessions import Room

from ccbridge.supervision.escalations import Escalations
from ccbridge.supervision.roles import TAKE_OVER, Asked, Supervisor
from ccbridge.supervision.sessions import (
    Brief,
    Drop,
    Effect,
    HandOver,
    Hear,
    Join,
    Notice,
    Rest,
    Ring,
    Session,
    State,
    Talk,
)

TALK = Talk("1.1", "1.0", "PJSIP/1001-01")
PEOPLE = [Supervisor(one, one, f"PJSIP/{one}", "supervisor", ("front",)) for one in ("sue", "lee")]
PHONE = "PJSIP/1001"


class House(Room):
    def __init__(self) -> None:
        super().__init__()
        self.talks["anna"] = TALK
        self.free = list(PEOPLE)
        self.escalations = Escalations(
            "t", self.sessions, self.talks.get, self._listening, self._on_duty, lambda: 7.0
        )

    def _on_duty(self, agent: str, tried: Collection[str]) -> Supervisor | None:
        return next((one for one in self.free if one.id not in tried), None)

    def _listening(self, agent: str, tried: Collection[str]) -> Session | None:
        there = (one for one in self.sessions.all.values() if one.state is State.HEARING and not one.why)
        return next((one for one in there if one.supervisor.id not in tried), None)

    def listens(self, mode: str) -> str:
        """sue, who has dialled a code."""
        self.took(self.sessions.dialled(self.at, PEOPLE[0], "anna", mode, "17.1"))
        assert self.arrived("17.1") == [Hear("17.1", 1, "1.1", mode)]
        assert self.after(self.sessions.spying(self.at, "17.1", "a1")) == []
        return "17.1"

    def asks(self) -> tuple[str, list[Effect]]:
        done, text, effects = self.escalations.ask(Asked(self.at, PHONE, "phone"), "anna")
        return "" if done else text, self.took(effects)

    def rung(self) -> str:
        why, (ring,) = self.asks()
        assert not why
        assert isinstance(ring, Ring)
        return ring.session

    def leaves(self) -> tuple[str, list[Effect]]:
        why, effects = self.escalations.leave(Asked(self.at, PHONE, "phone"), "anna")
        return why, self.took(effects)

    def after(self, effects: list[Effect]) -> list[Effect]:
        return self.took(effects) + self.took(self.escalations.look(self.at))

    def arrived(self, id_: str) -> list[Effect]:
        return self.after(self.sessions.arrived(self.at, id_))

    def hears(self, id_: str) -> None:
        """He answers, is told, and hears the call."""
        assert self.arrived(id_) == [Brief(id_)]
        (hear,) = self.arrived(id_)
        assert isinstance(hear, Hear)
        assert hear == Hear(id_, hear.turn, "1.1", "barge")
        assert self.after(self.sessions.spying(self.at, id_, f"a{hear.turn}")) == []

    def gone(self, id_: str, why: str = "") -> list[Effect]:
        return self.after(self.sessions.gone(self.at, id_, why))

    def escalated(self) -> list[tuple[str, str, str]]:
        rows = [one for one in self.told if one.what == "escalate"]
        assert {(one.who, one.by, one.door) for one in rows} <= {("anna", PHONE, "phone")}
        return [(one.result, one.whom, one.reason) for one in rows]


@pytest.fixture
def house() -> House:
    return House()


def test_he_is_told_first_and_then_heard_by_both(house: House) -> None:
    why, effects = house.asks()
    assert (why, effects) == ("", [Ring("mtx1", "PJSIP/sue", "help: anna", 7.0)])
    house.hears("mtx1")
    house.at += 12
    assert house.gone("mtx1") == []
    assert house.escalated() == [("asked", "", ""), ("done", "sue", ""), ("ended", "sue", "hung up")]
    last = house.told[-1]
    assert (last.call, last.seconds) == ("1.0", 12.0)
    assert len({one.control for one in house.told if one.what == "escalate"}) == 1
    assert house.escalations.all == {}


def test_the_next_one_when_he_does_not_answer_or_hangs_up_at_once(house: House) -> None:
    first = house.rung()
    (ring,) = house.gone(first, "no answer")
    assert ring == Ring("mtx2", "PJSIP/lee", "help: anna", 7.0)
    assert house.arrived("mtx2") == [Brief("mtx2")]
    assert house.gone("mtx2") == [Notice("1.1", False, sorry=True)]
    assert house.escalated() == [
        ("asked", "", ""), ("failed", "sue", "no answer"), ("failed", "lee", "hung up"),
        ("failed", "", "no supervisor has answered"),
    ]  # fmt: skip
    assert (house.escalations.all, house.sessions.all) == ({}, {})


def test_nobody_is_there_nobody_talks_and_once_is_enough(house: House) -> None:
    house.rung()
    assert house.asks() == ("sue is asked already", [])
    house.gone("mtx1")
    house.gone("mtx2")
    house.free = []
    assert house.asks() == ("no supervisor is there", [])
    house.talks.clear()
    assert house.asks() == ("the agent has no caller on the line", [])
    refused = [one for one in house.escalated() if one[0] == "refused"]
    assert [why for _, _, why in refused] == [
        "sue is asked already", "no supervisor is there", "the agent has no caller on the line",
    ]  # fmt: skip


def test_the_agent_goes_and_the_supervisor_stays(house: House) -> None:
    assert house.leaves() == ("no supervisor is in the talk", [])
    id_ = house.rung()
    assert house.leaves() == ("no supervisor is in the talk", [])  # he would be alone with nobody
    house.hears(id_)
    why, (join,) = house.leaves()
    assert (why, join) == ("", Join(id_, 2, "PJSIP/1001-01"))
    assert house.after(house.sessions.joined(house.at, id_)) == [HandOver(id_, "1.1", "sue")]
    house.talks.clear()
    assert house.after(house.sessions.look(house.at)) == []  # the caller is his now
    assert house.sessions.all[id_].state is State.IN_CHARGE
    house.at += 30
    assert house.gone(id_) == []
    assert house.escalated()[-1] == ("ended", "sue", "hung up")
    taken = [(one.result, one.by) for one in house.told if one.what == "take_over"]
    assert taken[-3:] == [("asked", PHONE), ("done", PHONE), ("ended", PHONE)]


def test_taken_over_before_he_was_heard(house: House) -> None:
    """He is with the caller: that is no failure, and when he is gone nobody else is rung."""
    id_ = house.rung()
    assert house.arrived(id_) == [Brief(id_)]
    session = house.sessions.all[id_]
    why, effects = house.sessions.switch(house.at, session, TAKE_OVER, "ops", "cli")
    assert (why, house.after(effects)) == ("he is being told whose call it is", [])
    (hear,) = house.arrived(id_)
    assert isinstance(hear, Hear)
    why, effects = house.sessions.switch(house.at, session, TAKE_OVER, "ops", "cli")
    assert (why, house.after(effects)) == ("", [Join(id_, 2, "PJSIP/1001-01")])
    assert house.after(house.sessions.joined(house.at, id_)) == [HandOver(id_, "1.1", "sue")]
    house.talks.clear()
    house.at += 9
    assert house.gone(id_) == []
    assert house.escalated() == [("asked", "", ""), ("done", "sue", ""), ("ended", "sue", "hung up")]


def test_the_next_call_while_he_is_in_charge_of_the_former_one(house: House) -> None:
    """Both are kept to their ends, in whichever order these come."""
    first = house.rung()
    house.hears(first)
    _, (join,) = house.leaves()
    assert isinstance(join, Join)
    house.after(house.sessions.joined(house.at, first))
    house.talks["anna"] = Talk("2.1", "2.0", "PJSIP/1001-02")
    house.free = PEOPLE[1:]
    assert house.leaves() == ("no supervisor is in the talk", [])  # not in this one
    why, effects = house.asks()
    assert (why, effects) == ("", [Ring("mtx3", "PJSIP/lee", "help: anna", 7.0)])
    assert house.arrived("mtx3") == [Brief("mtx3")]
    (hear,) = house.arrived("mtx3")
    assert isinstance(hear, Hear)
    assert house.after(house.sessions.spying(house.at, "mtx3", "a1")) == []
    assert house.gone(first) == []
    assert house.gone("mtx3") == []
    assert [(one.result, one.whom, one.call) for one in house.told if one.what == "escalate"] == [
        ("asked", "", "1.0"), ("done", "sue", "1.0"), ("asked", "", "2.0"), ("done", "lee", "2.0"),
        ("ended", "sue", "1.0"), ("ended", "lee", "2.0"),
    ]  # fmt: skip
    assert house.escalations.all == {}


@pytest.mark.parametrize("next_talk", [None, Talk("2.1", "2.0")])
def test_who_listens_already_is_heard_for_this_talk(house: House, next_talk: Talk | None) -> None:
    """Nobody is rung, he is told by a beep, and in the next talk nobody hears him."""
    id_ = house.listens("listen")
    assert house.asks() == ("", [Hear(id_, 2, "1.1", "barge", beep=True)])
    assert house.escalated() == [("asked", "", "")]
    assert house.after(house.sessions.spying(house.at, id_, "a2")) == []
    assert house.asks() == ("sue is asked already", [])
    house.at += 12
    house.talks.clear()
    if next_talk is not None:
        house.talks["anna"] = next_talk
    assert house.took(house.escalations.look(house.at)) == []
    (after,) = house.after(house.sessions.look(house.at))
    assert after == (Hear(id_, 3, "2.1", "listen") if next_talk else Rest(id_))
    assert house.sessions.all[id_].mode == "listen"
    assert [one for one in house.escalated() if one[0] != "asked"] == [
        ("done", "sue", ""), ("refused", "", "sue is asked already"), ("ended", "sue", "the talk is over"),
    ]  # fmt: skip
    barged = [(one.result, one.who, one.by, one.call) for one in house.told if one.what == "barge"]
    assert barged == [
        ("asked", "sue", PHONE, None), ("done", "sue", PHONE, "1.0"), ("ended", "sue", PHONE, "1.0"),
    ]  # fmt: skip
    assert house.escalations.all == {}


def test_who_listens_already_changes_the_mode_himself(house: House) -> None:
    id_ = house.listens("listen")
    house.asks()
    house.after(house.sessions.spying(house.at, id_, "a2"))
    assert house.after(house.sessions.key(house.at, id_, "5")) == [Hear(id_, 3, "1.1", "whisper")]
    house.goes_to(Talk("2.1", "2.0"))
    assert house.sessions.all[id_].mode == "whisper"  # by his own key, so it stays


def test_who_is_heard_already(house: House) -> None:
    """There is nothing to be done, and the agent may leave at once."""
    id_ = house.listens("barge")
    assert house.asks() == ("", [])
    assert house.escalated() == [("asked", "", ""), ("done", "sue", "")]
    assert house.leaves() == ("", [Join(id_, 2, "PJSIP/1001-01")])


def test_who_listens_already_hangs_up_at_once(house: House) -> None:
    id_ = house.listens("listen")
    house.asks()
    (ring,) = house.gone(id_)
    assert isinstance(ring, Ring)
    assert ring.device == "PJSIP/lee"
    assert house.escalated() == [("asked", "", ""), ("failed", "sue", "hung up")]


def test_who_leaves_and_may_not_is_told(house: House) -> None:
    id_ = house.rung()
    house.hears(id_)
    house.forbidden.add(TAKE_OVER)
    assert house.leaves() == ("may not take_over", [])
    house.forbidden.clear()
    house.talks["anna"] = Talk("1.1", "1.0")  # she asks a colleague: nobody can be with her caller
    assert house.leaves() == ("the agent has no caller on the line", [])


@pytest.mark.parametrize("heard", [False, True])
@pytest.mark.parametrize("talk", [None, Talk("2.1", "2.0")])
def test_the_talk_is_over(house: House, heard: bool, talk: Talk | None) -> None:
    """He does not wait for the next one, nor is another rung."""
    id_ = house.rung()
    if heard:
        house.hears(id_)
    house.talks.clear()
    if talk is not None:
        house.talks["anna"] = talk
    assert house.took(house.escalations.look(house.at)) == [Drop(id_)]
    assert house.after(house.sessions.look(house.at)) == []
    assert house.gone(id_) == []
    assert house.escalated()[-1] == ("ended" if heard else "failed", "sue", "the talk is over")


def test_stopped_by_somebody_nobody_else_is_rung(house: House) -> None:
    id_ = house.rung()
    assert house.after(house.sessions.stop(house.at, house.sessions.all[id_], "ops", "cli")) == [Drop(id_)]
    assert house.gone(id_) == [Notice("1.1", False, sorry=True)]
    assert house.escalated() == [("asked", "", ""), ("failed", "sue", "stopped by ops")]


def test_a_lost_link_while_he_is_told(house: House) -> None:
    """Found back by two looks, so that one on his way there is not taken for one who is back."""
    id_ = house.rung()
    assert house.arrived(id_) == [Brief(id_)]
    assert house.after(house.sessions.swept(house.at, {id_}, [id_])) == []
    (hear,) = house.after(house.sessions.swept(house.at, {id_}, [id_]))
    assert isinstance(hear, Hear)
    assert house.after(house.sessions.compare(house.at, set(), [])) == [
        Ring("mtx2", "PJSIP/lee", "help: anna", 7.0)
    ]
