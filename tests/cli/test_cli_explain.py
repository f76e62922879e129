"""``call explain`` and ``agent explain``: why he waited, why him, and why no call now."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from cli_rig import Shell
from control_rig import Board, Daemon

from ccbridge.core import inputs as i
from ccbridge.core.effects import Append
from ccbridge.core.plan import AgentPlan, Plan, QueuePlan, Rule
from ccbridge.lab.database import Database
from ccbridge.store.rows import Numbered, store
from ccbridge.store.urls import for_libpq

MIDNIGHT = 1_700_006_400.0
SKILLED = Plan(
    queues={
        "sales": QueuePlan(
            "sales", ring=15, wrap_up=20, overflow="100",
            rules=(Rule(0, {"greek": 4}, {"billing": 2}), Rule(30, {"greek": 2})),
        ),
        "support": QueuePlan("support", overflow="100"),
    },
    agents={
        "anna": AgentPlan("anna", "Anna", "PJSIP/1001", ("sales",), {"greek": 5}),
        "ben": AgentPlan("ben", "Ben", "PJSIP/1002", ("sales", "support"), {"greek": 2}),
        "cyd": AgentPlan("cyd", "Cyd", "PJSIP/1003", ("sales",), {"greek": 4}),
    },
    flows={}, numbers={}, default_flow="", pause_reasons=("break", "lunch"),
)  # fmt: skip


@dataclass
class House:
    """A day of calls: ``missed`` goes from anna to ben, ``gone`` gives up, ``waits`` is there still."""

    board: Board
    url: str
    missed: str
    gone: str
    waits: str


@pytest.fixture(scope="module")
def house(pg_server: str) -> Iterator[House]:
    board = Board(MIDNIGHT, SKILLED)
    board.login("anna", "ben")
    board.go(60)
    missed = board.caller("sales")
    offer = board.offer_of(missed).offer
    board.ring(missed)
    board.go(15)
    board.put(i.OfferEnded(board.at, missed, offer, "NOANSWER", 0))
    board.put(i.ChannelGone(board.at, f"leg-{offer}", 0))
    board.put(i.CallHolding(board.at, missed, "sales", 0, board.at))
    board.put(i.Pause(board.at, "anna", "lunch", 0))
    board.go(15)
    board.ring(missed)
    board.go(5)
    board.answer(missed)
    board.go(120)
    board.hang_up(missed)
    gone = board.caller("sales", None)
    board.go(12)
    board.hang_up_waiting(gone)
    waits = board.caller("sales", None)
    board.go(5)
    with Database(pg_server) as database:
        records = [effect.record for effect in board.effects if isinstance(effect, Append)]
        with psycopg.connect(for_libpq(database.url)) as db:
            store(db, uuid.uuid4(), [Numbered(n, record) for n, record in enumerate(records, 1)])
        yield House(board, database.url, missed, gone, waits)


@pytest.fixture
def archive(house: House, write_site: Callable[[str], Path]) -> Shell:
    return Shell(write_site(house.url))


ASKED = "Asked for: greek 4 or more, rather with billing 2 or more."
NOBODY = "None of the queue's 3 agents can take the call: 1 was logged out, 1 was paused, 1 lacked a skill."
COOLING = NOBODY.replace("1 was logged out, 1 was paused", "1 was cooling down, 1 was logged out")
AGAINST = """\
          anna: paused (lunch)
          ben: has greek 2, 4 is required
          cyd: logged out
"""


@pytest.mark.pg
def test_a_past_call_in_sentences(house: House, archive: Shell) -> None:
    assert (
        archive.run("call", "explain", house.missed).stdout
        == f"""\
call {house.missed}: answered by ben after 35 s in sales
00:01:00  Arrived on 2100000000.
00:01:00  Enters the queue sales, priority 0.
00:01:00  {ASKED} Offered to anna after 0 s in the queue: the only one who is free and qualifies.
          ben: has greek 2, 4 is required
          cyd: logged out
          of the queue's 3 agents 1 was logged out, 1 lacked a skill
00:01:00  anna's phone rings.
00:01:15  anna did not answer.
00:01:15  {COOLING}
          ben: has greek 2, 4 is required
          anna: cooling down after a call that was missed, 10 s left
          cyd: logged out
          the next rule is in force in 15 s
