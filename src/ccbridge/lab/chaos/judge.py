"""The judge: what the carrier and the phones saw, held against what ccbridge wrote down.

The carrier's and the phones' own log says who hung up first, who rang where and who talked with whom for how
long; PostgreSQL must hold one account of each call that fits it. Nothing is forgiven because of a fault but
what a fault makes unknowable: a moment that went by while the daemon was dead, frozen or without its link may
be written down as late as it saw the PBX again, and then the account has to say so (`inferred`).
"""

import asyncio
import itertools
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from ccbridge.control.client import DaemonAway
from ccbridge.lab.chaos import evidence
from ccbridge.lab.chaos.evidence import Row, Seen, by
from ccbridge.lab.chaos.faults import Happened
from ccbridge.lab.chaos.house import AGENTS, House
from ccbridge.lab.chaos.load import Placed
from ccbridge.lab.chaos.plan import DAEMON_FROZEN, DAEMON_KILLED, LINK_CUT, LINK_FROZEN, PBX_KILLED
from ccbridge.lab.demo_account import UNSETTLED, Account

#: until rows, recordings and agents rest; a recording that a dead PBX never wrote is given up after 60 s
SETTLE_LIMIT_S = 100.0
#: of two moments that are one, a network apart
CLOCK_S = 1.0
TALK_S = 0.25
#: the agent hangs up, and the PBX lets his caller go
LETS_GO_S = 2.0
#: after a fault: what was missed is seen, worked through and written down
CATCHES_UP_S = 2.0
#: a daemon that could not reach the PBX may take so long to try again
RELOGIN_S = 15.0
PHONES = set(AGENTS.values())


@dataclass
class Case:
    """What a run was: `begun` is the seconds since the epoch when the daemon was started first."""

    house: House
    placed: list[Placed]
    happened: list[Happened]
    begun: float


@dataclass
class Verdict:
    """The four numbers, and what stands behind them; lists hold one sentence each."""

    calls: int = 0
    by_end: Counter[str] = field(default_factory=Counter)
    inferred: int = 0
    cut_off: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)
    oddities: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def accounted(self) -> int:
        return sum(self.by_end.values())

    @property
    def good(self) -> bool:
        found = (self.cut_off, self.twice, self.unexplained, self.oddities)
        return not any(found) and self.calls == self.accounted


async def settled(house: House) -> str:
    """Until nothing is under way any more; what still is after SETTLE_LIMIT_S, or ""."""
    account = Account(house.database.admin_url)
    deadline = time.monotonic() + SETTLE_LIMIT_S
    while True:
        try:
            status = await asyncio.to_thread(house.daemon.must, "status")
            agents = await asyncio.to_thread(house.daemon.must, "agent.list")
        except DaemonAway as away:
            missing = [str(away)]
        else:
            rows = (await asyncio.to_thread(account.rows, UNSETTLED))[0]
            missing = [
                f"{what} {count}"
                for what, count in {
                    "calls live:": status["calls"]["total"],
                    "records to ship:": status["ship_lag_records"],
                    "calls open in the database:": rows["open"],
                    "recordings unfinished:": rows["unfinished"],
                }.items()
                if count
            ]
            missing += [
                f"{row['agent']} is {row['state']} ({row['reason']})"
                for row in agents
                if row["agent"] in AGENTS and row["state"] != "available"
            ]
        if not missing or time.monotonic() > deadline:
            return "; ".join(missing)
        await asyncio.sleep(0.5)


def judge(case: Case, missing: str) -> Verdict:
    """Blocking; the daemon may still run, but nothing happens any more."""
    return _Judge(case).all(missing)


