"""What the view shows of a switchboard that has seen real inputs."""

from __future__ import annotations

import copy
import json
import pickle

from control_rig import Board

from ccbridge.core import inputs as i
from ccbridge.core import view
from ccbridge.core.records import AGENT_STATES


def test_nothing_yet() -> None:
    b = Board()
    b.go(90)
    status = view.status(b.board, b.at, b.at)
    assert status["link"] == {"up": True, "since": "2023-11-14T22:13:20.000+00:00"}
    assert status["calls"] == {"total": 0, "waiting": 0, "longest_wait_s": None, "states": {}}
    assert status["agents"] == {"total": 3, "logged_in": 0, "states": {"logged_out": 3}}
    assert view.calls(b.board, b.at) == {"total": 0, "calls": []}
    assert view.queue(b.board, "none", b.at, b.at) is None
    assert view.agent(b.board, "none", b.at, b.at) is None
    assert view.call(b.board, "none", b.at) is None
    b.put(i.LinkDown(b.at, "cut"))
    assert view.status(b.board, b.at, b.at)["link"] == {"up": False, "since": None}


def test_line_is_in_the_order_of_service() -> None:
    b = Board()
    first = b.caller("sales")
    b.go(10)
    second = b.caller("sales", None)
    b.go(5)
    other = b.caller("support")
    b.go(2.5)
    shown = view.queue(b.board, "sales", b.at, b.at)
    assert shown is not None
    assert [(row["position"], row["call"], row["wait_s"]) for row in shown["line"]] == [
        (1, first, 17.5),
        (2, second, 7.5),
    ]
    assert (shown["waiting"], shown["longest_wait_s"], shown["offered"]) == (2, 17.5, 0)
    assert [member["agent"] for member in shown["members"]] == ["anna", "ben"]
    assert shown["agents"] == {"total": 2, "logged_in": 0, "states": {"logged_out": 2}}
    short = view.queue(b.board, "sales", b.at, b.at, rows=1)
    assert short is not None
    assert (short["waiting"], len(short["line"])) == (2, 1)
    assert view.calls(b.board, b.at, rows=1)["total"] == 3
    positions = {call: view.call(b.board, call, b.at) for call in (first, second, other)}
    assert [row and row["position"] for row in positions.values()] == [1, 2, 1]
    assert [row["call"] for row in view.calls(b.board, b.at)["calls"]] == [first, second, other]
    assert [row["call"] for row in view.calls(b.board, b.at, "support")["calls"]] == [other]
    assert [(row["queue"], row["waiting"]) for row in view.queues(b.board, b.at)] == [
        ("sales", 2),
        ("support", 1),
    ]
    assert view.status(b.board, b.at, b.at)["calls"]["longest_wait_s"] == 17.5


def test_one_line_of_all_queues_in_the_order_of_service() -> None:
    b = Board()
    assert view.line(b.board, b.at) == {"total": 0, "calls": []}
    b.login("anna")
    talking, offered, second = b.caller("sales"), b.caller("sales"), b.caller("sales")
    b.answer(talking)
    b.hang_up(talking)
    b.go(100)  # anna's wrap-up is over: the next one is being offered to her, and keeps his place
    support = b.caller("support")  # priority 2
    b.go(7)
    shown = view.line(b.board, b.at)
    assert [(row["call"], row["position"], row["state"], row["wait_s"]) for row in shown["calls"]] == [
        (support, 1, "holding", 7.0),
        (offered, 1, "offered", 107.0),
        (second, 2, "holding", 107.0),
    ]
    assert [row["priority"] for row in shown["calls"]] == [2, 0, 0]
    assert [row["position"] for row in shown["calls"]] == [
        (view.call(b.board, row["call"], b.at) or {})["position"] for row in shown["calls"]
    ]
    short = view.line(b.board, b.at, rows=2)
    assert (short["total"], [row["call"] for row in short["calls"]]) == (3, [support, offered])


