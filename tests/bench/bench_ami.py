"""Events a second of a recorded lab stream: ccbridge, down to the core's effects, beside plain panoramisk.

    python tests/bench/bench_ami.py

Both get the same bytes (what an Asterisk 22 sent during some dozen calls, over and over, under new ids) in
the same segments, and the same patterns: the names of the events that ccbridge makes something of.
panoramisk calls one function for each event that matches, which reads three headers; ccbridge translates it
and asks the core, which offers calls to agents. Callers' numbers are other ones in each pass, as calls are.
Rounds alternate, and CPU time is counted. Look at the ratio, not at the rates: the median of the rounds, and
that of each side's best round, in which the machine did the least beside.
"""

from __future__ import annotations

import asyncio
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import structlog
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager

from ccbridge.ami import translate
from ccbridge.ami.client import AmiClient
from ccbridge.ami.link import Link
from ccbridge.ami.wire import AmiMessage
from ccbridge.config import load
from ccbridge.core import inputs as i
from ccbridge.core.effects import PlaceOffer
from ccbridge.core.records import CdrRow
from ccbridge.core.switchboard import Switchboard
from ccbridge.numbers import parse_caller

sys.path.insert(0, str(Path(__file__).parents[1] / "fuzz"))
import mutate

GREETING = b"Asterisk Call Manager/11.0.0\r\n"
PASSES = 40
ROUNDS = 7
SEGMENT = 16_384
START = 1_000.0  # what the monotonic clock says when the first event comes
PATTERNS = sorted({*translate._EVENTS, "Cdr"})
OFFER = re.compile(rb"o[0-9a-f]+x[0-9]+")
STAMP = re.compile(rb"Timestamp: ([0-9.]+)")


def parse(raw: str) -> tuple[str, str | None]:
    return parse_caller(raw, "GR")


class House:
    """The core behind our AMI client, with the clock of the events."""

    def __init__(self, begin: float) -> None:
        plan = load(Path(__file__).parents[2] / "config" / "ccbridge.yml", secrets=False).plan
        self.board = Switchboard(plan, "b")
        self.begin = begin
        self.offers: dict[str, str] = {}
        self.effects: Counter[str] = Counter()
        devices = {agent.device: "NOT_INUSE" for agent in plan.agents.values()}
        self.decide(i.LinkUp(begin, i.Snapshot((), devices)))
        for agent in plan.agents:
            self.decide(i.LogIn(begin, agent, 1))

    def hear(self, message: Any) -> None:
        event = translate.to_inbox(message, self.begin, "pbx", parse)
        if event is not None and not isinstance(event, CdrRow):
            self.decide(event)

    def decide(self, event: Any) -> None:
        now = START + event.at - self.begin
        due = self.board.next_deadline()
        if due is not None and due <= now:
            self.note(self.board.handle(i.Tick(self.begin + due - START), due))
        self.note(self.board.handle(event, now))

    def note(self, effects: list[Any]) -> None:
        for effect in effects:
            self.effects[type(effect).__name__] += 1
            if isinstance(effect, PlaceOffer):
                self.offers[effect.call] = effect.offer


def stream() -> tuple[bytes, int, float]:
    """The recorded events again and again, an hour later each time, with the offers that the core makes."""
    recorded = [one for one in mutate.ami() if one.startswith(b"Event: ") and b"ListDialplan" not in one]
    begin = next(float(found[1]) for one in recorded if (found := STAMP.search(one)))
    house, out = House(begin), []
    for number in range(PASSES):
        for one in recorded:
            message = one.replace(b"pbx-", b"pbx%d-" % number).replace(b"+306900000", b"+306900%03d" % number)
            message = STAMP.sub(lambda m, n=number: b"Timestamp: %.6f" % (float(m[1]) + 3600 * n), message)
            if OFFER.search(message) and (call := re.search(rb"(?:Linkedid|Uniqueid): (\S+)", message)):
                offer = house.offers.get(call[1].decode(), "none").encode()
                message = OFFER.sub(offer, message)
            house.hear(AmiMessage(message.decode()))
            out.append(message)
    told = ", ".join(f"{count} {name}" for name, count in house.effects.most_common())
    print(f"{len(out):,} events; the core's effects: {told}")
    return GREETING + b"".join(one + b"\r\n\r\n" for one in out), len(out), begin


def read_three(manager: Any, event: Any) -> None:
    _ = event.get("channel"), event.get("uniqueid"), event.get("timestamp")


def plain(begin: float) -> Callable[[bytes], None]:
    manager = Manager(loop=asyncio.get_running_loop(), log=Mock())
    for pattern in PATTERNS:
        manager.register_event(pattern, read_three)
    protocol = AMIProtocol()
    protocol.connection_made(Mock())
    protocol.factory, protocol.encoding = manager, "utf8"
    return protocol.data_received


def ours(begin: float) -> Callable[[bytes], None]:
    client = AmiClient(host="", port=0, username="", secret="", on_event=House(begin).hear)
    client.state = "live"
    return Link(client._deliver, lambda link, reason: None).data_received


async def main() -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    data, events, begin = stream()
    segments = [data[at : at + SEGMENT] for at in range(0, len(data), SEGMENT)]
    rates: dict[str, list[float]] = {"panoramisk": [], "ccbridge": []}
    for _ in range(ROUNDS):
        for name, make in (("panoramisk", plain), ("ccbridge", ours)):
            feed = make(begin)
            begun = time.process_time()
            for segment in segments:
                feed(segment)
            rates[name].append(events / (time.process_time() - begun))
    for name, seen in rates.items():
        print(f"{name:<12}{statistics.median(seen):>10,.0f} events a second of CPU")
    ratios = [one / other for one, other in zip(rates["ccbridge"], rates["panoramisk"], strict=True)]
    best = max(rates["ccbridge"]) / max(rates["panoramisk"])
    print(f"ratio       {statistics.median(ratios):>10.2f}  (rounds: {min(ratios):.2f} to {max(ratios):.2f})")
    print(f"best rounds {best:>10.2f}")


if __name__ == "__main__":
    asyncio.run(main())
