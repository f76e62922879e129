"""The verdict on a run, told for people and as JSON."""

import json
import os
import platform
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ccbridge.lab.chaos.faults import Happened
from ccbridge.lab.chaos.plan import KINDS, Fault

SHOWN = 20


@dataclass
class Verdict:
    """The four numbers, and what stands behind them; lists hold one sentence each."""

    calls: int = 0
    by_end: Counter[str] = field(default_factory=Counter)
    #: events: the daemon saw all of it; cel: Asterisk's channel events tell; inferred: neither has its end
    sources: Counter[str] = field(default_factory=Counter)
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


def text(verdict: Verdict, version: str, plan: list[Fault], seed: int) -> str:
    """Some forty lines, the four numbers last."""
    lines = ["", "What was done"]
    for kind in KINDS:
        count = sum(fault.kind == kind for fault in plan)
        lines.append(f"  {count:6d}  {kind}")
    lines += ["", "What became of the calls"]
    lines += [
        f"  {count:6d}  {end}" for end, count in sorted(verdict.by_end.items(), key=lambda one: -one[1])
    ]
    lines += ["", "Where their accounts come from"]
    lines += [f"  {count:6d}  {source}" for source, count in sorted(verdict.sources.items())]
    lines += ["", "Beside that"]
    lines += [f"  {count:6d}  {what}" for what, count in sorted(verdict.counts.items())]
    for title, found in _findings(verdict):
        if found:
            lines += ["", f"{title}: {len(found)}", *(f"  {one}" for one in found[:SHOWN])]
            if len(found) > SHOWN:
                lines.append(f"  ... and {len(found) - SHOWN} more, see report.json")
    lines += [
        "",
        f"Asterisk {version}, seed {seed}, {len(plan)} faults: "
        f"calls in {verdict.calls}, accounted for {verdict.accounted}, "
        f"{', '.join(f'{title} {len(found)}' for title, found in _findings(verdict))}: "
        f"{'every promise was kept' if verdict.good else 'a promise was BROKEN'}.",
    ]
    return "\n".join(lines)


def json_of(verdict: Verdict, version: str, happened: list[Happened], seed: int) -> str:
    """All of it, with every sentence."""
    return json.dumps(
        {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}",
            "asterisk": version,
            "seed": seed,
            "faults": [
                {"kind": one.fault.kind, "at": round(one.at, 3), "until": round(one.until, 3)}
                for one in happened
            ],
            "good": verdict.good,
            "calls": verdict.calls,
            "accounted": verdict.accounted,
            "by_end": dict(verdict.by_end),
            "sources": dict(verdict.sources),
            "counts": dict(sorted(verdict.counts.items())),
            **{title: found for title, found in _findings(verdict)},
        },
        ensure_ascii=False,
        indent=1,
    )


def _findings(verdict: Verdict) -> list[tuple[str, list[str]]]:
    return [
        ("cut off by us", verdict.cut_off),
        ("rows twice", verdict.twice),
        ("unexplained", verdict.unexplained),
        ("oddities", verdict.oddities),
    ]
