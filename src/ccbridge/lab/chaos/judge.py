"""The judge: what the carrier and the phones saw, held against what ccbridge wrote down.

The carrier's and the phones' own log says who hung up first, who rang where and who talked with whom for how
long; PostgreSQL must hold one account of each call that fits it. Nothing is forgiven because of a fault but
what a fault makes unknowable: a moment that went by while the daemon was dead, frozen or without its link may
be written down as late as it saw the PBX again, and then the account has to say so (`inferred`). By as much
as the machine itself stood still about a moment, Asterisk's own clocks may be off, and so may the account.
"""

from __future__ import annotations

from ccbridge.lab.chaos import books
from ccbridge.lab.chaos.evidence import Caller, Evidence, Row, Seen, by, moment
from ccbridge.lab.chaos.faults import Happened
from ccbridge.lab.chaos.house import AGENTS, FALLBACK_PHONE
from ccbridge.lab.chaos.plan import DAEMON_FROZEN, DAEMON_KILLED, LINK_CUT, LINK_FROZEN, PBX_KILLED
from ccbridge.lab.chaos.report import Verdict
from ccbridge.lab.machine import NEAR_S, worst

#: of two moments that are one, a network apart
CLOCK_S = 1.0
#: Asterisk stamps an AMI event when it tells it, on a busy machine late: by 0.35 s was seen
TALK_S = 0.5
#: the agent hangs up, and the PBX lets his caller go
LETS_GO_S = 2.0
#: after a fault: what was missed is seen, worked through and written down
CATCHES_UP_S = 2.0
#: a stall that is told of: half of what a talk may be off
LONG_STALL_S = 0.25
#: a daemon that could not reach the PBX may take so long to try again
RELOGIN_S = 15.0
PHONES = set(AGENTS.values())
Span = tuple[float, float]


def judge(evidence: Evidence) -> Verdict:
    """Everything: each call, and the books as a whole."""
    verdict = Verdict()
    _Calls(evidence, verdict).all()
    books.check(evidence, verdict)
    return verdict