class _Judge:
    def __init__(self, case: Case) -> None:
        house = case.house
        self.case = case
        self.found = Verdict()
        seen = evidence.channels(house.lab.outside.log / "cel-custom" / "outside.csv")
        self.callers = {one.id: one for one in seen if one.caller}
        self.rung = by((one for one in seen if one.invited), lambda one: one.shown)
        self.tables = evidence.tables(house.database.admin_url)
        self.events = by(self.tables["call_event"], lambda row: row["call_id"])
        self.journal = evidence.journal(house.journal)
        self.log, self.other = evidence.log_lines(house.daemon.log)
        self.blind = _blind(
            case.happened, [evidence.moment(x) for x in self.log if x.get("event") == "pbx.up"]
        )
        self.deaths = [one.at for one in case.happened if one.fault.kind == PBX_KILLED]

    def all(self, missing: str) -> Verdict:
        found = self.found
        if missing:
            found.unexplained.append(f"not at rest {SETTLE_LIMIT_S:.0f} s after the last call: {missing}")
        accounts = by(self.tables["call"], lambda row: row["caller_raw"])
        for placed in self.case.placed:
            self._call(placed, accounts.pop(placed.journey.number, []))
        for number, rows in accounts.items():
            found.unexplained += [f"account {row['call_id']} of {number}: nobody called" for row in rows]
        self._phones()
        self._journal()
        self._database()
        self._daemon()
        return found

    # -- one call

    def _call(self, placed: Placed, accounts: list[Row]) -> None:
        found = self.found
        seen = self.callers.get(placed.call.id)
        who = f"caller {placed.journey.number}"
        if seen is None or seen.answered is None:
            # the PBX was dead, or died while it took the call
            found.counts["calls that the PBX never took"] += 1
            if accounts:
                found.counts["of these, accounted for nevertheless"] += 1
            return
        found.calls += 1
        if len(accounts) > 1:
            found.twice.append(f"{who}: accounts {', '.join(row['call_id'] for row in accounts)}")
        legs = self.rung.get(placed.journey.number, [])
        died = placed.pbx_died is not None
        if not accounts:
            found.unexplained.append(f"{who}: no account; {_story(seen, legs)}")
            if not died and not seen.hung_up and not _let_go_by_phone(seen, legs):
                found.cut_off.append(f"{who}: {_story(seen, legs)}")
            return
        account = accounts[0]
        found.by_end[account["disposition"]] += 1
        found.inferred += account["inferred"]
        who += f", call {account['call_id']}"
        if not died and not seen.hung_up and not self._let_go(account, seen, legs):
            found.cut_off.append(f"{who}: {account['disposition']}, but {_story(seen, legs)}")
        self._times(who, account, seen, legs, died)

    def _let_go(self, account: Row, seen: Seen, legs: list[Seen]) -> bool:
        """Whether the PBX had a reason to hang up: the agent did, the menu's good-bye, or he had left us."""
        if _let_go_by_phone(seen, legs) or account["disposition"] in ("overflowed", "left"):
            return True
        steps = [e["data"] for e in self.events.get(account["call_id"], ()) if e["kind"] == "menu_step"]
        return bool(steps) and steps[-1]["result"] == "hangup" and account["disposition"] == "menu_ended"

    def _times(self, who: str, account: Row, seen: Seen, legs: list[Seen], died: bool) -> None:
        wrong: list[str] = []
        arrived, ended = account["arrived_at"].timestamp(), account["ended_at"].timestamp()
        gone = account["disposition"] in ("overflowed", "left")  # no longer ours to watch
        if not self._same(arrived, seen.answered, account["inferred"]):
            wrong.append(f"arrived at {arrived:.2f}")
        if not gone and not died and not self._same(ended, seen.ended, account["inferred"]):
            wrong.append(f"ended at {ended:.2f}")
        talked = [leg for leg in legs if leg.line in PHONES and leg.answered]
        talk = sum(
            max(0.0, min(leg.ended or ended, seen.ended or ended) - (leg.answered or 0)) for leg in talked
        )
        if account["disposition"] == "answered":
            if not talked:
                wrong.append("answered, but no phone was")
            elif not died and abs(account["talk_s"] - talk) > TALK_S and not self._blind_in(talked, seen):
                wrong.append(f"talk {account['talk_s']:.2f} s, on the phone's clock {talk:.2f} s")
        elif talk > 2 * TALK_S and not gone and not (account["inferred"] and self._blind_in(talked, seen)):
            wrong.append(f"{account['disposition']}, but a phone talked with him for {talk:.2f} s")
        if account["disposition"] == "lost" and not account["inferred"]:
            wrong.append("lost, and not inferred")
        if wrong:
            self.found.unexplained.append(
                f"{who}: {'; '.join(wrong)}; {_story(seen, legs)}; {_told(account)}"
            )

    def _same(self, told: float, real: float | None, inferred: bool) -> bool:
        """The same moment; or an inferred one, while the daemon saw nothing, and told soon after."""
        if real is None:
            return False
        if abs(told - real) <= CLOCK_S:
            return True
        return inferred and any(
            start - CLOCK_S <= real <= end and start - CLOCK_S <= told <= end + CATCHES_UP_S
            for start, end in self.blind
        )

    def _blind_in(self, legs: list[Seen], seen: Seen) -> bool:
        """Whether a talk began or ended while the daemon saw nothing."""
        moments = [at for leg in legs for at in (leg.answered, leg.ended)] + [seen.ended]
        return any(at and start - CLOCK_S <= at <= end for at in moments for start, end in self.blind)

    # -- all of it

    def _phones(self) -> None:
        """No agent's phone is ever asked to take a second call."""
        rung = (leg for legs in self.rung.values() for leg in legs)
        for line, legs in by(rung, lambda leg: leg.line).items():
            if line not in PHONES:
                continue
            legs.sort(key=lambda leg: leg.invited)
            for one, two in itertools.pairwise(legs):
                if one.ended is None or two.invited < one.ended - 0.05:
                    self.found.unexplained.append(
                        f"phone {line}: rung for {two.shown} while in the call of {one.shown}"
                    )
        self.found.counts["phones rung"] = sum(map(len, self.rung.values()))

    def _journal(self) -> None:
        found, numbers = self.found, [record["seq"] for record in self.journal]
        if numbers != list(range(1, len(numbers) + 1)):
            holes = [two for one, two in itertools.pairwise(numbers) if two != one + 1]
            found.unexplained.append(f"journal: seq is not 1, 2, 3 ...: it jumps to {holes[:5]}")
        found.counts["journal records"] = len(numbers)
        kinds = by(self.journal, lambda record: record["t"])
        for kind in ("call_opened", "call_closed"):
            again = [k for k, n in Counter(record["call"] for record in kinds.get(kind, ())).items() if n > 1]
            found.twice += [f"journal: {kind} of {call} more than once" for call in again]
        events = kinds.get("call_event", [])
        ends = [
            Counter(e["data"]["offer"] for e in events if e["kind"] == k) for k in ("offered", "offer_ended")
        ]
        found.unexplained += [f"offer {offer}: not ended once" for offer in (ends[0] - ends[1])]
        found.twice += [f"offer {offer}: ended twice" for offer in (ends[1] - ends[0])]
        tapes = [
            Counter(record["offer"] for record in kinds.get(kind, ()))
            for kind in ("recording_started", "recording_ended")
        ]
        if tapes[0] != tapes[1]:
            found.unexplained.append(
                f"recordings begun and ended differ: {tapes[0] - tapes[1] + (tapes[1] - tapes[0])}"
            )

    def _database(self) -> None:
        found, tables = self.found, self.tables
        closed = Counter(record["call"] for record in self.journal if record["t"] == "call_closed")
        if Counter(row["call_id"] for row in tables["call"]) != closed:
            found.unexplained.append("the accounts of journal and database are not the same")
        if Counter(row["call_id"] for row in tables["ticket"]) != closed:
            found.unexplained.append("tickets and accounts do not belong together one by one")
        for table in ("call_event", "agent_event"):
            told = [record["seq"] for record in self.journal if record["t"] == table]
            if [row["seq"] for row in tables[table]] != told:
                found.unexplained.append(f"{table}: journal and database differ")
        found.unexplained += [f"refused by the database: {row['error']}" for row in tables["ship_reject"]]
        found.unexplained += [f"still open: {row['call_id']}" for row in tables["call_opened"]]
        written = Counter(evidence.cdr_keys(self.case.house.lab.pbx.cdr_csv))
        kept = Counter((row["uniqueid"], row["sequence"]) for row in tables["cdr"])
        found.counts["CDRs in Asterisk's file"] = written.total()
        found.counts["CDRs missing in the database"] = (written - kept).total()
        self._recordings()

    def _recordings(self) -> None:
        calls = {row["call_id"] for row in self.tables["call"]}
        for row in self.tables["recording"]:
            self.found.counts[f"recordings {row['state']}"] += 1
            what = f"recording {row['path']}"
            if row["call_id"] not in calls:
                self.found.unexplained.append(f"{what}: of no call")
            file = self.case.house.lab.recordings / f"{row['path']}.wav"
            if row["state"] == "ready" and not file.exists():
                self.found.unexplained.append(f"{what}: no such file")
            if row["state"] == "failed" and not self._near_death(row):
                self.found.unexplained.append(f"{what}: {row['error']}")

    def _near_death(self, row: Row) -> bool:
        """Whether the PBX died while it wrote the files."""
        start, end = row["started_at"].timestamp(), row["ended_at"].timestamp()
        return any(start - CLOCK_S <= death <= end + CLOCK_S for death in self.deaths)

    def _daemon(self) -> None:
        found = self.found
        found.unexplained += [
            f"the daemon ended by itself, exit code {code}" for code in self.case.house.unasked_ends
        ]
        for line in self.log:
            if line.get("event") == "oddity":
                found.oddities.append(_plain(line))
            elif line.get("level") in ("error", "critical") and line.get("event") not in TOLD_OF_FAULTS:
                found.unexplained.append(f"the daemon's log: {_plain(line)}")
            elif line.get("level") == "warning":
                found.counts[f"warnings: {line['event']}"] += 1
        if self.other:
            found.unexplained.append(
                f"the daemon's log: {len(self.other)} lines that are none: {self.other[-1]}"
            )


