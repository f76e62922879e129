"""Does what ccbridge wrote down agree with what the phones, the carrier, Asterisk and the recordings say?

    python tests/verify_demo.py var/demo/inputs.json

Nothing of ccbridge is imported: the second Asterisk's own log of its phones and callers, the keys that they
pressed, the PBX's CDR file, the sound files and plain SQL are read, and everything that can be known from
these is worked out anew. Every difference is one line; exit code 1 if there is one, else 0.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import sys
import wave
from array import array
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cache
from operator import mul
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

RATE, FRAME = 8000, 160
TALK_TOLERANCE_S = 0.25
CLOCK_TOLERANCE_S = 1.0
SILENCE = 100  # mean amplitude of a frame
SHARE = 1 / 3  # of a frame's energy
MOSTLY = 0.8  # of a file's frames
# Asterisk skips tones and frames on a machine that is busy with other things: so much of a talk must be there.
HEARD = 0.3

TABLES = {
    "call": "arrived_at",
    "call_opened": "arrived_at",
    "call_event": "seq",
    "agent_event": "seq",
    "agent_state": "agent",
    "agent_interval": "started_at",
    "customer": "id",
    "phone_number": "e164",
    "ticket": "opened_at",
    "cdr": "sequence",
    "cdr_party": "sequence",
    "recording": "started_at",
    "ship_reject": "seq",
}
Row = dict[str, Any]


@dataclass
class Seen:
    """A channel of the second Asterisk: a caller, a phone that was rung, or a phone that dialled a code."""

    id: str
    line: str = ""  # a phone's number, a caller's number
    shown: str = ""  # the caller's number on a phone's display
    name: str = ""  # the name there
    invited: float | None = None
    ringing: float | None = None
    answered: float | None = None
    ended: float | None = None
    keys: list[tuple[float, str]] = field(default_factory=list)


@dataclass
class Inputs:
    """What `inputs.json` says, and what lies where it says."""

    told: dict[str, Any]
    callers: list[Seen]
    rung: list[Seen]
    codes: list[Seen]
    cdr_file: list[Row]
    tables: dict[str, list[Row]]


class Differences(list[str]):
    """Every one is told; none stops the search for others."""

    def same(self, what: str, ours: object, theirs: object) -> None:
        """``ours``: what the database says. ``theirs``: everybody else."""
        if ours != theirs:
            self.append(f"{what}: the database says {ours}, the others say {theirs}")

    def near(self, what: str, ours: float | None, theirs: float | None, tolerance: float) -> None:
        if ours is None or theirs is None or not abs(ours - theirs) <= tolerance:
            self.append(f"{what}: the database says {ours}, the others say {theirs}")


# -- reading ------------------------------------------------------------------------------------------


def read(path: Path) -> Inputs:
    told = json.loads(path.read_text())
    seen = _channels(Path(told["outside_log"]), Path(told["pressed_log"]))
    callers = [one for one in seen if one.id.startswith("call-") and one.answered]
    codes = [one for one in seen if one.id.startswith("dial-") and one.answered]
    rung = [one for one in seen if one.invited]
    with psycopg.connect(told["database_url"], row_factory=dict_row) as db:
        db.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        tables = {
            name: db.execute(f"SELECT * FROM {name} ORDER BY {order}").fetchall()  # type: ignore[arg-type]
            for name, order in TABLES.items()
        }
    return Inputs(told, callers, rung, codes, _cdrs(Path(told["cdr_csv"])), tables)


def _channels(log: Path, pressed: Path) -> list[Seen]:
    seen: dict[str, Seen] = {}
    with log.open(newline="") as file:
        for at, kind, _, uniqueid, _, number, name, _, _, extra in csv.reader(file):
            one = seen.setdefault(uniqueid, Seen(uniqueid))
            line = json.loads(extra).get("extra", "").partition("|")[0] if extra else ""
            if kind == "INVITED":
                one.invited, one.line, one.shown, one.name = float(at), line, number, name
            elif kind == "RINGING":
                one.ringing = float(at)
            elif kind == "ANSWER":
                one.answered = float(at)
            elif kind == "CONNECTED":
                one.line = line
            elif kind == "HANGUP":
                one.ended = float(at)
    with pressed.open(newline="") as file:
        for at, uniqueid, _, digit in csv.reader(file):
            seen[uniqueid].keys.append((float(at), digit))
    return list(seen.values())


CDR_COLUMNS = (
    "clid Source Destination DestinationContext Channel DestinationChannel LastApplication LastData StartTime"
    " AnswerTime EndTime Duration BillableSeconds Disposition AMAFlags AccountCode UniqueID UserField linkedid"
    " sequence peeraccount"
).split()


def _cdrs(path: Path) -> list[Row]:
    with path.open(newline="") as file:
        return [dict(zip(CDR_COLUMNS, row, strict=True)) for row in csv.reader(file)]


# -- calls --------------------------------------------------------------------------------------------


def number_of(call: Row) -> str:
    """The caller, as the carrier knows him."""
    return call["caller_e164"] or "anonymous"


def legs_of(inputs: Inputs, caller: Seen) -> list[Seen]:
    """The phones that were rung for this caller."""
    return sorted((one for one in inputs.rung if one.shown == caller.line), key=lambda one: one.invited or 0)


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
    found.near(f"{who}, talk", call["talk_s"], sum(_talk(one, caller) for one in talked), TALK_TOLERANCE_S)
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


def _talk(phone: Seen, caller: Seen) -> float:
    """Both on the line, by the second Asterisk's clock."""
    return min(phone.ended or math.inf, caller.ended or math.inf) - (phone.answered or math.inf)


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
            "outcome": len(outcomes.get(call_id, ())),
            "menu_step": wrong + right + inputs.told["menu_time_outs"].get(caller.line, 0),
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
    """By call: the outcomes that its agent keyed, on the line after the caller's end or as a code of his own."""
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

