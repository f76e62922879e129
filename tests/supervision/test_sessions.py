"""Supervisors on the line: one session's life, and random ones."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from ccbridge.core.records import ControlEvent
from ccbridge.supervision.roles import MODES, Asked, Supervisor
from ccbridge.supervision.sessions import (
    STEP_LIMIT,
    Drop,
    Effect,
    GiveForm,
    Hear,
    Listened,
    Notice,
    Rest,
    Ring,
    Sessions,
    State,
    Talk,
)

SUE = Supervisor("sue", "Sue", "PJSIP/2001", "supervisor", ("front",))
ONE, TWO = Talk("1.1", "1.0"), Talk("2.1", "2.0")


class Room:
    """Sessions over agents whose talks the test sets."""

    def __init__(self) -> None:
        self.talks: dict[str, Talk] = {}
        self.forbidden: set[str] = set()
        self.at = 1_000.0
        self.told: list[ControlEvent] = []
        self.asked: list[Effect] = []
        self.notice = "nobody"
        self.sessions = Sessions("t", self.talks.get, self._refusal, lambda: self.notice)

    def _refusal(self, supervisor: Supervisor, agent: str, mode: str, device: str) -> str:
        return f"may not {mode}" if mode in self.forbidden else ""

    def took(self, effects: list[Effect]) -> list[Effect]:
        """What is to be done; what is written goes to ``told``."""
        self.told += [one for one in effects if isinstance(one, ControlEvent)]
        rest = [one for one in effects if not isinstance(one, ControlEvent)]
        self.asked += rest
        return rest

    def begin(self, mode: str = "listen") -> str:
        (ring,) = self.took(self.sessions.begin(self.at, SUE, SUE.device, "anna", mode, "root", "cli"))
        assert isinstance(ring, Ring)
        return ring.session

    def goes_to(self, talk: Talk | None) -> list[Effect]:
        self.at += 10
        if talk is None:
            self.talks.pop("anna", None)
        else:
            self.talks["anna"] = talk
        return self.took(self.sessions.look(self.at))

    def steps(self) -> list[tuple[str, str]]:
        return [(one.what, one.result) for one in self.told]


@pytest.fixture
def room() -> Room:
    return Room()


def test_he_follows_the_agent_from_call_to_call(room: Room) -> None:
    id_ = room.begin()
    assert room.goes_to(ONE) == []  # his phone still rings
    assert room.took(room.sessions.arrived(room.at, id_)) == [Hear(id_, 1, "1.1", "listen")]
    room.took(room.sessions.spying(room.at, id_, "a1"))
    assert room.goes_to(ONE) == []
    assert room.goes_to(None) == [Rest(id_)]
    assert room.sessions.all[id_].state is State.WAITING
    assert room.goes_to(TWO) == [Hear(id_, 2, "2.1", "listen")]
    room.took(room.sessions.spying(room.at, id_, "a1"))  # of the step before: too late
    room.took(room.sessions.spying(room.at, id_, "a2"))
    room.at += 5
    room.took(room.sessions.gone(room.at, id_))
    assert not room.sessions.all
    assert room.steps() == [
        ("monitor", "asked"),
        ("monitor", "done"),
        ("listen", "done"),
        ("listen", "ended"),
        ("listen", "done"),
        ("listen", "ended"),
        ("monitor", "ended"),
    ]
    ended = [(one.call, one.seconds, one.reason) for one in room.told if one.result == "ended"]
    assert ended == [("1.0", 20.0, ""), ("2.0", 5.0, ""), (None, 35.0, "hung up")]


def test_keys_change_the_mode_as_far_as_the_role_goes(room: Room) -> None:
    room.forbidden.add("barge")
    id_ = room.begin()
    room.goes_to(ONE)
    room.took(room.sessions.arrived(room.at, id_))
    room.took(room.sessions.spying(room.at, id_, "a1"))
    assert room.took(room.sessions.key(room.at, id_, "5")) == [Hear(id_, 2, "1.1", "whisper")]
    assert room.took(room.sessions.key(room.at, id_, "5")) == []
    assert room.took(room.sessions.key(room.at, id_, "6")) == []
    assert room.took(room.sessions.key(room.at, id_, "#")) == []
    assert room.steps()[3:] == [
        ("whisper", "asked"), ("listen", "ended"), ("barge", "asked"), ("barge", "refused"),
    ]  # fmt: skip
    assert room.told[-1].reason == "may not barge"
    assert {(one.by, one.door) for one in room.told[-2:]} == {("PJSIP/2001", "phone")}
    # the mode is kept for the next call
    room.goes_to(None)
    assert room.goes_to(TWO) == [Hear(id_, 3, "2.1", "whisper")]


def test_a_phone_that_nobody_answers(room: Room) -> None:
    id_ = room.begin()
    room.took(room.sessions.gone(room.at, id_, "no answer"))
    room.took(room.sessions.gone(room.at, id_))
    assert [(one.result, one.reason) for one in room.told] == [("asked", "listen"), ("failed", "no answer")]


def test_stopped_by_somebody(room: Room) -> None:
    id_ = room.begin()
    room.took(room.sessions.arrived(room.at, id_))
    (session,) = room.sessions.all.values()
    assert room.took(room.sessions.stop(room.at, session, "ops", "api")) == [Drop(id_)]
    assert room.goes_to(ONE) == []  # he is on his way out
    room.took(room.sessions.gone(room.at, id_))
    assert room.steps()[2:] == [("stop", "asked"), ("stop", "done"), ("monitor", "ended")]
    assert room.told[-1].reason == "stopped by ops"


def test_after_a_lost_link_and_after_a_restart(room: Room) -> None:
    first = room.begin()
    second = room.begin()
    room.goes_to(ONE)
    # the first was answered meanwhile, the second is gone, and one is a former run's
    asked = room.took(room.sessions.compare(room.at, {first, "mx1", "1.1"}, [first, "mx1"]))
    assert asked == [Hear(first, 1, "1.1", "listen"), Drop("mx1")]
    assert list(room.sessions.all) == [first]
    failed = next(one for one in room.told if one.control == second and one.result == "failed")
    assert failed.reason == "not there after a lost link"
    assert (room.told[-1].control, room.told[-1].result, room.told[-1].who) == ("mx1", "ended", "")


def test_one_who_has_dialled_is_not_rung(room: Room) -> None:
    assert room.took(room.sessions.dialled(room.at, SUE, "anna", "whisper", "17.1")) == []
    assert room.goes_to(ONE) == []  # his channel is still on its way
    assert room.took(room.sessions.arrived(room.at, "17.1")) == [Hear("17.1", 1, "1.1", "whisper")]
    room.took(room.sessions.spying(room.at, "17.1", "a1"))
    room.took(room.sessions.gone(room.at, "17.1"))
    assert room.took(room.sessions.swept(room.at, {"17.1"}, ["17.1"])) == [Drop("17.1")]  # no other run's
    assert [(one.what, one.result, one.by, one.door) for one in room.told] == [
        ("monitor", "asked", SUE.device, "phone"),
        ("monitor", "done", SUE.device, "phone"),
        ("whisper", "done", SUE.device, "phone"),
        ("whisper", "ended", SUE.device, "phone"),
        ("monitor", "ended", SUE.device, "phone"),
    ]
    room.took(room.sessions.dialled(room.at, SUE, "anna", "listen", "17.2"))
    room.took(room.sessions.gone(room.at, "17.2"))
    assert (room.told[-1].result, room.told[-1].reason) == ("failed", "hung up")


def test_a_tone_at_the_beginning_of_each_call(room: Room) -> None:
    room.notice = "agent"
    id_ = room.begin()
    room.goes_to(ONE)
    room.took(room.sessions.arrived(room.at, id_))
    assert room.took(room.sessions.spying(room.at, id_, "a1")) == [Notice("1.1", False)]
    room.took(room.sessions.key(room.at, id_, "6"))
    assert room.took(room.sessions.spying(room.at, id_, "a2")) == []  # another mode of the same
    room.notice = "both"
    room.goes_to(TWO)
    assert room.took(room.sessions.spying(room.at, id_, "a3")) == [Notice("2.1", True)]


def test_what_a_lost_link_has_swallowed_is_sent_again(room: Room) -> None:
    id_ = room.begin()
    room.goes_to(ONE)
    room.took(room.sessions.arrived(room.at, id_))
    room.took(room.sessions.spying(room.at, id_, "a1"))
    assert room.took(room.sessions.compare(room.at, {id_}, [id_])) == [Hear(id_, 2, "1.1", "listen")]
    room.took(room.sessions.spying(room.at, id_, "a2"))
    assert room.steps().count(("listen", "done")) == 1  # it is the same stretch
    room.goes_to(None)
    assert room.took(room.sessions.compare(room.at, {id_}, [id_])) == [Rest(id_)]


def test_what_no_event_has_told_is_found_by_a_sweep(room: Room) -> None:
    answered, ringing, gone = room.begin(), room.begin(), room.begin()
    room.goes_to(ONE)
    room.took(room.sessions.arrived(room.at, gone))
    first = room.took(room.sessions.swept(room.at, {answered}, [answered]))
    assert first == [Hear(answered, 1, "1.1", "listen")]
    assert list(room.sessions.all) == [answered, ringing]
    assert (room.told[-2].control, room.told[-2].reason) == (gone, "its end was not told")
    room.took(room.sessions.spying(room.at, answered, "a1"))
    # it has ended between the snapshot and its answer: no other run's
    known = len(room.told)
    assert room.took(room.sessions.swept(room.at, {answered, gone}, [answered, gone])) == [Drop(gone)]
    assert len(room.told) == known
    room.at += 60
    assert room.took(room.sessions.swept(room.at, {answered}, [answered])) == []
    assert list(room.sessions.all) == [answered]


def test_a_way_to_the_leg_that_was_lost_is_taken_again(room: Room) -> None:
    id_ = room.begin()
    room.goes_to(ONE)
    assert room.took(room.sessions.arrived(room.at, id_)) == [Hear(id_, 1, "1.1", "listen")]
    room.at += 1
    assert room.took(room.sessions.swept(room.at, {id_}, [id_])) == []  # he may be on his way there
    room.at += STEP_LIMIT
    assert room.took(room.sessions.swept(room.at, {id_}, [id_])) == [Hear(id_, 2, "1.1", "listen")]
    room.took(room.sessions.spying(room.at, id_, "a2"))
    room.at += 60
    assert room.took(room.sessions.swept(room.at, {id_}, [id_])) == []


@pytest.mark.parametrize("answered", [False, True])
@pytest.mark.parametrize("seen", ["answers", "swept", "compare"])
def test_a_hang_up_that_was_lost_is_sent_again(room: Room, answered: bool, seen: str) -> None:
    id_ = room.begin()
    room.goes_to(ONE)
    if answered:
        room.took(room.sessions.arrived(room.at, id_))
    (session,) = room.sessions.all.values()
    assert room.took(room.sessions.stop(room.at, session, "ops", "api")) == [Drop(id_)]
    if seen == "answers":
        again = room.sessions.arrived(room.at, id_)
    else:
        again = getattr(room.sessions, seen)(room.at, {id_}, [id_])
    assert room.took(again) == [Drop(id_)]
    room.took(room.sessions.gone(room.at, id_))
    assert room.told[-1].reason == "stopped by ops"


def test_a_reload_that_takes_the_right_away(room: Room) -> None:
    id_ = room.begin("barge")
    room.took(room.sessions.arrived(room.at, id_))
    assert room.took(room.sessions.reloaded({"sue": SUE})) == []
    room.forbidden.add("barge")
    assert room.took(room.sessions.reloaded({"sue": SUE})) == [Drop(id_)]
    room.took(room.sessions.gone(room.at, id_))
    assert room.told[-1].reason == "may not barge"
    id_ = room.begin()
    assert room.took(room.sessions.reloaded({})) == [Drop(id_)]


@pytest.mark.parametrize("seed", range(200))
def test_random_sessions(seed: int) -> None:
    """Nobody hears what he may not or whom the agent has left; each beginning has its end, in order."""
    chance, room = random.Random(seed), Room()
    names = ["anna", "ben"]
    legs = dialled = 0
    for _ in range(120):
        room.at += chance.random()
        ids = list(room.sessions.all)
        some = chance.choice(ids) if ids else ""
        match chance.randrange(12):
            case 0:
                device, mode = f"PJSIP/{chance.randrange(3)}", chance.choice(MODES)
                who = chance.choice(names)
                if mode in room.forbidden:  # whoever asks is judged before
                    pass
                elif chance.random() < 0.5:
                    dialled += 1
                    room.took(room.sessions.dialled(room.at, SUE, who, mode, f"17.{dialled}"))
                else:
                    room.took(room.sessions.begin(room.at, SUE, device, who, mode, "root", "cli"))
            case 1:
                legs += 1
                room.talks[chance.choice(names)] = Talk(f"leg{legs}", f"call{legs}")
            case 2:
                room.talks.pop(chance.choice(names), None)
            case 3 | 4:
                room.took(room.sessions.arrived(room.at, some or "stranger"))
            case 5:
                room.took(room.sessions.key(room.at, some, chance.choice("34569*")))
            case 6:
                turn = room.sessions.all[some].turn if some else "a1"
                room.took(room.sessions.spying(room.at, some, chance.choice([turn, "a1"])))
            case 7:
                room.took(room.sessions.gone(room.at, some))
            case 8 if not any(one.before for one in room.sessions.all.values()):
                room.forbidden ^= {chance.choice(MODES)}
                room.took(room.sessions.reloaded({"sue": SUE}))
            case 11 if some and not room.forbidden:  # no role may barge, and not listen
                session, asked = room.sessions.all[some], Asked(room.at, "anna", "phone")
                if session.state is State.HEARING and not session.why:
                    room.took(room.sessions.switch_once(asked, session, "barge"))
            case 9 | 10 as how:  # what was sent may have been lost
                room.at += STEP_LIMIT + 1
                look = room.sessions.swept if how == 9 else room.sessions.compare
                known, shown = len(room.asked), chance.sample(ids, chance.randint(0, len(ids)))
                heard = {one.id for one in room.sessions.all.values() if one.heard is not None}
                room.took(look(room.at, set(ids), shown))
                again = room.asked[known:]
                for session in room.sessions.all.values():
                    assert again.count(Drop(session.id)) == (session.why != "")
                    sent = any(isinstance(one, Hear) and one.session == session.id for one in again)
                    hears = session.state is State.HEARING and not session.why
                    assert sent == (hears and (how == 10 or session.id not in heard))
        room.took(room.sessions.look(room.at))
        for session in room.sessions.all.values():
            if not session.why and session.state is not State.RINGING:
                scores = session.state is State.SCORING
                assert session.talk == (None if scores else room.talks.get(session.agent))
                assert session.mode not in room.forbidden
                if session.before is not None and session.talk is not None:
                    assert (session.mode, session.talk.call) == ("barge", session.before.call)
            hears = [one for one in room.asked if isinstance(one, Hear) and one.session == session.id]
            if session.talk is not None and not session.why:
                assert (hears[-1].leg, hears[-1].mode) == (session.talk.leg, session.mode)
    for id_ in list(room.sessions.all):
        room.took(room.sessions.gone(room.at, id_))
    open_: dict[tuple[str, str], str | None] = {}
    for one in room.told:
        if one.what in MODES and one.result == "done":
            assert not any(id_ == one.control for id_, _ in open_), "two at a time"
            open_[one.control, one.what] = one.call
        elif one.what in MODES and one.result == "ended":
            assert open_.pop((one.control, one.what)) == one.call
            assert one.seconds is not None
            assert one.seconds >= 0
    assert not open_
    results = Counter((one.control, one.result) for one in room.told if one.what == "monitor" and one.who)
    for id_ in {control for control, _ in results}:
        assert results[id_, "asked"] == 1
        assert results[id_, "failed"] + results[id_, "ended"] == 1
        assert results[id_, "done"] == results[id_, "ended"]


def test_a_key_leads_to_a_form_and_back(room: Room) -> None:
    id_ = room.begin()
    room.goes_to(ONE)
    room.took(room.sessions.arrived(room.at, id_))
    room.took(room.sessions.spying(room.at, id_, "a1"))
    room.at += 7
    assert room.took(room.sessions.key(room.at, id_, "9")) == [GiveForm(id_)]
    session = room.sessions.all[id_]
    assert session.listened == Listened("1.0", "", 7.0)
    assert room.steps()[-1] == ("listen", "ended")
    # whatever happens meanwhile, he is left alone
    assert room.goes_to(TWO) == []
    assert room.took(room.sessions.key(room.at, id_, "9")) == []
    refused, effects = room.sessions.switch(room.at, session, "whisper", "root", "cli")
    assert (refused, room.took(effects)) == ("", [])
    assert room.took(room.sessions.compare(room.at, {id_}, [])) == []
    # back, and with the agent again
    assert room.took(room.sessions.arrived(room.at, id_)) == [Hear(id_, 2, "2.1", "whisper")]
    room.took(room.sessions.spying(room.at, id_, "a2"))
    assert session.listened == Listened("2.0", "")
    assert room.goes_to(None) == [Rest(id_)]
    assert room.took(room.sessions.key(room.at, id_, "9")) == [GiveForm(id_)]
    assert session.listened == Listened("2.0", "", 10.0)


def test_one_whose_way_to_the_form_was_lost_is_found(room: Room) -> None:
    id_ = room.begin()
    room.goes_to(ONE)
    room.took(room.sessions.arrived(room.at, id_))
    assert room.took(room.sessions.key(room.at, id_, "9")) == [GiveForm(id_)]
    assert room.took(room.sessions.swept(room.at, {id_}, [id_])) == []  # he may be on his way
    assert room.took(room.sessions.swept(room.at, {id_}, [id_])) == [Hear(id_, 2, "1.1", "listen")]
