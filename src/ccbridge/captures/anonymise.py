"""Numbers and names out of a capture, so that it can be sent to somebody; each is the same one throughout.

Of a telephone number the last seven digits are others (so its country and kind stay, as far as seven digits
allow), a name is ``Name 1``, an IP address one of 192.0.2.0/24 and a few more. Extensions of up to six
digits, ids of agents, queues and calls, and times stay: without them a capture says nothing. The key to it is
random and kept nowhere.
"""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable
from typing import Any

from ccbridge.captures import lines
from ccbridge.captures.lines import Heard, Line, Start, Told
from ccbridge.core import inputs as i
from ccbridge.core.plan import AgentPlan, Plan

HIDDEN = 7  # digits of a number that are replaced; a shorter one is an extension
ALIKE = 10  # digits at the end by which "+30 210 1234567" and "2101234567" are one number
# Not part of an id, such as 1763774000.17, of a time, or of a channel's suffix. A trunk's prefix before an
# E.164 number makes more than its 15 digits.
_NUMBER = re.compile(r"(?<![\w.-])\+?\d{7,}(?![\w]|\.\d)")
_DIALLED = re.compile(r"\d{7,}")  # of what Dial is given, whatever stands around the number
_ADDRESS = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])")
_PARTY = re.compile(r'^"?(.*?)"? ?<(.*)>$')
# Headers of events that hold a caller's number, a name, or both.
_NUMBERS = re.compile(r"(?i)(CallerIDNum|ConnectedLineNum|Caller|Source)$")
_NAMES = re.compile(r"(?i)(CallerIDName|ConnectedLineName)$")
_SECRETS = re.compile(r"(?i)secret|passw|token")


def without_secrets(text: str) -> str:
    """An event without what a dialplan may have put into headers of telling names."""
    return _each_header(text, lambda name, value: "***" if _SECRETS.search(name) else value)


class Anonymiser:
    """One for all the files that belong together."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(16)
        self._made: set[str] = set()  # ends of numbers that stand for others: those stay when met again
        self._names: dict[str, str] = {}
        self._addresses: dict[str, str] = {}

    def line(self, line: Line) -> Line:
        match line:
            case Heard():
                return dataclasses.replace(line, text=_each_header(line.text, self._header))
            case Told():
                line = dataclasses.replace(line, event=self._event(line.event))
            case Start():
                line = self._start(line)
        return lines.parse(json.dumps(self._walk(json.loads(lines.dump([line])))))

    def number(self, text: str) -> str:
        """The same text with the last digits of its number replaced; as it is with less than seven digits."""
        places = [n for n, char in enumerate(text) if char.isdigit()]
        if len(places) < HIDDEN:
            return text
        same = "".join(text[n] for n in places)[-ALIKE:]
        if same in self._made:
            return text
        digest = hmac.digest(self._key, same.encode(), hashlib.sha256)
        chars = list(text)
        for place, byte in zip(places[-HIDDEN:], digest, strict=False):
            chars[place] = str(byte % 10)
        self._made.add("".join(chars[n] for n in places)[-ALIKE:])
        return "".join(chars)

    def name(self, text: str) -> str:
        if not text or text == "<unknown>":
            return text
        return self._names.setdefault(text, f"Name {len(self._names) + 1}")

    def _text(self, text: str) -> str:
        """Any other text."""
        return _ADDRESS.sub(self._address, _NUMBER.sub(lambda found: self.number(found[0]), text))

    def _address(self, found: re.Match[str]) -> str:
        n = len(self._addresses) + 1
        return self._addresses.setdefault(found[0], f"192.0.{2 + n // 250}.{n % 250}")

    def _header(self, name: str, value: str) -> str:
        if name.lower() == "callerid" and (party := _PARTY.match(value)):
            return f'"{self.name(party[1])}" <{self.number(party[2])}>'
        if _NAMES.search(name):
            return self.name(value)
        if _NUMBERS.search(name) or name.lower() == "callerid":
            return self.number(value)
        return value if name.lower() == "timestamp" else self._text(value)

    def _event(self, event: i.Input) -> i.Input:
        match event:
            case i.CallArrived():
                return dataclasses.replace(event, raw=self.number(event.raw), name=self.name(event.name))
            case i.CallHolding():
                return dataclasses.replace(event, caller=self.number(event.caller))
            case i.CustomerFound():
                return dataclasses.replace(event, name=self.name(event.name))
            case i.LinkUp():
                places = tuple(map(self._place, event.snapshot.places))
                return dataclasses.replace(event, snapshot=dataclasses.replace(event.snapshot, places=places))
            case i.CallLooked(place=i.Place() as place):
                return dataclasses.replace(event, place=self._place(place))
            case i.PlanLoaded():
                return dataclasses.replace(event, plan=self._plan(event.plan))
        return event

    def _place(self, place: i.Place) -> i.Place:
        return dataclasses.replace(place, caller=self.number(place.caller))

    def _plan(self, plan: Plan) -> Plan:
        agents = {key: self._agent_plan(one) for key, one in plan.agents.items()}
        return dataclasses.replace(plan, agents=agents)

    def _agent_plan(self, agent: AgentPlan) -> AgentPlan:
        personal = {
            name: _DIALLED.sub(lambda found: self.number(found[0]), dialled)
            for name, dialled in agent.personal.items()
        }
        return dataclasses.replace(agent, name=self.name(agent.name), personal=personal)

    def _start(self, start: Start) -> Start:
        state = start.state
        if state is not None:
            state = dataclasses.replace(
                state,
                calls=[dataclasses.replace(one, name=self.name(one.name)) for one in state.calls],
                agents=[dataclasses.replace(one, plan=self._agent_plan(one.plan)) for one in state.agents],
            )
        return dataclasses.replace(start, plan=self._plan(start.plan), state=state)

    def _walk(self, data: Any) -> Any:
        """Every text in it, keys included."""
        if isinstance(data, str):
            return self._text(data)
        if isinstance(data, dict):
            return {self._text(key): self._walk(value) for key, value in data.items()}
        return [self._walk(one) for one in data] if isinstance(data, list) else data


def _each_header(text: str, change: Callable[[str, str], str]) -> str:
    changed = []
    for line in text.split("\r\n"):
        name, colon, value = line.partition(": ")
        changed.append(f"{name}: {change(name, value)}" if colon else line)
    return "\r\n".join(changed)
