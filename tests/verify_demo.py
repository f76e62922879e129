"""Does what ccbridge wrote down agree with what the phones, the carrier, Asterisk and the recordings say?

    python tests/verify_demo.py var/demo/inputs.json

Nothing of ccbridge is imported: the second Asterisk's own log of its phones and callers, the keys that they
pressed, the PBX's CDR file, the sound files and plain SQL are read, and everything that can be known from
these is worked out anew. Every difference is one line; exit code 1 if there is one, else 0.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from demo_evidence import Differences, Inputs, Row, Seen, legs_of, number_of, read, talk_s
from demo_sound import check_heard, check_recordings

TALK_TOLERANCE_S = 0.25
AT_ONCE_S = 0.1  # from the hold loop to the next offer, the end of the last one included
CLOCK_TOLERANCE_S = 1.0


# -- calls --------------------------------------------------------------------------------------------


def check_calls(inputs: Inputs, found: Differences) -> dict[str, tuple[Row, Seen]]:
    """Who called, who answered, how long they talked, who gave up. Returns the pairs by call id."""
    calls = inputs.tables["call"]
    found.same("calls", len(calls), len(inputs.callers))
    found.same("calls still open", len(inputs.tables["call_opened"]), 0)
    found.same(
        "callers", sorted(Counter(map(number_of, calls)).items()),
        sorted(Counter(one.line for one in inputs.callers).items()),
    )  # fmt: skip
    by_number = {one.line: one for one in inputs.callers}
    pairs = {}
    for call in calls:
        caller = by_number.get(number_of(call))
        if caller is not None:
            pairs[call["call_id"]] = call, caller
            _check_call(inputs, call, caller, found)
    return pairs


def _check_call(inputs: Inputs, call: Row, caller: Seen, found: Differences) -> None:
    who = f"call {call['call_id']} of {caller.line}"
    phones, agents = legs_of(inputs, caller), inputs.told["agents"]
    talked = [one for one in phones if one.answered]
    queue = next((inputs.told["menu"][key] for _, key in caller.keys if key in inputs.told["menu"]), None)
    found.near(f"{who}, arrival", call["arrived_at"].timestamp(), caller.answered, CLOCK_TOLERANCE_S)
    found.near(f"{who}, end", call["ended_at"].timestamp(), caller.ended, CLOCK_TOLERANCE_S)
    found.same(f"{who}, queue", call["queue"], queue)
    found.same(f"{who}, agent", call["agent"], agents[talked[-1].line] if talked else None)
    found.near(f"{who}, talk", call["talk_s"], sum(talk_s(one, caller) for one in talked), TALK_TOLERANCE_S)
    if talked:
        answered = talked[0].answered or math.nan
        found.near(f"{who}, answer", _epoch(call["answered_at"]), answered, CLOCK_TOLERANCE_S)
        found.near(f"{who}, wait", call["wait_s"], answered - _epoch(call["queued_at"]), CLOCK_TOLERANCE_S)
        by = "caller" if (caller.ended or 0) < (talked[-1].ended or math.inf) else "agent"
        found.same(f"{who}, ended by", call["ended_by"], by)
        found.same(f"{who}, disposition", call["disposition"], "answered")
    else:
        found.same(f"{who}, answered at", call["answered_at"], None)
        found.same(f"{who}, disposition", call["disposition"], "abandoned" if queue else "menu_ended")
    known = inputs.told["known_customers"].get(caller.line)
    for one in phones:
        if known and known not in one.name:
            found.append(f"{who}: phone {one.line} showed {one.name!r}, not {known}")


def _epoch(moment: Any) -> float:
    return float(moment.timestamp()) if moment is not None else math.nan


# -- events -------------------------------------------------------------------------------------------


def check_events(inputs: Inputs, pairs: dict[str, tuple[Row, Seen]], found: Differences) -> None:
    """The events of each call, counted against what phones and carrier saw."""
    events: dict[str, list[Row]] = defaultdict(list)
    for event in inputs.tables["call_event"]:
        events[event["call_id"]].append(event)
    found.same("calls with events", sorted(events), sorted(pairs))
    outcomes = pressed_outcomes(inputs, pairs)
    for call_id, (call, caller) in pairs.items():
        mine = events[call_id]
        kinds = Counter(event["kind"] for event in mine)
        steps = Counter(event["data"]["result"] for event in mine if event["kind"] == "menu_step")
        results = Counter(event["data"]["result"] for event in mine if event["kind"] == "offer_ended")
        phones = legs_of(inputs, caller)
        menu = inputs.told["menu"]
        wrong = sum(key not in menu for _, key in caller.keys)
        right = sum(key in menu for _, key in caller.keys)
        offered = [_epoch(event["at"]) for event in mine if event["kind"] == "offered"]
        held = [_epoch(event["at"]) for event in mine if event["kind"] == "holding"]
        in_line = sum(not any(0 <= at - since < AT_ONCE_S for at in offered) for since in held)
        expected = {
            "arrived": 1,
            "customer": int(caller.line in inputs.told["known_customers"]),
            "queued": right,
            "ended": 1,
            "abandoned": int(call["disposition"] == "abandoned"),
            "answered": sum(one.answered is not None for one in phones),
            "ringing": sum(one.ringing is not None for one in phones),
            "dialled": len(phones),
            "offered": call["offers"],
            "offer_ended": call["offers"],
            "holding": 1 + sum(results.values()) - results["talked"] - results["withdrawn"],
            # whoever gets in line is offered at once, or it is told why not, and how long he is to wait
            "waiting": in_line,
            "estimated": int(in_line > 0),
            "outcome": len(outcomes.get(call_id, ())),
            # the flow's beginning, and what came of each time that the menu asked
            "menu_step": 1 + wrong + right + inputs.told["menu_time_outs"].get(caller.line, 0),
        }
        for kind in sorted({*kinds, *expected}):
            found.same(
                f"call {call_id} of {caller.line}, events {kind!r}", kinds[kind], expected.get(kind, 0)
            )
        found.same(f"call {call_id}, wrong keys", steps["invalid"], wrong)
        offers = [event["data"] for event in mine if event["kind"] == "offered"]
        for leg, offer in zip(phones, [one for one in offers if _was_dialled(mine, one)], strict=False):
            found.same(
                f"call {call_id}, offer {offer['offer']}", offer["agent"], inputs.told["agents"][leg.line]
            )


def _was_dialled(events: list[Row], offer: Row) -> bool:
    return any(one["kind"] == "dialled" and one["data"]["offer"] == offer["offer"] for one in events)


def check_agents(inputs: Inputs, found: Differences) -> None:
    """Each agent's intervals are his events' gaps, and his state is his last event's."""
    expected: set[tuple[Any, ...]] = set()
    last: dict[str, tuple[Any, Row]] = {}
    for event in inputs.tables["agent_event"]:
        agent, at = event["agent"], event["at"]
        if agent in last:
            since, before = last[agent]
            at = max(at, since)
            if event["state"] == "offered" and before["state"] != "available":
                found.append(
                    f"agent {agent} is offered a call at {at} while {before['state']}, not available"
                )
            if at > since:
                expected.add((agent, since, at, before["state"], before["reason"]))
        last[agent] = at, event
    intervals = {
        (row["agent"], row["started_at"], row["ended_at"], row["state"], row["reason"])
        for row in inputs.tables["agent_interval"]
    }
    for one in sorted(intervals ^ expected, key=str):
        where = "an interval without its events" if one in intervals else "events without their interval"
        found.append(f"agent {one[0]}: {where}, {one[3]} from {one[1]} to {one[2]}")
    found.same(
        "agents' states",
        sorted((row["agent"], row["state"]) for row in inputs.tables["agent_state"]),
        sorted((agent, event["state"]) for agent, (_, event) in last.items()),
    )
    # the phones' own account of who was called, and who talked
    for state, kind in (("offered", "invited"), ("talking", "answered")):
        ours = Counter(row["agent"] for row in inputs.tables["agent_event"] if row["state"] == state)
        theirs = Counter(inputs.told["agents"][one.line] for one in inputs.rung if getattr(one, kind))
        found.same(f"agents {state}", sorted(ours.items()), sorted(theirs.items()))