CDR_FIELDS = (
    "Destination Channel DestinationChannel LastApplication StartTime AnswerTime EndTime Duration"
    " BillableSeconds Disposition"
).split()


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


# -- sound --------------------------------------------------------------------------------------------


def check_heard(inputs: Inputs, found: Differences) -> None:
    """Both heard each other: what each one received was written down on his side."""
    heard, told = Path(inputs.told["heard"]), inputs.told
    for caller in inputs.callers:
        for phone in (one for one in legs_of(inputs, caller) if one.answered):
            talk_s = _talk(phone, caller)
            for listener, hz in (
                (phone, told["caller_tones"][caller.line]),
                (caller, told["phone_tones"][phone.line]),
            ):
                (data,) = _channels_of(heard / f"{listener.id}.wav")
                seconds = sum(_frames(data, hz)) * FRAME / RATE
                if seconds < HEARD * talk_s:
                    found.append(
                        f"{listener.line} heard {hz} Hz for {seconds:.2f} s of a talk of {talk_s:.2f} s"
                    )


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


def check_recordings(inputs: Inputs, found: Differences) -> int:
    """Each side's tone is on its own channel; returns how many files are as they should be."""
    told, good = inputs.told, 0
    calls = {row["call_id"]: row for row in inputs.tables["call"]}
    phones = {agent: phone for phone, agent in told["agents"].items()}
    for row in inputs.tables["recording"]:
        call = calls.get(row["call_id"])
        if call is None or row["state"] != "ready":
            continue
        before = len(found)
        _check_recording(
            Path(told["recordings"]) / f"{row['path']}.wav",
            row,
            told["caller_tones"][number_of(call)],
            told["phone_tones"][phones[row["agent"]]],
            call["talk_s"],
            found,
        )
        good += len(found) == before
    return good


def _check_recording(
    path: Path, row: Row, caller: int, agent: int, talk_s: float, found: Differences
) -> None:
    if not path.is_file():
        found.append(f"recording {path} is not there")
        return
    sides = _channels_of(path)
    if len(sides) != 2:
        found.append(f"recording {path.name} has {len(sides)} channels")
        return
    for side, data, mine, other in (("left", sides[0], caller, agent), ("right", sides[1], agent, caller)):
        frames = len(data) // FRAME
        part = sum(_frames(data, mine)) / max(1, frames)
        strange = sum(_frames(data, other))
        if part < MOSTLY or strange:
            found.append(
                f"recording {path.name}, {side}: {part:.0%} of it holds {mine} Hz, {strange} frames hold {other} Hz"
            )
    found.near(f"recording {path.name}, length", row["duration_s"], len(sides[0]) / RATE, 0.001)
    length = len(sides[0]) / RATE
    if not HEARD * talk_s < length < talk_s + TALK_TOLERANCE_S:
        found.append(f"recording {path.name} is {length:.2f} s long, the talk was {talk_s:.2f} s")
    found.same(f"recording {path.name}, bytes", row["bytes"], path.stat().st_size)
    found.same(f"recording {path.name}, hash", row["sha256"], hashlib.sha256(path.read_bytes()).hexdigest())


def _channels_of(path: Path) -> list[array[int]]:
    """The samples of each channel of a 16-bit WAV file of 8 kHz."""
    with wave.open(str(path), "rb") as sound:
        if (sound.getframerate(), sound.getsampwidth()) != (RATE, 2):
            raise ValueError(f"{path} is not 16 bit at {RATE} Hz")
        data = array("h", sound.readframes(sound.getnframes()))
        if sys.byteorder == "big":
            data.byteswap()
        count = sound.getnchannels()
    return [data[index::count] for index in range(count)]


def _frames(data: array[int], hz: float) -> list[bool]:
    """Per 20 ms, whether the tone has at least a third of the energy: one bin of a Fourier transform."""
    cosines, sines = _wave(hz)
    found = []
    for start in range(0, len(data) - FRAME + 1, FRAME):
        frame = data[start : start + FRAME]
        energy = sum(map(mul, frame, frame))
        if energy < SILENCE * SILENCE * FRAME:
            found.append(False)
            continue
        real, imaginary = sum(map(mul, frame, cosines)), sum(map(mul, frame, sines))
        found.append(2 * (real * real + imaginary * imaginary) / (FRAME * energy) > SHARE)
    return found


@cache
def _wave(hz: float) -> tuple[list[float], list[float]]:
    angles = [2 * math.pi * hz * n / RATE for n in range(FRAME)]
    return [math.cos(angle) for angle in angles], [math.sin(angle) for angle in angles]


# -- the rest -----------------------------------------------------------------------------------------


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