#: errors in the daemon's log that say what the faults are about
TOLD_OF_FAULTS = {
    "journal_not_written", "journal_rotation_failed", "journal_boot_not_noted", "journal.fault",
}  # fmt: skip


def _blind(happened: list[Happened], logins: list[float]) -> list[tuple[float, float]]:
    """When the daemon saw nothing of the PBX: from the fault on until it was logged in and had caught up."""
    spans = []
    for one in happened:
        if one.fault.kind not in (DAEMON_KILLED, DAEMON_FROZEN, LINK_CUT, LINK_FROZEN, PBX_KILLED):
            continue
        again = [at for at in logins if one.at <= at <= one.until + RELOGIN_S]
        spans.append((one.at, max([one.until, *again[:1]]) + CATCHES_UP_S))
    return spans


def _let_go_by_phone(seen: Seen, legs: list[Seen]) -> bool:
    """Whether a phone that he talked with hung up, and he was let go because of it."""
    return any(
        leg.hung_up and leg.answered and leg.ended and seen.ended
        and -0.5 <= seen.ended - leg.ended <= LETS_GO_S
        for leg in legs
    )  # fmt: skip


def _story(seen: Seen, legs: list[Seen]) -> str:
    """A call as carrier and phones saw it, seconds from its beginning."""
    start = seen.answered or seen.ended or 0.0

    def at(moment: float | None) -> str:
        return "-" if moment is None else f"{moment - start:.2f}"

    told = [
        f"the carrier saw {start:.2f} to {at(seen.ended)}, "
        f"hung up by {'the caller' if seen.hung_up else 'the PBX'}"
    ]
    told += [
        f"phone {leg.line} rang {at(leg.invited)}, talked {at(leg.answered)} to {at(leg.ended)}"
        f"{' (hung up there)' if leg.hung_up else ''}"
        for leg in legs
    ]
    return ", ".join(told)


def _told(account: Row) -> str:
    mark = ", inferred" if account["inferred"] else ""
    ended = account["ended_at"].timestamp()
    return f"account: {account['disposition']} by {account['ended_by']}{mark}, {ended:.2f}"


def _plain(line: dict[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in line.items() if key not in ("level", "logger"))
