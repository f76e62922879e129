"""Random flows, random callers: a conversation never raises, and ends within its steps."""

from __future__ import annotations

import random

import pytest

from ccbridge.core import ivr
from ccbridge.core.expr import Expr
from ccbridge.core.flows import (
    Ask,
    AskHours,
    Branch,
    CallFlow,
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

KEYS = "0123456789*#"
MOST = 60
EXPRESSIONS = [
    Expr(source)
    for source in (
        "a + 1",
        "a > 3",
        "look.x == 'y'",
        "caller.number",
        "not caller.vip",
        "b in [1, 'x']",
        "'t'",
    )
]


def a_flow(chance: random.Random, name: str, flows: list[str]) -> Flow:
    names = [f"s{number}" for number in range(chance.randint(1, 9))]

    def to() -> str:
        return chance.choice(names)

    def step() -> Step:
        one = chance.choice(EXPRESSIONS)
        menu = Menu(
            ("p", "q"), {key: to() for key in chance.sample(KEYS, chance.randint(0, 4))}, to(),
            ("i",), ("s",), tries=chance.randint(1, 10), repeat=chance.choice(["", "9"]),
            back=chance.choice(["", "*"]), table=chance.choice(["", "t"]),
        )  # fmt: skip
        least = chance.randint(1, 5)
        ask = Ask(
            ("p",), chance.choice("ab"), to(), to(), least, least + chance.randint(0, 35),
            chance.choice([None, 5]), chance.choice([None, 500]), chance.choice(["", "luhn"]),
            chance.choice([(), ("c",)]), tries=chance.randint(1, 10),
        )  # fmt: skip
        return chance.choice([
            Play(("p",), to()), Say("number", (one,), to()), Say("text", ("t ", one), to()), menu, ask,
            SetLanguage("el", to()), AskHours("h", to(), to()), LookUp("look", {"v": one}, to(), to(), to()),
            SetTo({"a": one}, to()), Branch(((one, to()), (one, to())), to()), GoTo(chance.choice(flows)),
            CallFlow(chance.choice(flows), to()), Return(), ToQueue("q", 1), Transfer("100"), HangUp(("x",)),
        ])  # fmt: skip

    operator = {"0": to()} if chance.random() < 0.3 else {}
    return Flow(name, to(), {one: step() for one in names}, operator)


def answered(chance: random.Random, request: ivr.Request) -> ivr.Reply:
    """What a caller and a world that may fail answer."""
    match request:
        case ivr.PlayPrompt() | ivr.SayValue():
            return chance.choice([*KEYS, "", "", ""]) if request.keys else ""
        case ivr.WaitForKey():
            assert 0 < request.seconds <= 60
            return chance.choice([*KEYS, ""])
        case ivr.Recall():
            return {
                name: chance.choice(["", "x", "7", 5, True])
                for name in request.names
                if chance.random() < 0.7
            }
        case ivr.Answers():
            return {"5": "sales"} if chance.random() < 0.5 else {}
        case ivr.IsOpen():
            return {"open": chance.random() < 0.5}
        case ivr.Question():
            return chance.choice([None, {}, {"x": "y"}, {"x": "z" * 500}])
    return ""


@pytest.mark.parametrize("first", range(0, 4000, 500))
def test_random_flows_end(first: int) -> None:
    endings = set()
    for seed in range(first, first + 500):
        chance = random.Random(seed)
        names = [f"f{number}" for number in range(chance.randint(1, 4))]
        flows = {name: a_flow(chance, name, names) for name in names}
        talk = ivr.converse(flows[names[0]], flows, MOST)
        reply: ivr.Reply = None
        keys = stepped = 0
        try:
            request = next(talk)
            while True:
                stepped += isinstance(request, ivr.Stepped)
                keys += isinstance(request, ivr.WaitForKey)
                reply = answered(chance, request)
                request = talk.send(reply)
        except StopIteration as stop:
            endings.add(type(stop.value))
        # each step, try and repetition counts once, and tells of itself at most twice
        assert stepped <= 2 * MOST + 2, seed
        assert keys <= MOST * 41, seed
    assert endings == {ToQueue, Transfer, HangUp}