# -- tickets and customers ----------------------------------------------------------------------------


def pressed_outcomes(inputs: Inputs, pairs: dict[str, tuple[Row, Seen]]) -> dict[str, list[str]]:
    """By call: the outcomes its agent keyed, on the line after the caller's end or as a code of his own."""
    told, keyed = inputs.told, defaultdict(list)
    by_caller = {caller.line: call_id for call_id, (_, caller) in pairs.items()}
    for phone in inputs.rung:
        for _, digit in phone.keys:
            if phone.shown in by_caller:
                keyed[by_caller[phone.shown]].append(told["outcomes"].get(digit, f"key {digit}"))
    dialled: dict[str, list[str]] = defaultdict(list)
    for row in inputs.cdr_file:
        if row["Destination"].startswith("*7"):
            phone_number = row["Channel"].removeprefix("PJSIP/").partition("-")[0]
            dialled[phone_number].append(told["outcomes"].get(row["Destination"][2:], row["Destination"]))
    for code in sorted(inputs.codes, key=lambda one: one.answered or 0):
        # the last caller before the code whom this phone talked with
        before = [
            one
            for one in inputs.rung
            if one.line == code.line and (one.ended or math.inf) < (code.answered or 0)
        ]
        talked = max((one for one in before if one.answered), key=lambda one: one.answered or 0, default=None)
        if talked is not None and talked.shown in by_caller and dialled[code.line]:
            keyed[by_caller[talked.shown]].append(dialled[code.line].pop(0))
    return keyed


