"""Menus as generators: a conversation yields requests and is sent the replies.

So a flow is tested with a list of replies, and whoever runs it (a live channel, a terminal) only has to
play a prompt and read a key. See ``core.flows`` for what a site can write.

A caller ends in every flow: each step, each try of a menu and each repetition counts, and after ``most`` of
them he is hung up.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field

from ccbridge.core.expr import Expr, Value, number, truth
from ccbridge.core.flows import (
    Ask,
    AskHours,
    Branch,
    CallFlow,
    Ending,
    Flow,
    GoTo,
    HangUp,
    LookUp,
    Menu,
    Play,
    Return,
    Say,
    SetLanguage,
    SetTo,
    ToQueue,
    Transfer,
)

# What expressions may ask for beside a flow's own variables, and what it is.
FACTS: Mapping[str, str] = {
    "caller.kind": "e164, internal, anonymous or unparsable",
    "caller.number": "the caller's number, E.164; empty if there is none",
    "caller.vip": "whether the number is on the VIP list",
    "customer.known": "whether the number is a customer's",
    "customer.language": "the customer's language, if it is known",
    "customer.name": "the customer's name",
    "customer.priority": "the customer's priority",
    "did": "the number that was dialled, as the trunk sent it",
    "hours.until": "after a step hours: when that changes next, epoch seconds",
    "hours.why": "after a step hours: why it is open or closed",
    "language": "the language that is spoken with the caller",
    "time.date": "today, as 2026-12-24",
    "time.hour": "0 to 23, by the daemon's clock",
    "time.minute": "0 to 59",
    "time.now": "epoch seconds",
    "time.weekday": "1, Monday, to 7",
}
# Results of a step after which the caller is still at it.
STAYS = ("time_out", "invalid", "repeat", "not_confirmed")
MAX_STEPS = 500
DEEPEST = 20  # flows that call each other
LONGEST_VALUE = 200  # characters that a variable keeps
AGAIN = "#"  # ends digits; in a menu it is a key like others


@dataclass(frozen=True, slots=True)
class PlayPrompt:
    """Play one sound. With ``keys`` any key breaks it off and is the reply; else the reply is ''."""

    sound: str
    keys: bool


@dataclass(frozen=True, slots=True)
class SayValue:
    """Say this, see ``flows.Say``. With ``keys`` as above."""

    what: str
    value: str
    keys: bool = False


@dataclass(frozen=True, slots=True)
class WaitForKey:
    """The reply is the key, or '' after ``seconds``."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Stepped:
    """A step was left: ``result`` is the next step, or what came of it. The reply is ignored.

    With an empty ``step`` the caller is at the step ``result`` of this flow now: at its start, or back in it.
    It never holds a key or what was keyed.
    """

    step: str
    result: str
    flow: str = ""


@dataclass(frozen=True, slots=True)
class Speak:
    """From now on in this language. The reply is ignored."""

    language: str


@dataclass(frozen=True, slots=True)
class Recall:
    """The reply is what is known of these names (``caller.number``, ``time.hour`` ...), a mapping."""

    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Answers:
    """The reply is a mapping: the keys of this menu in the database, and their queues."""

    table: str


@dataclass(frozen=True, slots=True)
class IsOpen:
    """The reply is a mapping: ``open`` (true or not), ``until`` (epoch seconds) and ``why``."""

    hours: str


@dataclass(frozen=True, slots=True)
class Question:
    """A look-up. The reply is a mapping, empty if nothing was found; None: no answer."""

    lookup: str
    values: Mapping[str, Value]


Request = PlayPrompt | SayValue | WaitForKey | Stepped | Speak | Recall | Answers | IsOpen | Question
Reply = str | Mapping[str, Value] | None
Conversation = Generator[Request, Reply, Ending]
Asking = Generator[Request, Reply, str]


def converse(flow: Flow, flows: Mapping[str, Flow] | None = None, most: int = MAX_STEPS) -> Conversation:
    """Walk a flow from its start to a step that ends it; that step is the return value.

    ``flows``: those that it may lead to. ``most``: steps, tries and repetitions until the caller is hung up.
    """
    return (yield from _Walk(flow, flows or {}, most).run())


class _TooLong(Exception):
    """The caller has had all the steps that a call may have."""