00:01:30  After 30 s asked for: greek 2 or more. Offered to ben after 30 s in the queue: \
the only one who is free and qualifies.
          anna: paused (lunch)
          cyd: logged out
          of the queue's 3 agents 1 was logged out, 1 was paused
00:01:30  ben's phone rings.
00:01:35  ben answers after 35 s in the queue.
00:03:35  ben's part ends after 2:00 of talk: the caller hung up.
00:03:35  The call is over: answered; the caller hung up.
          offers: anna missed, ben talked
"""
    )
    found = archive.json("call", "explain", house.missed)
    assert (found["call"], found["live"], found["now"]) == (house.missed, None, None)
    assert found["stored"]["disposition"] == "answered"
    assert found["told"][4] == {"at": "2023-11-15T00:01:15+00:00", "text": "anna did not answer.", "more": []}


@pytest.mark.pg
def test_a_call_that_nobody_took(house: House, archive: Shell) -> None:
    assert (
        archive.run("call", "explain", house.gone).stdout
        == f"""\
call {house.gone}: the caller gave up after 12 s in sales
00:03:35  Arrived on 2100000000.
00:03:35  Enters the queue sales, priority 0.
00:03:35  {ASKED} {NOBODY}
{AGAINST}          the next rule is in force in 30 s
00:03:47  The caller hangs up after 12 s in the queue.
00:03:47  The call is over: the caller gave up.
"""
    )


@pytest.mark.pg
def test_a_live_call_says_what_it_waits_for_now(house: House, archive: Shell) -> None:
    with Daemon(archive.site.parent / "control.sock", house.board):
        text = archive.run("call", "explain", house.waits).stdout
        found = archive.json("call", "explain", house.waits)
    now = f"""\
now       In line for sales for 5 s, number 1. {ASKED} {NOBODY}
{AGAINST}          the next rule is in force in 25 s
"""
    assert text.startswith(f"call {house.waits}: not over yet\n00:03:47  Arrived on 2100000000.\n")
    assert text.endswith(now)
    assert found["live"]["now"]["why"]["counts"] == {"paused": 1, "skill": 1, "logged_out": 1}
    assert found["now"][1][-1] == "the next rule is in force in 25 s"


@pytest.mark.pg
def test_without_the_database_a_live_call_is_told_by_the_daemon_alone(house: House, shell: Shell) -> None:
    with Daemon(shell.site.parent / "control.sock", house.board):
        result = shell.run("call", "explain", house.waits)
        assert result.stderr.startswith("without its events: The database 127.0.0.1:1/none does not answer")
        head, now, *_ = result.stdout.splitlines()
        assert head == f"call {house.waits}: not over yet"
        assert now == f"now       In line for sales for 5 s, number 1. {ASKED} {NOBODY}"
        assert "does not answer" in shell.run("call", "explain", house.gone, code=3).stderr
        assert shell.json("call", "explain", house.waits)["told"] == []


@pytest.mark.pg
def test_a_call_that_never_was(archive: Shell) -> None:
    assert archive.run("call", "explain", "1.1", code=1).stderr == "there is no call 1.1\n"


@pytest.mark.pg
def test_why_an_agent_has_no_call(house: House, shell: Shell) -> None:
    with Daemon(shell.site.parent / "control.sock", house.board):
        told = {name: shell.run("agent", "explain", name).stdout for name in ("anna", "ben", "cyd")}
        row = shell.json("agent", "explain", "ben")
        unknown = shell.run("agent", "explain", "zoe", code=1)
    assert told == {
        "anna": """\
anna is paused (lunch) for 2:37, until the pause is ended: `ccbridge agent unpause anna`.
sales: 1 in line, anna qualifies for all of them.
""",
        "ben": f"""\
ben is in wrap-up of call {house.missed}, 3 s left; then available.
sales: 1 in line, ben qualifies for none of them now.
  call {house.waits}: has greek 2, 4 is required; a rule lets it in 25 s
support: nobody waits.
""",
        "cyd": """\
cyd is logged out, until somebody logs in: `ccbridge agent login cyd`.
sales: 1 in line, cyd qualifies for all of them.
""",
    }
    assert row["serves"][0]["beyond"] == [
        {"call": house.waits, "missing": {"greek": [2, 4]}, "relaxes_s": 25.0}
    ]
    assert row["told"] == told["ben"].splitlines()
    assert unknown.stderr == 'there is no agent "zoe"\n'