def check_tickets(inputs: Inputs, pairs: dict[str, tuple[Row, Seen]], found: Differences) -> None:
    keyed = pressed_outcomes(inputs, pairs)
    tickets = {row["call_id"]: row for row in inputs.tables["ticket"]}
    found.same("calls with a ticket", sorted(tickets), sorted(pairs))
    for call_id, ticket in tickets.items():
        outcomes = keyed.get(call_id, [])
        expected = (outcomes[-1], True) if outcomes else ("open", False)
        found.same(f"ticket of {call_id}", (ticket["state"], ticket["outcome_set"]), expected)
        if call_id in pairs:
            call, _ = pairs[call_id]
            for column in ("agent", "queue", "customer_id"):
                found.same(f"ticket of {call_id}, {column}", ticket[column], call[column])


def check_customers(inputs: Inputs, pairs: dict[str, tuple[Row, Seen]], found: Differences) -> None:
    known = inputs.told["known_customers"]
    numbers = {one.line for one in inputs.callers if one.line != "anonymous"}
    customers = {row["id"]: row for row in inputs.tables["customer"]}
    of_number = {row["e164"]: row["customer_id"] for row in inputs.tables["phone_number"]}
    found.same("numbers", sorted(of_number), sorted(numbers | set(known)))
    found.same("customers", sorted(customers), sorted(set(of_number.values())))
    made = sorted(
        number for number, one in of_number.items() if customers.get(one, {}).get("created_by_call")
    )
    found.same("customers made by calls", made, sorted(numbers - set(known)))
    for number, name in known.items():
        found.same(f"customer of {number}", customers.get(of_number.get(number), {}).get("name"), name)
    for call_id, (call, caller) in pairs.items():
        found.same(f"call {call_id}, customer", call["customer_id"], of_number.get(caller.line))


# -- CDRs ---------------------------------------------------------------------------------------------

CDR_FIELDS = [
    "Destination",
    "Channel",
    "DestinationChannel",
    "LastApplication",
    "StartTime",
    "AnswerTime",
    "EndTime",
    "Duration",
    "BillableSeconds",
    "Disposition",
]