def test_one_call_from_offer_to_wrap_up() -> None:
    b = Board()
    b.login("anna")
    call = b.caller("sales", name="Μαρία Νικολάου")
    b.ring(call)
    b.go(4)
    row = view.call(b.board, call, b.at)
    assert row is not None
    assert (row["state"], row["agent"], row["position"]) == ("offered", "anna", 1)
    assert (row["caller"], row["name"], row["customer"]) == ("+302101234567", "Μαρία Νικολάου", 7)
    assert row["offer"]["state"] == "ringing"
    assert row["offer"]["for_s"] == 4.0

    b.answer(call)
    b.go(60)
    row = view.call(b.board, call, b.at)
    assert row is not None
    assert (row["state"], row["wait_s"], row["talk_s"], row["position"]) == ("talking", 4.0, 60.0, None)
    anna = view.agent(b.board, "anna", b.at, b.at)
    assert anna is not None
    assert (anna["state"], anna["call"], anna["for_s"], anna["left_s"]) == ("talking", call, 60.0, None)
    queue = view.queues(b.board, b.at)[0]
    assert (queue["waiting"], queue["talking"], queue["agents"]["states"]) == (
        0,
        1,
        {"talking": 1, "logged_out": 1},
    )

    b.hang_up(call)
    b.go(3)
    assert view.call(b.board, call, b.at) is None
    anna = view.agent(b.board, "anna", b.at, b.at)
    assert anna is not None
    assert (anna["state"], anna["left_s"], anna["call"], anna["last_call"]) == ("wrap_up", 7.0, call, call)


def test_agent_states_say_why_and_how_long() -> None:
    b = Board()
    b.login("anna", "ben")
    b.put(i.Pause(b.at, "anna", "lunch", 1))
    b.put(i.DeviceChanged(b.at, "PJSIP/1002", "UNAVAILABLE"))
    b.go(12)
    rows = {row["agent"]: row for row in view.agents(b.board, b.at, b.at)}
    assert {row["state"] for row in rows.values()} <= set(AGENT_STATES)
    assert (rows["anna"]["state"], rows["anna"]["reason"], rows["anna"]["for_s"]) == ("paused", "lunch", 12.0)
    assert (rows["ben"]["state"], rows["ben"]["reason"]) == ("unreachable", "not_registered")
    assert (rows["chloe"]["state"], rows["chloe"]["since"]) == ("logged_out", None)


def test_a_queue_that_a_reload_removed_shows_while_callers_are_in_it() -> None:
    b = Board()
    b.caller("gone")
    gone = view.queues(b.board, b.at)[0]
    assert (gone["queue"], gone["configured"], gone["waiting"], gone["agents"]["total"]) == (
        "gone",
        False,
        1,
        0,
    )
    assert view.queue(b.board, "gone", b.at, b.at) is not None


def test_looking_changes_nothing_and_gives_json() -> None:
    b = Board()
    b.login("anna", "ben")
    calls = [b.caller("sales"), b.caller("support"), b.caller("sales", None)]
    b.answer(calls[0])
    before = pickle.dumps(b.board.world)
    shown = [
        view.status(b.board, b.at, b.at),
        view.queues(b.board, b.at),
        [view.queue(b.board, name, b.at, b.at) for name in ("sales", "support")],
        view.agents(b.board, b.at, b.at),
        [view.agent(b.board, name, b.at, b.at) for name in ("anna", "ben", "chloe")],
        view.calls(b.board, b.at),
        view.line(b.board, b.at),
        [view.call(b.board, name, b.at) for name in calls],
    ]
    assert json.loads(json.dumps(shown, allow_nan=False)) == shown
    spoilt = copy.deepcopy(shown)
    for row in shown[3]:
        row["queues"].append("spoilt")  # type: ignore[index, call-overload]
    assert spoilt != shown
    assert pickle.dumps(b.board.world) == before
