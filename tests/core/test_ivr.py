"""Menus, walked with a list of keys."""

from __future__ import annotations

import pytest

from ccbridge.core.flows import Flow, HangUp, Menu, Play, ToQueue, Transfer
from ccbridge.core.ivr import MAX_STEPS, PlayPrompt, Request, Stepped, WaitForKey, converse

MENU = Menu(
    prompts=("ask", "again"),
    choices={"1": "sales", "0": "desk"},
    otherwise="bye",
    invalid=("wrong",),
    silent=("louder",),
    timeout=4.0,
    tries=3,
)
FLOW = Flow(
    "main",
    "hello",
    {
        "hello": Play(("welcome",), "menu"),
        "menu": MENU,
        "sales": ToQueue("sales", 5),
        "desk": Transfer("100"),
        "bye": HangUp(("goodbye",)),
    },
)


def walk(flow: Flow, keys: dict[str, list[str]]) -> tuple[object, list[Request]]:
    """Run a flow. ``keys`` holds the replies to each sound, under ``wait`` those to the waits."""
    said: list[Request] = []
    talk = converse(flow)
    reply = ""
    try:
        request = next(talk)
        while True:
            said.append(request)
            reply = ""
            if isinstance(request, PlayPrompt) and request.keys and keys.get(request.sound):
                reply = keys[request.sound].pop(0)
            elif isinstance(request, WaitForKey) and keys.get("wait"):
                reply = keys["wait"].pop(0)
            request = talk.send(reply)
    except StopIteration as stop:
        return stop.value, said


def steps(said: list[Request]) -> list[tuple[str, str]]:
    return [(one.step, one.result) for one in said if isinstance(one, Stepped)]


def test_a_key_during_the_prompt_breaks_it_off_and_is_the_answer() -> None:
    ending, said = walk(FLOW, {"ask": ["1"]})
    assert ending == ToQueue("sales", 5)
    assert PlayPrompt("again", keys=True) not in said
    assert not any(isinstance(one, WaitForKey) for one in said)


def test_a_wrong_key_then_silence_then_the_right_one() -> None:
    ending, said = walk(FLOW, {"wait": ["7", "", "0"]})
    assert ending == Transfer("100")
    assert steps(said) == [
        ("", "hello"),
        ("hello", "menu"),
        ("menu", "invalid"),
        ("menu", "time_out"),
        ("menu", "desk"),
    ]
    assert [one.sound for one in said if isinstance(one, PlayPrompt)] == [
        *("welcome", "ask", "again"),
        *("wrong", "ask", "again"),
        *("louder", "ask", "again"),
    ]


def test_a_key_while_he_is_told_what_was_wrong_is_the_next_answer() -> None:
    ending, said = walk(FLOW, {"wait": ["7"], "wrong": ["0"]})
    assert ending == Transfer("100")
    assert [one.sound for one in said if isinstance(one, PlayPrompt)] == ["welcome", "ask", "again", "wrong"]


def test_each_try_waits_as_long() -> None:
    _, said = walk(FLOW, {"wait": ["7", "", "0"]})
    assert [one.seconds for one in said if isinstance(one, WaitForKey)] == [4.0] * 3


def test_after_the_last_try_nothing_is_said_about_it_and_otherwise_follows() -> None:
    ending, said = walk(FLOW, {"wait": ["9", "9", "9"]})
    assert ending == HangUp(("goodbye",))
    assert [one.sound for one in said if isinstance(one, PlayPrompt)].count("wrong") == MENU.tries - 1
    assert steps(said)[-1] == ("menu", "bye")
    assert said[-1] == PlayPrompt("goodbye", keys=False)


def test_no_request_ever_holds_a_key() -> None:
    _, said = walk(FLOW, {"wait": ["9", "1"]})
    assert "9" not in repr(said)


def test_a_flow_that_goes_in_circles_is_ended() -> None:
    ending, said = walk(Flow("loop", "a", {"a": Play(("x",), "b"), "b": Play(("y",), "a")}), {})
    assert ending == HangUp()
    assert steps(said)[-1] == ("a", "too_long")
    assert len(steps(said)) == MAX_STEPS + 2


@pytest.mark.parametrize("key", list("0123456789*#"))
def test_any_key_ends_the_wait_of_a_menu_with_one_try(key: str) -> None:
    menu = Menu(("ask",), {"5": "sales"}, "bye", tries=1)
    ending, _ = walk(Flow("f", "m", {**FLOW.steps, "m": menu}), {"wait": [key]})
    assert ending == (ToQueue("sales", 5) if key == "5" else HangUp(("goodbye",)))
