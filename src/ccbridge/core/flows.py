"""What a caller can go through before, or instead of, a queue: the steps of a flow as plain values.

``ccbridge.config`` builds them from YAML, ``core.ivr`` walks them. All durations are seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ccbridge.core.expr import Expr


@dataclass(frozen=True, slots=True)
class Play:
    """Play prompts (sound names), then go to step ``next``."""

    prompts: tuple[str, ...]
    next: str


@dataclass(frozen=True, slots=True)
class Say:
    """Say something in the caller's language. ``what``: number, digits, text; date, time and opens (when it
    opens again) of a moment in epoch seconds.

    ``parts`` one after another are it: expressions, and of a text what stands between them.
    """

    what: str
    parts: tuple[str | Expr, ...]
    next: str


@dataclass(frozen=True, slots=True)
class Menu:
    """Ask for one key. ``choices`` maps a key to a step; after ``tries`` failures ``otherwise`` follows."""

    prompts: tuple[str, ...]
    choices: Mapping[str, str]
    otherwise: str
    invalid: tuple[str, ...] = ()  # played after a wrong key
    silent: tuple[str, ...] = ()  # played after a time-out
    timeout: float = 5.0  # after the last prompt, 1-60
    tries: int = 3  # 1-10
    repeat: str = ""  # the key that plays the prompts again, which is no failure
    back: str = ""  # ... that leads to the menu before this one
    table: str = ""  # a menu of the database, whose keys lead to queues


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask for digits, ended by ``#``, by the last one that fits, or by ``timeout`` after one. ``store``: the
    variable that keeps them.
    """

    prompts: tuple[str, ...]
    store: str
    next: str
    otherwise: str
    least: int = 1  # digits, 1-40
    most: int = 20
    low: int | None = None  # of the number that they write, both included
    high: int | None = None
    check: str = ""  # luhn: their check digit by ISO/IEC 7812-1
    confirm: tuple[str, ...] = ()  # they are said, then these: key 1 takes them; any other asks anew
    invalid: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()
    timeout: float = 5.0  # for each digit, 1-60
    tries: int = 3  # 1-10


@dataclass(frozen=True, slots=True)
class SetLanguage:
    language: str
    next: str


@dataclass(frozen=True, slots=True)
class AskHours:
    """Whether these hours are open now. When they change next is the variable ``hours.until``."""

    hours: str
    open: str
    closed: str


@dataclass(frozen=True, slots=True)
class LookUp:
    """A named question to a database or a web service; its answer's fields become variables.

    Those of the look-up ``balance`` are ``balance.amount`` and so on. ``values``: what is asked with.
    """

    lookup: str
    values: Mapping[str, Expr]
    next: str  # it found something
    none: str  # it found nothing
    failed: str  # no answer in time, or a fault


@dataclass(frozen=True, slots=True)
class SetTo:
    values: Mapping[str, Expr]
    next: str


@dataclass(frozen=True, slots=True)
class Branch:
    """The step of the first expression that is true."""

    ways: tuple[tuple[Expr, str], ...]
    otherwise: str


@dataclass(frozen=True, slots=True)
class GoTo:
    """On with another flow, from its start."""

    flow: str


@dataclass(frozen=True, slots=True)
class CallFlow:
    """Another flow, from its start; its ``Return`` comes back here."""

    flow: str
    next: str


@dataclass(frozen=True, slots=True)
class Return:
    """Back behind the step that called this flow; in one that nobody called it hangs up."""


@dataclass(frozen=True, slots=True)
class ToQueue:
    queue: str
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Transfer:
    """Leave to an extension of the site's exit context."""

    extension: str


@dataclass(frozen=True, slots=True)
class HangUp:
    prompts: tuple[str, ...] = ()


Step = (
    Play
    | Say
    | Menu
    | Ask
    | SetLanguage
    | AskHours
    | LookUp
    | SetTo
    | Branch
    | GoTo
    | CallFlow
    | Return
    | ToQueue
    | Transfer
    | HangUp
)
Ending = ToQueue | Transfer | HangUp  # also where a queue's caller may leave to; HangUp: a message, the end


@dataclass(frozen=True, slots=True)
class Flow:
    """A menu tree: named steps, entered at ``start``. ``operator``: a key of every menu, and its step."""

    name: str
    start: str
    steps: Mapping[str, Step]
    operator: Mapping[str, str] = field(default_factory=dict)


def ways(step: Step) -> Iterator[tuple[str, str]]:
    """Where a step of this flow may lead, each with what leads there: a key, ``next``, ``otherwise`` ..."""
    match step:
        case Menu():
            yield from step.choices.items()
            yield "otherwise", step.otherwise
        case Ask():
            yield "next", step.next
            yield "otherwise", step.otherwise
        case AskHours():
            yield "open", step.open
            yield "closed", step.closed
        case LookUp():
            yield "next", step.next
            yield "none", step.none
            yield "failed", step.failed
        case Branch():
            for when, to in step.ways:
                yield when.source, to
            yield "otherwise", step.otherwise
        case Play() | Say() | SetLanguage() | SetTo() | CallFlow():
            yield "next", step.next
        case GoTo() | Return() | ToQueue() | Transfer() | HangUp():
            pass
