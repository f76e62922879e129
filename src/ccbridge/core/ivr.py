"""Menus as generators: a conversation yields requests and is sent the replies.

So a flow is tested with a list of replies, and whoever runs it (a live channel, a terminal) only has to
play a prompt and read a key. See ``plan.Flow`` for what a site can write.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from ccbridge.core.plan import Flow, HangUp, Menu, Play, ToQueue, Transfer

# A flow that goes in circles without end (the config check finds most of them) is ended here.
MAX_STEPS = 500


@dataclass(frozen=True, slots=True)
class PlayPrompt:
    """Play one sound. With ``keys`` any key breaks it off and is the reply; else the reply is ''."""

    sound: str
    keys: bool


@dataclass(frozen=True, slots=True)
class WaitForKey:
    """The reply is the key, or '' after ``seconds``."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Stepped:
    """A step was left: ``result`` is the next step, ``time_out`` or ``invalid``. The reply is ignored.

    It never holds the key itself.
    """

    step: str
    result: str


Request = PlayPrompt | WaitForKey | Stepped
Ending = ToQueue | Transfer | HangUp
Conversation = Generator[Request, str, Ending]


def converse(flow: Flow) -> Conversation:
    """Walk a flow from its start to a step that ends it; that step is the return value."""
    name = flow.start
    for _ in range(MAX_STEPS):
        step = flow.steps[name]
        match step:
            case Play():
                for sound in step.prompts:
                    yield PlayPrompt(sound, keys=False)
                yield Stepped(name, step.next)
                name = step.next
            case Menu():
                name = yield from _ask(name, step)
            case HangUp():
                for sound in step.prompts:
                    yield PlayPrompt(sound, keys=False)
                return step
            case _:
                return step
    return HangUp()


def _ask(name: str, menu: Menu) -> Generator[Request, str, str]:
    """One menu: the next step's name."""
    for attempt in range(1, menu.tries + 1):
        key = ""
        for sound in menu.prompts:
            key = yield PlayPrompt(sound, keys=True)
            if key:
                break
        if not key:
            key = yield WaitForKey(menu.timeout)
        if key in menu.choices:
            yield Stepped(name, menu.choices[key])
            return menu.choices[key]
        yield Stepped(name, "invalid" if key else "time_out")
        if attempt < menu.tries:
            for sound in menu.invalid if key else menu.silent:
                yield PlayPrompt(sound, keys=False)
    yield Stepped(name, menu.otherwise)
    return menu.otherwise
