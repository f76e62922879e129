"""Every kind of step, walked with what a caller and the world answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from ccbridge.core import ivr
from ccbridge.core.expr import Expr, Value
from ccbridge.core.flows import (
    Ask,
    AskHours,
    Branch,
    CallFlow,
    Ending,
    Flow,
    GoTo,
    HangUp,
    LookUp,
    Menu,
    Play,
    Return,
    Say,
    SetLanguage,
    SetTo,
    Step,
    ToQueue,
    Transfer,
)

END: dict[str, Step] = {"yes": ToQueue("sales"), "no": Transfer("100"), "bye": HangUp()}
ASK = Ask(("which",), "order", "yes", "no", least=2, most=4, invalid=("wrong",), silent=("louder",))


@dataclass
class World:
    """Keys for the waits, one by one ('' is silence), and what the world knows."""

    keys: list[str] = field(default_factory=list)
    facts: Mapping[str, Value] = field(default_factory=dict)
    answers: Mapping[str, Value] = field(default_factory=dict)
    lookup: Mapping[str, Value] | None = None
    open: bool = True
    seen: list[ivr.Request] = field(default_factory=list)

    def walk(
        self, steps: Mapping[str, Step], start: str = "a", flows: Mapping[str, Flow] | None = None
    ) -> Ending:
        main = Flow("main", start, {**END, **steps})
        talk = ivr.converse(main, {"main": main, **(flows or {})})
        reply: ivr.Reply = None
        try:
            request = next(talk)
            while True:
                self.seen.append(request)
                match request:
                    case ivr.WaitForKey():
                        reply = self.keys.pop(0) if self.keys else ""
                    case ivr.Recall():
                        reply = {name: self.facts[name] for name in request.names & self.facts.keys()}
                    case ivr.Answers():
                        reply = self.answers
                    case ivr.IsOpen():
                        reply = {"open": self.open, "until": 1700000000}
                    case ivr.Question():
                        reply = self.lookup
                    case _:
                        reply = ""
                request = talk.send(reply)
        except StopIteration as stop:
            ending: Ending = stop.value
            return ending

    @property
    def steps(self) -> list[tuple[str, str]]:
        return [(one.step, one.result) for one in self.seen if isinstance(one, ivr.Stepped)]

    @property
    def heard(self) -> list[str]:
        return [one.sound for one in self.seen if isinstance(one, ivr.PlayPrompt)]


def test_say() -> None:
    world = World(facts={"time.hour": 9})
    world.walk({
        "a": SetTo({"n": Expr("41 + 1")}, "b"),
        "b": Say("number", (Expr("n"),), "c"),
        "c": Say("text", ("it is ", Expr("time.hour"), " o'clock, ", Expr("n == 42")), "yes"),
    })  # fmt: skip
    said = [(one.what, one.value) for one in world.seen if isinstance(one, ivr.SayValue)]
    assert said == [("number", "42"), ("text", "it is 9 o'clock, true")]


def test_digits_up_to_the_last_that_fits_to_the_hash_and_to_the_time_out() -> None:
    for keys, digits in ((["1", "2", "3", "4"], "1234"), (["1", "2", "#"], "12"), (["1", "2", ""], "12")):
        world = World(keys)
        assert world.walk(
            {"a": ASK, "yes": Branch(((Expr(f"order == '{digits}'"), "q"),), "no"), "q": END["yes"]}
        ) == (ToQueue("sales")), digits
        assert not world.keys


def test_wrong_digits_silence_and_stars() -> None:
    world = World(["1", "#", "", "*", "2", "3", "4"])
    assert world.walk({"a": ASK}) == Transfer("100")
    assert [result for _, result in world.steps] == ["a", "invalid", "time_out", "invalid", "no"]
    assert world.heard == ["which", "wrong", "which", "louder", "which"]


def test_fifty_digits_go_to_whoever_asks_next() -> None:
    world = World(list("1" * 50))
    assert world.walk({"a": ASK}) == ToQueue("sales")
    assert len(world.keys) == 46


@pytest.mark.parametrize(("digits", "good"), [("10", True), ("9999", False), ("09", False), ("4242", True)])
def test_a_range(digits: str, good: bool) -> None:
    ask = Ask(("which",), "order", "yes", "no", most=4, low=10, high=5000, tries=1)
    assert World([*digits, "#"]).walk({"a": ask}) == END["yes" if good else "no"]


@pytest.mark.parametrize(
    ("digits", "good"), [("4539578763621486", True), ("4539578763621487", False), ("0", True)]
)
def test_a_check_digit(digits: str, good: bool) -> None:
    ask = Ask(("card",), "card", "yes", "no", check="luhn", tries=1)
    world = World([*digits, "#"])
    assert world.walk({"a": ask}) == END["yes" if good else "no"]
    assert digits not in repr(world.steps)


def test_digits_are_said_and_taken_with_key_1() -> None:
    ask = Ask(("which",), "order", "yes", "no", most=2, confirm=("right?",))
    world = World(["1", "2", "2", "3", "4", "1"])
    assert world.walk({"a": ask}) == ToQueue("sales")
    assert [one.value for one in world.seen if isinstance(one, ivr.SayValue)] == ["12", "34"]
    assert [result for _, result in world.steps] == ["a", "not_confirmed", "yes"]


def test_language_and_branch() -> None:
    steps: dict[str, Step] = {
        "a": SetLanguage("el", "b"),
        "b": Branch(((Expr("language == 'hr'"), "no"), (Expr("language in ['el']"), "yes")), "bye"),
    }
    world = World()
    assert world.walk(steps) == ToQueue("sales")
    assert ivr.Speak("el") in world.seen


def test_hours() -> None:
    step = AskHours("office", "yes", "c")
    assert World().walk({"a": step}) == ToQueue("sales")
    world = World(open=False)
    assert world.walk({"a": step, "c": Say("time", (Expr("hours.until"),), "no")}) == Transfer("100")
    assert ivr.SayValue("time", "1700000000") in world.seen


@pytest.mark.parametrize(("answer", "end"), [({"sum": -3}, "yes"), ({}, "no"), (None, "bye")])
def test_a_look_up(answer: Mapping[str, Value] | None, end: str) -> None:
    world = World(facts={"caller.number": "+302101234567"}, lookup=answer)
    steps: dict[str, Step] = {
        "a": LookUp("account", {"n": Expr("caller.number")}, "b", "no", "bye"),
        "b": Branch(((Expr("account.sum < 0"), "yes"),), "bye"),
    }
    assert world.walk(steps) == END[end]
    assert ivr.Question("account", {"n": "+302101234567"}) in world.seen


def test_the_database_knows_a_key() -> None:
    menu = Menu(("today",), {"1": "no"}, "bye", table="today", tries=1)
    assert World(["2"], answers={"2": "support"}).walk({"a": menu}) == ToQueue("support")
    assert World(["1"], answers={"1": "support"}).walk({"a": menu}) == Transfer("100")
    assert World(["3"], answers={"2": "support"}).walk({"a": menu}) == HangUp()


def test_repeat_counts_no_try_and_ends_all_the_same() -> None:
    menu = Menu(("again?",), {"1": "yes"}, "bye", repeat="9", tries=1)
    world = World([*"9999", "1"])
    assert world.walk({"a": menu}) == ToQueue("sales")
    assert world.heard == ["again?"] * 5
    endless = World(["9"] * 2000)
    assert endless.walk({"a": menu}) == HangUp()
    assert endless.steps[-1] == ("a", "too_long")


def test_back_leads_to_the_menu_before_also_of_another_flow() -> None:
    first = Menu(("first",), {"1": "sub", "2": "yes"}, "bye")
    steps: dict[str, Step] = {"a": first, "sub": CallFlow("other", "no")}
    inner = Menu(("inner",), {"1": "back"}, "back", back="*")
    other = Flow("other", "m", {"m": inner, "back": Return()})
    world = World(["1", "*", "1", "1"])
    assert world.walk(steps, flows={"other": other}) == Transfer("100")
    assert world.heard == ["first", "inner", "first", "inner"]
    # in the first menu there is none before it
    alone = Menu(("only",), {"1": "yes"}, "bye", back="*")
    assert World(["*", "1"]).walk({"a": alone}) == ToQueue("sales")


def test_after_going_back_out_of_a_flow_nothing_returns_into_it() -> None:
    """`done` of the outer flow, reached after `back`, must not lead behind the inner call."""
    menu = Menu(("m",), {"1": "in", "2": "out"}, "out")
    outer = Flow("outer", "m", {"m": menu, "in": CallFlow("inner", "m"), "out": Return()})
    inner = Flow("inner", "n", {"n": Menu(("n",), {"1": "out"}, "out", back="*"), "out": Return()})
    world = World(["1", "*", "2"])
    assert world.walk({"a": CallFlow("outer", "yes")}, flows={"outer": outer, "inner": inner}) == ToQueue(
        "sales"
    )


def test_the_operators_key_is_in_every_menu_that_has_no_other_use_for_it() -> None:
    flow = Flow("f", "a", {**END, "a": Menu(("m",), {"1": "yes"}, "bye", tries=1)}, operator={"0": "no"})
    talk = ivr.converse(flow)
    assert next(talk) == ivr.Stepped("", "a", "f")
    assert talk.send("") == ivr.PlayPrompt("m", keys=True)
    assert talk.send("0") == ivr.Stepped("a", "no", "f")
    with pytest.raises(StopIteration) as end:
        talk.send("")
    assert end.value.value == Transfer("100")


def test_flows_that_call_each_other_for_ever_are_ended() -> None:
    loop = Flow("loop", "a", {"a": CallFlow("loop", "a")})
    world = World()
    assert world.walk({"a": GoTo("loop")}, flows={"loop": loop}) == HangUp()
    assert world.steps[-1] == ("a", "too_long")


def test_done_in_a_flow_that_nobody_called_hangs_up() -> None:
    assert World().walk({"a": Return()}) == HangUp()


def test_a_value_is_kept_short() -> None:
    world = World(facts={"customer.name": "x" * 5000})
    world.walk({"a": SetTo({"n": Expr("customer.name")}, "b"), "b": Say("text", (Expr("n"),), "yes")})
    (said,) = (one.value for one in world.seen if isinstance(one, ivr.SayValue))
    assert len(said) == ivr.LONGEST_VALUE


def test_play_then_message() -> None:
    world = World()
    assert world.walk({"a": Play(("one", "two"), "b"), "b": HangUp(("three",))}) == HangUp(("three",))
    assert world.heard == ["one", "two", "three"]