class _Calls:
    def __init__(self, evidence: Evidence, verdict: Verdict) -> None:
        self.evidence = evidence
        self.found = verdict
        self.rung = by(evidence.rung, lambda leg: leg.shown)
        self.events = by(evidence.tables["call_event"], lambda row: row["call_id"])
        logins = [moment(line) for line in evidence.log if line.get("event") == "pbx.up"]
        self.blind = blind(evidence.happened, logins)

    def all(self) -> None:
        accounts = by(self.evidence.tables["call_account"], lambda row: row["caller_raw"])
        for caller in self.evidence.callers:
            self._call(caller, accounts.pop(caller.number, []))
        for number, rows in accounts.items():
            self.found.unexplained += [f"account {row['call_id']} of {number}: nobody called" for row in rows]
        self._phones()
        long = [late for _, late in self.evidence.stalls if late > LONG_STALL_S]
        self.found.counts[f"times that the machine itself stood still for {LONG_STALL_S:g} s or more"] = len(
            long
        )

    def _call(self, caller: Caller, accounts: list[Row]) -> None:
        found, seen, who = self.found, caller.seen, f"caller {caller.number}"
        if seen is None or seen.answered is None:
            # the PBX was dead, or died while it took the call
            found.counts["calls that the PBX never took"] += 1
            found.counts["calls that the PBX never took, with an account"] += bool(accounts)
            return
        found.calls += 1
        if len(accounts) > 1:
            found.twice.append(f"{who}: accounts {', '.join(row['call_id'] for row in accounts)}")
        legs = self.rung.get(caller.number, [])
        story = _story(seen, legs)
        account = accounts[0] if accounts else None
        if caller.pbx_died is None and not seen.hung_up and not self._let_go(account, seen, legs):
            found.cut_off.append(f"{who}: {story}; {_told(account)}")
        if account is None:
            found.unexplained.append(f"{who}: no account; {story}")
            return
        found.by_end[account["disposition"]] += 1
        found.sources[account["source"]] += 1
        wrong = [*self._wrong_times(account, caller, seen), *self._wrong_talk(account, caller, seen, legs)]
        if wrong:
            found.unexplained.append(f"{who}: {'; '.join(wrong)}; {story}; {_told(account)}")

    def _let_go(self, account: Row | None, seen: Seen, legs: list[Seen]) -> bool:
        """Whether the PBX had a reason to hang up: the agent did, the menu's good-bye, or he had left us."""
        if any(
            leg.hung_up and leg.answered and leg.ended and seen.ended
            and -0.5 <= seen.ended - leg.ended <= LETS_GO_S
            for leg in legs
        ):  # fmt: skip
            return True
        if account is None:
            return False
        steps = [e["data"] for e in self.events.get(account["call_id"], ()) if e["kind"] == "menu_step"]
        goodbye = account["disposition"] == "menu_ended" and steps and steps[-1]["result"] == "hangup"
        return bool(goodbye) or account["disposition"] in ("overflowed", "left")

    def _wrong_times(self, account: Row, caller: Caller, seen: Seen) -> list[str]:
        wrong = []
        if not self._same(account, "arrived_at", seen.answered):
            wrong.append(f"arrived at {account['arrived_at'].timestamp():.2f}")
        gone = account["disposition"] in ("overflowed", "left")  # no longer ours to watch
        if not gone and not self._same(account, "ended_at", caller.pbx_died or seen.ended):
            wrong.append(f"ended at {account['ended_at'].timestamp():.2f}")
        if account["disposition"] == "lost" and not account["inferred"]:
            wrong.append("lost, and not inferred")
        return wrong

    def _wrong_talk(self, account: Row, caller: Caller, seen: Seen, legs: list[Seen]) -> list[str]:
        """The phone's clock is right. What went by unseen may be missing, or too much, if it is inferred."""
        end = caller.pbx_died or seen.ended or 0.0
        in_fallback = account["disposition"] == "fallback"
        talks = [
            (leg.answered, max(leg.answered, min(leg.ended or end, end)))
            for leg in legs
            if leg.answered and leg.line in PHONES | ({FALLBACK_PHONE} if in_fallback else set())
        ]
        talked = sum(until - since for since, until in talks)
        # an end that nobody saw is told as late as the daemon was back
        whole = (min((since for since, _ in talks), default=end), max(end, account["ended_at"].timestamp()))
        unseen = sum(_overlap(whole, span) for span in self.blind)
        exact_s = TALK_S + self._stood_still(*whole)
        # a phone that holds its caller is still in the call
        told, disposition = account["talk_s"] + account["hold_s"], account["disposition"]
        wrong = []
        if disposition == "answered" and not talks:
            wrong.append("answered, but no phone was")
        if disposition == "pbx_restart" and caller.pbx_died is None and not self._may_have_died(account, end):
            wrong.append("pbx_restart, but the PBX lived")
        if disposition in ("overflowed", "left"):
            return wrong  # the overflow may end at an agent's phone, which is no talk of ours
        off = abs(told - talked)
        if disposition not in ("answered", "pbx_restart", "fallback") and talked > exact_s + unseen:
            wrong.append(f"{disposition}, but a phone talked with him for {talked:.2f} s")
        elif off > exact_s and not (account["inferred"] and off <= exact_s + unseen):
            wrong.append(f"talk {told:.2f} s, on the phone's clock {talked:.2f} s, {unseen:.2f} s unseen")
        return wrong

    def _same(self, account: Row, what: str, real: float | None) -> bool:
        """The same moment; or an inferred one, while the daemon saw nothing, and told soon after."""
        told = account[what].timestamp()
        if real is None:
            return False
        first, last = min(told, real), max(told, real)
        return last - first <= CLOCK_S + self._stood_still(first, last) or (
            account["inferred"] and any(start - CLOCK_S <= first and last <= end for start, end in self.blind)
        )

    def _stood_still(self, first: float, last: float) -> float:
        """The most that the machine itself lost within a second, near that time, in seconds."""
        return worst(
            [
                (at, late)
                for at, late in self.evidence.stalls
                if at <= last + NEAR_S and at + late >= first - NEAR_S
            ]
        )

    def _may_have_died(self, account: Row, end: float) -> bool:
        """Whether the PBX died, too, in the stretch without sight in which the call ended."""
        return account["inferred"] and any(
            start - CLOCK_S <= end <= until and start <= one.at <= until
            for start, until in self.blind
            for one in self.evidence.happened
            if one.fault.kind == PBX_KILLED
        )

    def _phones(self) -> None:
        """No agent's phone is ever asked to take a second call."""
        for line, legs in by(self.evidence.rung, lambda leg: leg.line).items():
            last: Seen | None = None
            for leg in sorted(legs, key=lambda leg: leg.invited) if line in PHONES else ():
                if last is not None and (last.ended is None or leg.invited < last.ended - 0.05):
                    self.found.unexplained.append(
                        f"phone {line}: rung for {leg.shown} while in the call of {last.shown}"
                    )
                last = leg
        self.found.counts["phones rung"] = len(self.evidence.rung)


def blind(happened: list[Happened], logins: list[float]) -> list[Span]:
    """When the daemon saw nothing of the PBX: from the fault on until it was logged in and had caught up."""
    spans: list[Span] = []
    for one in sorted(happened, key=lambda one: one.at):
        if one.fault.kind not in (DAEMON_KILLED, DAEMON_FROZEN, LINK_CUT, LINK_FROZEN, PBX_KILLED):
            continue
        again = [at for at in logins if one.at <= at <= one.until + RELOGIN_S]
        start, end = one.at, max([one.until, *again[:1]]) + CATCHES_UP_S
        if spans and start <= spans[-1][1]:
            start, end = spans[-1][0], max(spans.pop()[1], end)
        spans.append((start, end))
    return spans


def _overlap(one: Span, two: Span) -> float:
    return max(0.0, min(one[1], two[1]) - max(one[0], two[0]))


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


def _told(account: Row | None) -> str:
    if account is None:
        return "no account"
    mark = ", inferred" if account["inferred"] else ""
    ended = account["ended_at"].timestamp()
    return (
        f"account {account['call_id']}: {account['disposition']} by {account['ended_by']}{mark}, {ended:.2f}"
    )
