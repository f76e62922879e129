"""The judge of a chaos finds each lie that is planted, and nothing in a true account."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from ccbridge.lab.chaos.evidence import Caller, Evidence, Seen
from ccbridge.lab.chaos.faults import Happened
from ccbridge.lab.chaos.judge import judge
from ccbridge.lab.chaos.plan import DAEMON_FROZEN, DAEMON_KILLED, PBX_KILLED, Fault
from ccbridge.lab.chaos.report import Verdict

T0 = 1_800_000_000.0


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(T0 + seconds, UTC)


def account(number: str, arrived: float, ended: float, disposition: str, **more: Any) -> dict[str, Any]:
    return {
        "call_id": f"pbx-{number}", "caller_raw": number, "arrived_at": moment(arrived),
        "ended_at": moment(ended), "disposition": disposition, "ended_by": "caller", "inferred": False,
        "talk_s": 0.0, "hold_s": 0.0, **more,
    }  # fmt: skip


def true_account() -> Evidence:
    """One is answered at 1001 and let go by the agent, one gives up, one comes while the daemon is dead."""
    answered = Seen("call-1-1", "+301", answered=T0 + 1, ended=T0 + 11.02)
    gave_up = Seen("call-1-2", "+302", answered=T0 + 2, ended=T0 + 5, hung_up=True)
    unheard = Seen("call-1-3", "+303", answered=T0 + 21, ended=T0 + 23, hung_up=True)
    never = Seen("call-1-4", "+304")
    calls = [
        account("+301", 1.1, 11.0, "answered", ended_by="agent", talk_s=4.0, hold_s=3.0),
        account("+302", 2.0, 5.0, "abandoned"),
        account("+303", 21.0, 26.5, "lost", inferred=True),
    ]
    records: list[dict[str, Any]] = []
    for row in calls:
        call = row["call_id"]
        records.append({"t": "call_opened", "call": call})
        if row["disposition"] == "answered":
            records += [
                {"t": "call_event", "call": call, "kind": "offered", "data": {"offer": "o1"}},
                {"t": "recording_started", "call": call, "offer": "o1"},
                {"t": "recording_ended", "call": call, "offer": "o1"},
                {"t": "call_event", "call": call, "kind": "offer_ended", "data": {"offer": "o1"}},
            ]
        records.append({"t": "call_closed", "call": call})
    for seq, record in enumerate(records, 1):
        record["seq"] = seq
    events = [
        {"seq": r["seq"], "call_id": r["call"], "kind": r["kind"], "data": r["data"]}
        for r in records
        if r["t"] == "call_event"
    ]
    accounts = [{**row, "source": "inferred" if row["inferred"] else "events"} for row in calls]
    tape = {
        "call_id": "pbx-+301",
        "path": "a/b",
        "state": "ready",
        "started_at": moment(4),
        "ended_at": moment(11),
    }
    return Evidence(
        callers=[
            Caller("+301", answered), Caller("+302", gave_up), Caller("+303", unheard), Caller("+304", never),
        ],
        rung=[
            Seen("x1", "1001", "+301", T0 + 3, T0 + 3.1, T0 + 4, T0 + 11, hung_up=True),
            Seen("x2", "1001", "+302", T0 + 12, T0 + 12.1, None, T0 + 13),
        ],
        happened=[Happened(Fault(1, 1.0, DAEMON_KILLED, 0.0), T0 + 20, T0 + 22)],
        unasked_ends=[],
        tables={
            "call_account": accounts, "call": calls, "call_opened": [], "call_event": events,
            "agent_event": [],
            "ticket": [{"call_id": row["call_id"]} for row in calls], "cdr": [], "recording": [tape],
            "ship_reject": [], "file_reject": [],
        },
        journal=records,
        log=[{"event": "pbx.up", "level": "info", "timestamp": moment(25).isoformat()}],
        other=[],
        cdrs=Counter(),
        recordings={"a/b"},
        stalls=[],
    )  # fmt: skip


def test_a_true_account() -> None:
    verdict = judge(true_account())
    assert verdict.good, verdict
    assert verdict.by_end == {"answered": 1, "abandoned": 1, "lost": 1}
    assert (verdict.calls, verdict.accounted) == (3, 3)
    assert verdict.sources == {"events": 2, "inferred": 1}
    assert verdict.counts["calls that the PBX never took"] == 1


def test_a_ticket_for_a_call_that_the_daemon_never_saw() -> None:
    """The jobs open one, ten minutes after its end."""
    evidence = true_account()
    unseen = evidence.tables["call"].pop()["call_id"]
    for record in evidence.journal:
        if (record["t"], record.get("call")) == ("call_closed", unseen):
            record["t"] = "something else"
    assert judge(evidence).twice == []


@pytest.mark.parametrize(("late_s", "unexplained"), [(0.0, 1), (0.3, 1), (0.8, 0)])
def test_what_the_machine_lost_no_account_has_to_know(late_s: float, unexplained: int) -> None:
    evidence = true_account()
    evidence.tables["call_account"][0]["talk_s"] += 1.2
    evidence.stalls = [(T0 - 60, 9.0), (T0 + 4, late_s), (T0 + 60, 9.0)]
    assert len(judge(evidence).unexplained) == unexplained


@pytest.mark.parametrize(("late_s", "unexplained"), [(0.0, 1), (1.2, 0)])
def test_a_moment_at_which_the_machine_stood_still(late_s: float, unexplained: int) -> None:
    evidence = true_account()
    evidence.tables["call_account"][1]["ended_at"] = moment(7)
    evidence.stalls = [(T0 + 5.5, late_s)]
    assert len(judge(evidence).unexplained) == unexplained


def no_account(e: Evidence) -> None:
    del e.tables["call_account"][1]


def two_accounts(e: Evidence) -> None:
    e.tables["call_account"].append({**e.tables["call_account"][1], "call_id": "pbx-again"})


def nobody_called(e: Evidence) -> None:
    e.tables["call_account"].append(account("+399", 2.0, 5.0, "abandoned", source="events"))


def cut_off(e: Evidence) -> None:
    e.callers[1].seen.hung_up = False  # type: ignore[union-attr]


def let_go_too_late(e: Evidence) -> None:
    e.callers[0].seen.ended = T0 + 14  # type: ignore[union-attr]


def ended_elsewhen(e: Evidence) -> None:
    e.tables["call_account"][1]["ended_at"] = moment(7)


def arrived_elsewhen(e: Evidence) -> None:
    e.tables["call_account"][0]["arrived_at"] = moment(3)


def talk_too_long(e: Evidence) -> None:
    e.tables["call_account"][0]["talk_s"] = 4.6


def inferred_and_far_off(e: Evidence) -> None:
    e.tables["call_account"][2]["ended_at"] = moment(40)


def lost_without_a_fault(e: Evidence) -> None:
    e.tables["call_account"][1].update(disposition="lost")


def a_restart_of_a_pbx_that_lived(e: Evidence) -> None:
    e.tables["call_account"][2].update(disposition="pbx_restart")


def answered_by_nobody(e: Evidence) -> None:
    e.tables["call_account"][1].update(disposition="answered")


def a_talk_that_is_not_told(e: Evidence) -> None:
    e.tables["call_account"][0].update(disposition="abandoned", talk_s=0.0)


def a_second_call_on_a_phone(e: Evidence) -> None:
    e.rung[1].invited = T0 + 9


def a_hole_in_the_journal(e: Evidence) -> None:
    e.journal[4]["seq"] = 99


def closed_twice(e: Evidence) -> None:
    e.journal.append({"t": "call_closed", "call": "pbx-+302", "seq": len(e.journal) + 1})


def an_offer_without_end(e: Evidence) -> None:
    e.journal = [r for r in e.journal if r.get("kind") != "offer_ended"]


def an_event_not_shipped(e: Evidence) -> None:
    e.tables["call_event"].pop()


def an_account_not_shipped(e: Evidence) -> None:
    e.tables["ticket"].pop()


def a_second_ticket(e: Evidence) -> None:
    e.tables["ticket"].append(e.tables["ticket"][0])


def a_ticket_of_no_call(e: Evidence) -> None:
    e.tables["ticket"].append({"call_id": "pbx-+399"})


def a_cdr_that_is_missing(e: Evidence) -> None:
    e.cdrs["pbx-1", 1] += 1


def a_refused_record(e: Evidence) -> None:
    e.tables["ship_reject"].append({"error": "no"})


def a_refused_line(e: Evidence) -> None:
    e.tables["file_reject"].append({"error": "no"})


def still_open(e: Evidence) -> None:
    e.tables["call_opened"].append({"call_id": "pbx-+302"})


def a_recording_without_a_file(e: Evidence) -> None:
    e.recordings.clear()


def a_recording_that_failed(e: Evidence) -> None:
    e.tables["recording"][0].update(state="failed", error="broken")


def a_daemon_that_fell(e: Evidence) -> None:
    e.unasked_ends.append(1)


def an_error_in_the_log(e: Evidence) -> None:
    e.log.append({"event": "daemon.task_failed", "level": "error"})


def a_line_of_a_traceback(e: Evidence) -> None:
    e.other.append("Traceback (most recent call last):")


def an_oddity(e: Evidence) -> None:
    e.log.append({"event": "oddity", "level": "warning", "kind": "unexpected"})


@pytest.mark.parametrize(
    ("lie", "where"),
    [
        (no_account, "unexplained"),
        (two_accounts, "twice"),
        (nobody_called, "unexplained"),
        (cut_off, "cut_off"),
        (let_go_too_late, "cut_off"),
        (ended_elsewhen, "unexplained"),
        (arrived_elsewhen, "unexplained"),
        (talk_too_long, "unexplained"),
        (inferred_and_far_off, "unexplained"),
        (lost_without_a_fault, "unexplained"),
        (a_restart_of_a_pbx_that_lived, "unexplained"),
        (answered_by_nobody, "unexplained"),
        (a_talk_that_is_not_told, "unexplained"),
        (a_second_call_on_a_phone, "unexplained"),
        (a_hole_in_the_journal, "unexplained"),
        (closed_twice, "twice"),
        (an_offer_without_end, "unexplained"),
        (an_event_not_shipped, "unexplained"),
        (an_account_not_shipped, "unexplained"),
        (a_second_ticket, "twice"),
        (a_ticket_of_no_call, "twice"),
        (a_cdr_that_is_missing, "unexplained"),
        (a_refused_record, "unexplained"),
        (a_refused_line, "unexplained"),
        (still_open, "unexplained"),
        (a_recording_without_a_file, "unexplained"),
        (a_recording_that_failed, "unexplained"),
        (a_daemon_that_fell, "unexplained"),
        (an_error_in_the_log, "unexplained"),
        (a_line_of_a_traceback, "unexplained"),
        (an_oddity, "oddities"),
    ],
)
def test_a_lie_is_found(lie: Callable[[Evidence], None], where: str) -> None:
    evidence = true_account()
    lie(evidence)
    verdict = judge(evidence)
    assert not verdict.good
    assert getattr(verdict, where), _told(verdict)


def test_a_fault_that_blinds_excuses_only_what_is_inferred() -> None:
    """A freeze over the end of the talk: an account that does not say so must be exact."""
    evidence = true_account()
    evidence.happened.append(Happened(Fault(2, 1.0, DAEMON_FROZEN, 4.0), T0 + 10, T0 + 14))
    evidence.tables["call_account"][0].update(talk_s=7.0, ended_at=moment(14))
    assert len(judge(evidence).unexplained) == 1
    evidence.tables["call_account"][0]["inferred"] = True
    assert judge(evidence).good


@pytest.mark.parametrize(("inferred", "good"), [(True, True), (False, False)])
def test_who_ended_before_the_pbx_died_while_nobody_watched(inferred: bool, good: bool) -> None:
    evidence = true_account()
    evidence.happened.append(Happened(Fault(2, 1.0, PBX_KILLED, 0.0), T0 + 23.5, T0 + 24.5))
    evidence.tables["call_account"][2].update(disposition="pbx_restart", inferred=inferred)
    assert judge(evidence).good is good


def _told(verdict: Verdict) -> str:
    return f"{verdict.cut_off} {verdict.twice} {verdict.unexplained} {verdict.oddities}"
