"""Scripted dialogues fail when a flow goes another way, and say how; files with mistakes are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ccbridge.core.flows import Ask, Flow, HangUp, Menu, Play, ToQueue
from ccbridge.core.plan import Plan, QueuePlan
from ccbridge.ivr import dialogues

FLOW = Flow(
    "main",
    "hello",
    {
        "hello": Play(("welcome", "hours"), "m"),
        "m": Menu(("choose",), {"1": "sales", "2": "n"}, "bye", invalid=("wrong",), tries=2),
        "n": Ask(("number",), "n", "sales", "bye", most=4),
        "sales": ToQueue("sales"),
        "bye": HangUp(("goodbye",)),
    },
)
PLAN = Plan({"sales": QueuePlan("sales")}, {}, {"main": FLOW}, {}, "main")


def said(tmp_path: Path, text: str) -> str:
    file = tmp_path / "d.yml"
    file.write_text(text)
    (one,) = dialogues.read(file)
    return dialogues.run(PLAN, one).wrong


@pytest.mark.parametrize(
    ("caller", "ends", "wrong"),
    [
        ("[{hears: hours}, {presses: '1'}]", "queue sales", ""),
        ("[{presses: '2'}, {presses: '123#'}]", "queue sales", ""),
        ("[{presses: '21234'}]", "queue sales", ""),
        ("[hangs up]", "hangs up", ""),
        ("[waits, waits, {hears: goodbye}]", "hangup", ""),
        ("[{hears: hours}, {hears: welcome}, {presses: '1'}]", "queue sales", "he did not hear welcome"),
        ("[{presses: '1'}]", "hangup", "it ended with queue sales, not with hangup"),
        ("[{presses: '7'}]", "hangup", "the flow waits for a key, and the dialogue says no more"),
        (
            "[{presses: '1'}, waits]",
            "queue sales",
            "it ended with queue sales, before the caller had",
        ),
        ("[waits, waits, {hears: welcome}]", "hangup", "he did not hear welcome"),
        ("[hangs up]", "queue sales", "it ended with hangs up, not with queue sales"),
    ],
)
def test_what_a_dialogue_says(tmp_path: Path, caller: str, ends: str, wrong: str) -> None:
    told = said(tmp_path, f"dialogues: [{{name: x, caller: {caller}, ends: {ends}}}]")
    assert told.startswith(wrong) if wrong else not told


def test_an_unknown_flow(tmp_path: Path) -> None:
    assert said(tmp_path, "dialogues: [{name: x, flow: nix, ends: hangup}]") == "there is no flow nix"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "Input should be"),
        ("dialogues: []", "at least 1"),
        ("dialogues: [{name: x}]", "dialogues.0.ends: Field required"),
        ("dialogues: [{name: x, ends: hangup, caller: [sings]}]", "dialogues.0.caller"),
        ("dialogues: [{name: x, ends: hangup, caller: [{presses: abc}]}]", "dialogues.0.caller"),
        ("dialogues: [{name: x, ends: hangup, assume: {caller.vip: [1]}}]", "caller.vip must be a text"),
        ("dialogues: [{name: x, ends: hangup, assume: {hours: {o: shut}}}]", "dialogues.0.assume.hours.o"),
        ("a: [", "expected"),
    ],
)
def test_files_with_mistakes(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "d.yml"
    file.write_text(text)
    with pytest.raises(dialogues.BadDialogues, match=r"d\.yml") as caught:
        dialogues.read(file)
    assert says in str(caught.value)


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(dialogues.BadDialogues, match="cannot be read"):
        dialogues.read(tmp_path / "none.yml")
    (tmp_path / "b.yml").write_bytes(b"\xff\xfe")
    with pytest.raises(dialogues.BadDialogues, match="cannot be read"):
        dialogues.read(tmp_path / "b.yml")
