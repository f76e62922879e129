"""A flow without a channel: the same interpreter, with a person or a script for the caller."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ccbridge.core import ivr
from ccbridge.core.expr import Value
from ccbridge.core.flows import Ending, Flow, HangUp, ToQueue, Transfer
from ccbridge.core.plan import Plan


class HungUp(Exception):
    """The caller has left."""


@dataclass(frozen=True, slots=True)
class Assumed:
    """What the flow is told of the world. Hours that are not named are open; a look-up finds nothing."""

    facts: Mapping[str, Value] = field(default_factory=dict)
    hours: Mapping[str, bool] = field(default_factory=dict)
    lookups: Mapping[str, Mapping[str, Value] | None] = field(default_factory=dict)
    answers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class Caller(Protocol):
    """Who hears and presses keys. Raises HungUp when he leaves."""

    def hears(self, what: str, keys: bool) -> str:
        """A prompt's name, or what is said. The key that breaks it off, where keys are taken; else ''."""
        ...

    def waits(self, seconds: float) -> str:
        """The key, or '' for none."""
        ...

    def comes(self, step: str, result: str, flow: str) -> None:
        """A step was left: see ``ivr.Stepped``."""
        ...


def walk(plan: Plan, flow: Flow, assumed: Assumed, caller: Caller) -> Ending:
    """Raises HungUp, and what ``caller`` raises."""
    language: Value = assumed.facts.get("language", "")
    talk = ivr.converse(flow, plan.flows, plan.steps)
    reply: ivr.Reply = None
    try:
        request = next(talk)
        while True:
            match request:
                case ivr.PlayPrompt():
                    reply = caller.hears(request.sound, request.keys)
                case ivr.SayValue():
                    reply = caller.hears(f"{request.what} {request.value}", request.keys)
                case ivr.WaitForKey():
                    reply = caller.waits(request.seconds)
                case ivr.Stepped():
                    caller.comes(request.step, request.result, request.flow)
                case ivr.Speak():
                    language = request.language
                case ivr.Recall():
                    reply = {"language": language, **assumed.facts}
                case ivr.Answers():
                    reply = assumed.answers.get(request.table, {})
                case ivr.IsOpen():
                    reply = {"open": assumed.hours.get(request.hours, True)}
                case ivr.Question():
                    reply = assumed.lookups.get(request.lookup, {})
            request = talk.send(reply)
    except StopIteration as stop:
        ending: Ending = stop.value
        return ending


def ended(ending: Ending) -> str:
    """In the words of the dialogues: ``queue sales``, ``transfer 100``, ``hangup``."""
    match ending:
        case ToQueue():
            return f"queue {ending.queue}"
        case Transfer():
            return f"transfer {ending.extension}"
        case HangUp():
            return "hangup"


@dataclass(slots=True)
class Person:
    """Somebody at a terminal. ``ask`` gives what he typed: keys, nothing, or None when he hangs up."""

    tell: Callable[[str], None]
    ask: Callable[[str], str | None]
    typed: str = ""

    def hears(self, what: str, keys: bool) -> str:
        self.tell(f"♪ {what}")
        key, self.typed = (self.typed[:1], self.typed[1:]) if keys else ("", self.typed)
        return key

    def waits(self, seconds: float) -> str:
        if not self.typed:
            answer = self.ask(f"key, within {seconds:g} s")
            if answer is None:
                raise HungUp
            self.typed = "".join(one for one in answer if one in "0123456789*#")
        key, self.typed = self.typed[:1], self.typed[1:]
        return key

    def comes(self, step: str, result: str, flow: str) -> None:
        self.tell(f"  [{step}: {result}]" if step else f"  [flow {flow}: {result}]")
