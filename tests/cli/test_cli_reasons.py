"""Each reason that a decision may keep, and each state of an agent, in words."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ccbridge.cli import idle, reasons, story
from ccbridge.core.records import AGENT_STATES, CALL_KINDS, DISPOSITIONS, OFFER_RESULTS
from ccbridge.core.strategies import STRATEGIES

STORY = Path(story.__file__).read_text("utf-8")
AT = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("named", "text"),
    [
        ({"why": "wrap_up", "left_s": 12.0, "reason": "lunch"}, "wrap-up, 12 s left; then paused (lunch)"),
        ({"why": "wrap_up"}, "wrap-up"),
        ({"why": "cooldown", "reason": "refused", "left_s": 100.0},
         "cooling down after a call that was refused, 1:40 left"),
        ({"why": "paused", "reason": "break"}, "paused (break)"),
        ({"why": "paused", "reason": "missed", "left_s": 40.0}, "paused (missed), 40 s left"),
        ({"why": "unreachable", "reason": "not_registered"}, "the phone is not registered"),
        ({"why": "unreachable", "reason": "dead", "left_s": 5.0}, "the phone did not ring, 5 s left"),
        ({"why": "busy_elsewhere"}, "the phone is in use"),
        ({"why": "offered", "call": "7.1", "rings": True}, "rings for call 7.1"),
        ({"why": "offered", "call": "7.1", "rings": False}, "reserved for call 7.1"),
        ({"why": "talking", "call": "7.1", "reason": "logging_out"}, "talks with call 7.1; then logged out"),
        ({"why": "logged_out"}, "logged out"),
        ({"why": "not_wished"}, "free; the caller waits for another agent"),
        ({"why": "skill", "missing": {"greek": [2, 4], "billing": [0, 1]}},
         "has greek 2, 4 is required; has no billing, 1 is required"),
        ({"why": "behind", "by": "longest_idle", "has": 20.0, "chosen": 60.0},
         "free, too; idle for 20 s, the chosen one 60 s"),
        ({"why": "behind", "by": "round_robin", "has": 20.0, "chosen": None},
         "free, too; last turn 20 s ago, the chosen one never"),
        ({"why": "behind", "by": "fewest_calls", "has": 4, "chosen": 2},
         "free, too; talks since the log-in: 4, the chosen one 2"),
        ({"why": "behind", "by": "preferred", "has": 0, "chosen": 1},
         "free, too; has 0 of the preferred skills, the chosen one 1"),
        ({"why": "behind", "by": "random"}, "free, too; chosen by lot"),
    ],
)  # fmt: skip
def test_one_agent(named: dict[str, Any], text: str) -> None:
    assert reasons.against({"agent": "dan", **named}) == f"dan: {text}"


def test_every_state_and_every_strategy_has_words() -> None:
    assert {*AGENT_STATES, "skill", "behind", "not_wished"} == reasons.COUNTED.keys()
    assert {*STRATEGIES, "preferred"} - {"random", "ring_all"} == reasons.FIGURES.keys()
    assert reasons.counted({"talking": 12, "chosen": 1, "paused": 1, "skill": 2}) == (
        "12 were talking, 2 lacked a skill, 1 was paused"
    )


@pytest.mark.parametrize("state", AGENT_STATES)
def test_each_state_says_what_lifts_it(state: str) -> None:
    row = {"agent": "dan", "state": state, "reason": "", "call": "7.1", "left_s": 7.0, "for_s": 34.0}
    text = idle.state({**row, "device": "PJSIP/1"})
    assert text.startswith("dan")
    assert "_" not in text


def test_a_free_agent_and_a_link_that_is_down() -> None:
    sales = {"queue": "sales", "waiting": 2, "fits": 2, "beyond": [], "with_others": []}
    other = {
        **sales,
        "queue": "help",
        "waiting": 0,
        "fits": 0,
        "with_others": [{"call": "7.1", "agent": "eva"}],
    }
    shut = {**sales, "queue": "shut", "paused": True}
    row = {"agent": "dan", "state": "available", "link_up": False, "serves": [sales, other, shut]}
    down = "the link to Asterisk is down, so nobody can be rung"
    assert list(idle.queues(row)) == [
        (f"sales: 2 in line, dan qualifies for all of them; {down}.", []),
        ("help: nobody else waits.", ["call 7.1: offered to eva"]),
        (
            "shut: 2 in line, dan qualifies for all of them; the queue is paused, "
            "its calls are offered to nobody.",
            [],
        ),
    ]


def event(kind: str, **data: Any) -> dict[str, Any]:
    return {"at": AT, "kind": kind, "data": data}


def test_every_result_and_every_end_has_a_sentence() -> None:
    for result in OFFER_RESULTS:
        (told,) = story.tell([event("offer_ended", agent="dan", offer="o1", result=result)])
        assert "dan" in told.text
    for disposition in DISPOSITIONS:
        (told,) = story.tell([event("ended", disposition=disposition, ended_by="caller")])
        assert told.text.startswith("The call is over: ")


def test_the_choice_of_one_among_several() -> None:
    (told,) = story.tell([
        event("offered", agent="ann", offer="o1", queue="sales", candidates=3, why={
            "counts": {"chosen": 1, "behind": 2, "talking": 40},
            "named": [{"agent": "dan", "why": "behind", "by": "longest_idle", "has": 20.0, "chosen": 60.0}],
        })
    ])  # fmt: skip
    assert told.text == "Offered to ann: the first in the order of the 3 who are free and qualify."
    assert told.more == (
        "dan: free, too; idle for 20 s, the chosen one 60 s",
        "of the queue's 43 agents 40 were talking",
    )


def test_several_who_are_rung_at_once() -> None:
    why = {
        "counts": {"chosen": 2, "talking": 1},
        "named": [{"agent": "eva", "why": "talking", "call": "7.1"}],
    }
    one, two, gone = story.tell([
        event("offered", agent="ann", offer="o1.1", why=why), event("offered", agent="dan", offer="o1.2"),
        event("offer_ended", agent="ann", offer="o1.1", result="elsewhere"),
    ])  # fmt: skip
    assert one.text == "Offered to ann: one of 2 who are rung at once."
    assert one.more == ("eva: talks with call 7.1", "of the queue's 3 agents 1 was talking")
    assert two.text == "Offered to dan."
    assert gone.text == "ann is not rung any more: a colleague has answered."


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ([0, 0], None),
        ([3, 0], "The caller is told: place 3."),
        ([3, 1], "The caller is told: place 3, 1 minute to wait."),
        ([0, 4], "The caller is told: 4 minutes to wait."),
    ],
)
def test_what_he_was_told_in_line(said: list[int], text: str | None) -> None:
    told = story.tell(
        [event("estimated", queue="sales", position=3, wait_s=55.0, app_queue_s=None, said=said)]
    )
    assert [one.text for one in told] == ([] if text is None else [text])


def test_the_ways_out_of_a_queue() -> None:
    told = story.tell([
        event("queued", queue="sales", priority=0),
        event("overflowed", reason="full", queue="help"),
        event("queued", queue="help", priority=0, why="full", stint={"queue": "sales"}),
        event("overflowed", reason="time", target="1008"),
        event("left", how="key", target="message"),
        event("queued", queue="vip", priority=5, why="supervisor", stint={"queue": "help"}),
    ])  # fmt: skip
    assert [one.text for one in told] == [
        "Enters the queue sales, priority 0.",
        "Leaves for the queue help after 0 s in the queue: the queue was full.",
        "Enters the queue help, out of sales, priority 0.",
        "Leaves for 1008 after 0 s in the queue: he has waited as long as the queue lets anybody wait.",
        "Leaves for message after 0 s in the queue: he pressed the key for it.",
        "Enters the queue vip, out of help (supervisor), priority 5.",
    ]


def test_events_of_other_versions_are_told_as_they_are() -> None:
    """An older one gives no reasons; a later one has kinds that are not known here."""
    told = story.tell([event("offered", agent="ann", offer="o1"), event("sent_home", by="\x1b[2J")])
    assert [one.text for one in told] == ["Offered to ann.", "sent home: by ?[2J."]


def test_every_kind_is_told_or_left_out_on_purpose() -> None:
    known = {kind for kind in CALL_KINDS if re.search(rf'case .*"{kind}"', STORY)}
    assert known | story.SILENT == set(CALL_KINDS)


def test_a_queue_without_agents_and_a_link_that_was_down() -> None:
    assert story.waits({"why": {"counts": {}, "named": []}}) == ("The queue has no agents.", ())
    assert story.waits({"why": {"link": False}})[0] == "The link to Asterisk is down: nobody can be rung."


def test_who_waits_for_one_agent() -> None:
    wish = {"agent": "ben", "why": "last_agent", "left_s": 14.6}
    why = {"counts": {"talking": 1, "not_wished": 2}, "named": []}
    text, more = story.waits({"why": why, "wish": wish})
    assert text == (
        "None of the queue's 3 agents can take the call: "
        "2 were free, and the caller waits for another, 1 was talking."
    )
    assert more[-1] == "the caller waits for ben alone, who talked with this customer last, for 15 s at most"
    chosen = {"counts": {"chosen": 1, "not_wished": 1}, "named": [{"agent": "anna", "why": "not_wished"}]}
    offered = {"agent": "ben", "queue": "sales", "why": chosen, "wish": {**wish, "why": "owner"}}
    (told,) = story.tell([{"at": AT, "kind": "offered", "data": offered}])
    assert told.text == "Offered to ben: the caller waited for ben alone, whose customer this is."
    assert told.more == (
        "anna: free; the caller waits for another agent",
        "of the queue's 2 agents 1 was free, and the caller waits for another",
    )


def test_a_caller_who_is_not_for_this_agent() -> None:
    beyond = {"call": "7.1", "missing": {}, "relaxes_s": None,
              "wish": {"agent": "ben", "why": "owner", "left_s": 9.0}}  # fmt: skip
    serves = {
        "queue": "sales",
        "paused": False,
        "waiting": 1,
        "fits": 0,
        "with_others": [],
        "beyond": [beyond],
    }
    ((text, more),) = idle.queues(
        {"agent": "anna", "state": "available", "link_up": True, "serves": [serves]}
    )
    assert text == "sales: 1 in line, anna qualifies for none of them now."
    assert more == ["call 7.1: waits for ben alone, whose customer this is, for 9 s at most"]