@dataclass(slots=True)
class _Walk:
    flow: Flow
    flows: Mapping[str, Flow]
    left: int
    variables: dict[str, Value] = field(default_factory=dict)
    ahead: str = ""  # a key that he pressed while he was told what was wrong: the next question has it
    behind: tuple[tuple[Flow, str], ...] = ()  # where a Return leads, the last one first
    # the menus that he came through, each with what was behind it
    menus: list[tuple[Flow, str, tuple[tuple[Flow, str], ...]]] = field(default_factory=list)

    def run(self) -> Conversation:
        name = self.flow.start
        yield self.stepped("", name)
        try:
            while True:
                self.count()
                step = self.flow.steps[name]
                match step:
                    case ToQueue() | Transfer():
                        return step
                    case HangUp():
                        yield from self.play(step.prompts)
                        return step
                    case Menu():
                        found = yield from self.menu(name, step)
                        if isinstance(found, ToQueue):
                            return found
                        name = found
                    case GoTo() | CallFlow() | Return():
                        entered = yield from self.enter(name, step)
                        if entered is None:
                            return HangUp()
                        name = entered
                    case _:
                        name = yield from self.pass_through(name, step)
        except _TooLong:
            yield self.stepped(name, "too_long")
            return HangUp()

    def count(self) -> None:
        if self.left <= 0:
            raise _TooLong
        self.left -= 1

    def stepped(self, step: str, result: str) -> Stepped:
        return Stepped(step, result, self.flow.name)

    def play(self, sounds: Sequence[str]) -> Generator[Request, Reply, None]:
        for sound in sounds:
            yield PlayPrompt(sound, keys=False)

    def tell(self, sounds: Sequence[str]) -> Generator[Request, Reply, None]:
        """What was wrong, unless he knows better already."""
        for sound in sounds:
            self.ahead = _key((yield PlayPrompt(sound, keys=True)))
            if self.ahead:
                return

    def prompt(self, sounds: Sequence[str]) -> Asking:
        """The key that broke the question off, or that came before it; else ''."""
        key, self.ahead = self.ahead, ""
        for sound in sounds:
            if key:
                break
            key = _key((yield PlayPrompt(sound, keys=True)))
        return key

    def value(self, expression: Expr) -> Generator[Request, Reply, Value]:
        """Its value; what is no variable of the flow's is asked for."""
        known: dict[str, Value] = dict(self.variables)
        if others := expression.names() - known.keys():
            reply = yield Recall(others)
            known |= reply if isinstance(reply, Mapping) else {}
        return _short(expression.value(known))

    # -- steps that end in another step

    def pass_through(
        self, name: str, step: Play | Say | Ask | SetLanguage | AskHours | LookUp | SetTo | Branch
    ) -> Asking:
        match step:
            case Play():
                yield from self.play(step.prompts)
                next_ = step.next
            case Say():
                said = ""
                for part in step.parts:
                    said += part if isinstance(part, str) else _text((yield from self.value(part)))
                yield SayValue(step.what, said[:LONGEST_VALUE])
                next_ = step.next
            case Ask():
                return (yield from self.ask(name, step))
            case SetLanguage():
                self.variables["language"] = step.language
                yield Speak(step.language)
                next_ = step.next
            case AskHours():
                reply = yield IsOpen(step.hours)
                told = reply if isinstance(reply, Mapping) else {"open": True}
                self.variables["hours.until"] = told.get("until", "")
                self.variables["hours.why"] = told.get("why", "")
                next_ = step.open if truth(told.get("open", "")) else step.closed
            case LookUp():
                with_: dict[str, Value] = {}
                for key, expression in step.values.items():
                    with_[key] = yield from self.value(expression)
                reply = yield Question(step.lookup, with_)
                if reply is None or isinstance(reply, str):
                    next_ = step.failed
                else:
                    next_ = step.next if reply else step.none
                    self.variables |= {f"{step.lookup}.{key}": _short(value) for key, value in reply.items()}
            case SetTo():
                for key, expression in step.values.items():
                    self.variables[key] = yield from self.value(expression)
                next_ = step.next
            case Branch():
                next_ = step.otherwise
                for when, to in step.ways:
                    if truth((yield from self.value(when))):
                        next_ = to
                        break
        yield self.stepped(name, next_)
        return next_

    # -- other flows

    def enter(self, name: str, step: GoTo | CallFlow | Return) -> Generator[Request, Reply, str | None]:
        """The step to go on with, in another flow; None: there is none."""
        if isinstance(step, Return):
            if not self.behind:
                yield self.stepped(name, "hangup")
                return None
            yield self.stepped(name, "return")
            (self.flow, next_), *behind = self.behind
            self.behind = tuple(behind)
            yield self.stepped("", next_)
            return next_
        if isinstance(step, CallFlow):
            if len(self.behind) >= DEEPEST:
                raise _TooLong
            self.behind = ((self.flow, step.next), *self.behind)
        yield self.stepped(name, f"flow {step.flow}")
        self.flow = self.flows[step.flow]
        yield self.stepped("", self.flow.start)
        return self.flow.start

    # -- one key

    def menu(self, name: str, menu: Menu) -> Generator[Request, Reply, str | ToQueue]:
        """The next step's name, or the queue of a key that the database knows."""
        here = (self.flow, name, self.behind)
        if self.menus[-1:] != [here]:
            self.menus.append(here)
        tried = 0
        while tried < menu.tries:
            if tried:
                self.count()
            key = yield from self.key(menu)
            if key and key == menu.repeat:
                yield self.stepped(name, "repeat")
                self.count()
                continue
            to = yield from self.choice(menu, key)
            if isinstance(to, ToQueue):
                yield self.stepped(name, f"queue {to.queue}")
                return to
            if to:
                yield self.stepped(name, to)
                return to
            if key and key == menu.back:
                return (yield from self.back(name))
            tried += 1
            yield self.stepped(name, "invalid" if key else "time_out")
            if tried < menu.tries:
                yield from self.tell(menu.invalid if key else menu.silent)
        yield self.stepped(name, menu.otherwise)
        return menu.otherwise

    def key(self, menu: Menu) -> Asking:
        key = yield from self.prompt(menu.prompts)
        return key or _key((yield WaitForKey(menu.timeout)))

    def choice(self, menu: Menu, key: str) -> Generator[Request, Reply, str | ToQueue]:
        if not key:
            return ""
        if key in menu.choices:
            return menu.choices[key]
        if menu.table:
            reply = yield Answers(menu.table)
            if isinstance(reply, Mapping) and key in reply:
                return ToQueue(_text(reply[key]))
        return self.flow.operator.get(key, "")

    def back(self, name: str) -> Asking:
        """The menu before this one, also of another flow; the first one begins anew."""
        if len(self.menus) > 1:
            self.menus.pop()
        yield self.stepped(name, "back")
        self.flow, to, self.behind = self.menus[-1]
        yield self.stepped("", to)
        return to

    # -- digits

    def ask(self, name: str, ask: Ask) -> Asking:
        for tried in range(1, ask.tries + 1):
            if tried > 1:
                self.count()
            digits = yield from self.digits(ask)
            if _fits(ask, digits):
                if not ask.confirm or (yield from self.confirmed(ask, digits)):
                    self.variables[ask.store] = digits
                    yield self.stepped(name, ask.next)
                    return ask.next
                yield self.stepped(name, "not_confirmed")
                continue
            yield self.stepped(name, "invalid" if digits else "time_out")
            if tried < ask.tries:
                yield from self.tell(ask.invalid if digits else ask.silent)
        yield self.stepped(name, ask.otherwise)
        return ask.otherwise

    def digits(self, ask: Ask) -> Asking:
        """What was keyed, without the ``#`` that ends it."""
        keyed = yield from self.prompt(ask.prompts)
        while not keyed.endswith(AGAIN) and len(keyed) < ask.most:
            key = _key((yield WaitForKey(ask.timeout)))
            if not key:
                break
            keyed += key
        return keyed.removesuffix(AGAIN)

    def confirmed(self, ask: Ask, digits: str) -> Generator[Request, Reply, bool]:
        key = _key((yield SayValue("digits", digits, keys=True)))
        for sound in ask.confirm:
            key = key or _key((yield PlayPrompt(sound, keys=True)))
        key = key or _key((yield WaitForKey(ask.timeout)))
        return key == "1"


def _key(reply: Reply) -> str:
    return reply if isinstance(reply, str) else ""


def _short(value: Value) -> Value:
    return value[:LONGEST_VALUE] if isinstance(value, str) else value


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _fits(ask: Ask, digits: str) -> bool:
    if not (digits.isascii() and digits.isdecimal() and ask.least <= len(digits) <= ask.most):
        return False
    if ask.low is not None or ask.high is not None:
        written = number(digits)
        if written is None or not (ask.low or 0) <= written <= (written if ask.high is None else ask.high):
            return False
    return ask.check != "luhn" or _luhn(digits)


def _luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B: every second digit from the right but one is doubled."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0
