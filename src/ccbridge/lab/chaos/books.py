"""The books as a whole: journal, database, recordings and the daemon's log agree, with nothing twice."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING

from ccbridge.lab.chaos.evidence import Evidence, Row, by
from ccbridge.lab.chaos.plan import PBX_KILLED

if TYPE_CHECKING:
    from ccbridge.lab.chaos.report import Verdict

#: errors in the daemon's log that say what the faults are about
TOLD_OF_FAULTS = {
    "journal_not_written",
    "journal_rotation_failed",
    "journal_boot_not_noted",
    "journal.fault",
    "inputs_not_written",
}
#: the PBX died while it wrote the files of a recording, give or take
NEAR_S = 1.0


def check(evidence: Evidence, found: Verdict) -> None:
    """Add to the verdict what is wrong."""
    _journal(evidence.journal, found)
    _database(evidence, found)
    _recordings(evidence, found)
    _daemon(evidence, found)


def _journal(journal: list[Row], found: Verdict) -> None:
    numbers = [record["seq"] for record in journal]
    if numbers != list(range(1, len(numbers) + 1)):
        jumps = [f"{one} to {two}" for one, two in itertools.pairwise([0, *numbers]) if two != one + 1]
        found.unexplained.append(f"journal: seq is not 1, 2, 3 ...: {', '.join(jumps[:5])}")
    found.counts["journal records"] = len(numbers)
    kinds = by(journal, lambda record: record["t"])
    for kind in ("call_opened", "call_closed"):
        often = Counter(record["call"] for record in kinds.get(kind, ()))
        found.twice += [
            f"journal: {kind} of {call} {count} times" for call, count in often.items() if count > 1
        ]
    events = by(kinds.get("call_event", ()), lambda record: record["kind"])
    offers = [Counter(e["data"]["offer"] for e in events.get(k, ())) for k in ("offered", "offer_ended")]
    tapes = [
        Counter(record["offer"] for record in kinds.get(kind, ()))
        for kind in ("recording_started", "recording_ended")
    ]
    for what, (begun, ended) in (("offer", offers), ("recording of offer", tapes)):
        found.unexplained += [f"{what} {offer}: begun and not ended" for offer in begun - ended]
        found.twice += [f"{what} {offer}: ended more often than begun" for offer in ended - begun]


def _database(evidence: Evidence, found: Verdict) -> None:
    tables, journal = evidence.tables, evidence.journal
    closed = Counter(record["call"] for record in journal if record["t"] == "call_closed")
    # ten minutes later the jobs open tickets for calls that the daemon never saw, one each
    unseen = Counter({row["call_id"] for row in tables["call_account"]} - set(closed))
    for table, known in (("call", closed), ("ticket", closed + unseen)):
        kept = Counter(row["call_id"] for row in tables[table])
        found.unexplained += [f"{table}: none for {call}, which the journal has" for call in closed - kept]
        found.twice += [f"{table}: one too many for {call}" for call in kept - known]
    for table in ("call_event", "agent_event"):
        told = [record["seq"] for record in journal if record["t"] == table]
        if [row["seq"] for row in tables[table]] != told:
            found.unexplained.append(f"{table}: {len(told)} in the journal, not the same in the database")
    found.unexplained += [f"refused by the database: {row['error']}" for row in tables["ship_reject"]]
    deaths = sum(one.fault.kind == PBX_KILLED for one in evidence.happened)
    # a line in each of its two files may be what the PBX was writing when it died
    if len(tables["file_reject"]) > 2 * deaths:
        found.unexplained += [f"refused of Asterisk's files: {row['error']}" for row in tables["file_reject"]]
    found.unexplained += [f"still open: {row['call_id']}" for row in tables["call_opened"]]
    cdrs = Counter((row["uniqueid"], row["sequence"]) for row in tables["cdr"])
    found.counts["CDRs in Asterisk's file"] = evidence.cdrs.total()
    found.unexplained += [f"CDR {key}: not in the database" for key in evidence.cdrs - cdrs]
    found.twice += [f"CDR {key}: more often than Asterisk wrote it" for key in cdrs - evidence.cdrs]


def _recordings(evidence: Evidence, found: Verdict) -> None:
    calls = {row["call_id"] for row in evidence.tables["call"]}
    deaths = [one.at for one in evidence.happened if one.fault.kind == PBX_KILLED]
    for row in evidence.tables["recording"]:
        found.counts[f"recordings {row['state']}"] += 1
        what = f"recording {row['path']}"
        if row["call_id"] not in calls:
            found.unexplained.append(f"{what}: of no call")
        if row["state"] == "ready" and row["path"] not in evidence.recordings:
            found.unexplained.append(f"{what}: no such file")
        if row["state"] == "failed":
            start, end = row["started_at"].timestamp() - NEAR_S, row["ended_at"].timestamp() + NEAR_S
            if not any(start <= death <= end for death in deaths):
                found.unexplained.append(f"{what}: {row['error']}")


def _daemon(evidence: Evidence, found: Verdict) -> None:
    found.unexplained += [f"the daemon ended by itself, exit code {code}" for code in evidence.unasked_ends]
    for line in evidence.log:
        if line.get("event") == "oddity":
            found.oddities.append(_plain(line))
        elif line.get("level") in ("error", "critical") and line.get("event") not in TOLD_OF_FAULTS:
            found.unexplained.append(f"the daemon's log: {_plain(line)}")
    if evidence.other:
        found.unexplained.append(
            f"the daemon's log: {len(evidence.other)} lines that are none: {evidence.other[-1]}"
        )


def _plain(line: Row) -> str:
    return ", ".join(f"{key}={value}" for key, value in line.items() if key not in ("level", "logger"))