def check_cdrs(inputs: Inputs, pairs: dict[str, tuple[Row, Seen]], found: Differences) -> None:
    """Row for row, once each; and each call has the rows of its caller."""
    ours = {(row["uniqueid"], row["sequence"]): row for row in inputs.tables["cdr"]}
    party = {(row["uniqueid"], row["sequence"]): row["fields"] for row in inputs.tables["cdr_party"]}
    theirs = Counter((row["UniqueID"], int(row["sequence"])) for row in inputs.cdr_file)
    for key in sorted({*ours, *party, *theirs}):
        counts = int(key in ours), int(key in party), theirs[key]
        if counts != (1, 1, 1):
            found.append(
                f"CDR {key}: {counts[0]} in cdr, {counts[1]} in cdr_party, {counts[2]} in Asterisk's file"
            )
    for line in inputs.cdr_file:
        key = line["UniqueID"], int(line["sequence"])
        if key in ours:
            found.same(f"CDR {key}, linkedid", ours[key]["linkedid"], line["linkedid"])
            both = ours[key]["fields"] | party.get(key, {})
            for name in CDR_FIELDS:
                found.same(f"CDR {key}, {name}", both.get(name, ""), line[name])
    sources = {
        row["linkedid"]: row["Source"] for row in inputs.cdr_file if row["UniqueID"] == row["linkedid"]
    }
    for call_id, (_, caller) in pairs.items():
        found.same(f"call {call_id}, the caller in Asterisk's file", caller.line, sources.get(call_id))


# -- recordings, log and summary ----------------------------------------------------------------------


def check_talks(inputs: Inputs, pairs: dict[str, tuple[Row, Seen]], found: Differences) -> None:
    """A recording for each talk, and none besides."""
    talks = sorted(
        (call_id, inputs.told["agents"][one.line])
        for call_id, (_, caller) in pairs.items()
        for one in legs_of(inputs, caller)
        if one.answered
    )
    rows = inputs.tables["recording"]
    found.same("recordings", sorted((row["call_id"], row["agent"]) for row in rows), talks)
    found.same("recordings that are not ready", sorted({row["state"] for row in rows} - {"ready"}), [])


def check_log(inputs: Inputs, found: Differences) -> int:
    """The daemon's own log holds no error; returns the oddities in it."""
    oddities = 0
    for text in Path(inputs.told["daemon_log"]).read_text().splitlines():
        line = json.loads(text) if text.startswith("{") else {"level": "error", "event": text}
        oddities += line.get("event") == "oddity"
        if line.get("level") in ("error", "critical"):
            found.append(f"the daemon's log: {text}")
    found.same("records that the database refused", len(inputs.tables["ship_reject"]), 0)
    return oddities


def check_summary(inputs: Inputs, verified: int, oddities: int, found: Differences) -> None:
    summary = json.loads(Path(inputs.told["summary"]).read_text())
    answered = {one.shown for one in inputs.rung if one.answered}
    numbers = {one.line for one in inputs.callers} - {"anonymous"}
    expected = {
        "calls_placed": len(inputs.callers),
        "calls_answered": len(answered),
        "calls_abandoned": len({one.line for one in inputs.callers} - answered),
        "cdrs": len(inputs.cdr_file),
        "customers_created": len(numbers - set(inputs.told["known_customers"])),
        "tickets": len(inputs.callers),
        "recordings": sum(one.answered is not None for one in inputs.rung),
        "recordings_verified": verified,
        "oddities": oddities,
    }
    for name, value in expected.items():
        if summary[name] != value:
            found.append(f"summary.json, {name}: it says {summary[name]}, the others say {value}")


def check_written(inputs: Inputs) -> Differences:
    """All differences in what is written, the sound files aside."""
    found = Differences()
    pairs = check_calls(inputs, found)
    check_events(inputs, pairs, found)
    check_agents(inputs, found)
    check_tickets(inputs, pairs, found)
    check_customers(inputs, pairs, found)
    check_cdrs(inputs, pairs, found)
    check_talks(inputs, pairs, found)
    return found


def check(inputs: Inputs) -> Differences:
    """All differences."""
    found = check_written(inputs)
    check_heard(inputs, found)
    verified = check_recordings(inputs, found)
    check_summary(inputs, verified, check_log(inputs, found), found)
    return found


def main(path: str) -> int:
    inputs = read(Path(path))
    found = check(inputs)
    for difference in found:
        print(difference)
    if found:
        print(f"{len(found)} differences")
        return 1
    talked = sum(one.answered is not None for one in inputs.rung)
    print(
        f"all agrees: {len(inputs.callers)} calls, {talked} talks, {len(inputs.cdr_file)} CDRs, no difference"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
