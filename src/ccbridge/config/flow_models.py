"""The keys of ``flows`` and of what stands beside them: see ``docs/ivr.md``."""

from __future__ import annotations

import ast
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ValidationInfo, model_validator

from ccbridge.config.mistakes import show
from ccbridge.config.prompts import Language
from ccbridge.config.section import Section
from ccbridge.config.shapes import (
    Between,
    Count,
    Declared,
    Extension,
    FlowRef,
    Key,
    MaybePrompts,
    Name,
    Number,
    Priority,
    Prompts,
    QueueRef,
    Shaped,
    StepRef,
    Text,
    Whole,
    YesNo,
)
from ccbridge.core.expr import BadExpression, Expr, parse


def _written(value: object) -> object:
    """``tries: 0`` and ``seen: true`` without quotes."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else value


def _expression(value: str) -> str:
    try:
        parse(value)
    except BadExpression as error:
        raise ValueError(f"{error}, in {show(value)}") from None
    return value


def _variable(value: str) -> str:
    try:
        good = isinstance(ast.parse(value, mode="eval").body, ast.Name)
    except SyntaxError:
        good = False
    if good and value not in ("true", "false", "language"):
        return value
    raise ValueError(f"{show(value)} has another meaning: take another name")


def pieces(text: str) -> list[str | Expr]:
    """A text and the expressions in its ``{braces}``; a brace that stands twice is one of the text's own.

    Raises ValueError.
    """
    found: list[str | Expr] = []
    rest = text.replace("{{", "\0").replace("}}", "\1")
    while rest:
        plain, brace, rest = rest.partition("{")
        if "}" in plain:
            raise ValueError("has a } without a { before it: write }} for one of the text's own")
        if plain:
            found.append(plain.replace("\0", "{").replace("\1", "}"))
        if brace:
            inside, closed, rest = rest.partition("}")
            if not closed:
                raise ValueError("has a { without a } behind it: write {{ for one of the text's own")
            found.append(parse(_expression(inside)))
    return found


def _text(value: str) -> str:
    pieces(value)
    return value


Expression = Annotated[str, BeforeValidator(_written), AfterValidator(_expression)]
Spoken = Annotated[
    Text,
    Shaped(r"(?=\S)[^\x00-\x1f\x7f-\x9f]{1,500}", "1 to 500 characters on one line"),
    AfterValidator(_text),
]
Variable = Annotated[
    Text,
    Shaped(r"[a-z][a-z0-9_]{0,39}", "a name of 1 to 40 small letters, digits and _, a letter first"),
    AfterValidator(_variable),
]


class SaySection(Section):
    """Exactly one kind, which ``flows.check`` looks after."""

    number: Expression | None = None
    digits: Expression | None = None
    date: Expression | None = None
    time: Expression | None = None
    opens: Expression | None = None
    text: Spoken | None = None


class MenuSection(Section):
    prompts: Prompts
    choices: Annotated[dict[Key, StepRef], Count(0, 12)] = {}
    table: Name | None = None
    repeat: Key | None = None
    back: Key | None = None
    otherwise: StepRef
    invalid: MaybePrompts = ()
    silent: MaybePrompts = ()
    timeout: Annotated[Number, Between(1, 60, "seconds")] = 5.0
    tries: Annotated[Whole, Between(1, 10)] = 3


class AskSection(Section):
    prompts: Prompts
    store: Variable
    least: Annotated[Whole, Between(1, 40, "digits")] = 1
    most: Annotated[Whole, Between(1, 40, "digits")] = 20
    low: Annotated[Whole, Between(0, 10**15)] | None = None
    high: Annotated[Whole, Between(0, 10**15)] | None = None
    check: Literal["luhn"] | None = None
    confirm: MaybePrompts = ()
    otherwise: StepRef
    invalid: MaybePrompts = ()
    silent: MaybePrompts = ()
    timeout: Annotated[Number, Between(1, 60, "seconds")] = 5.0
    tries: Annotated[Whole, Between(1, 10)] = 3


class WaySection(Section):
    when: Expression
    to: StepRef


class HangUpSection(Section):
    prompts: MaybePrompts = ()


def _hang_up(value: object) -> object:
    """``hangup: true`` is the short form of a hang-up without prompts."""
    if value is True:
        return {}
    if isinstance(value, dict):
        return value
    raise ValueError("must be true, or a mapping with prompts")


def _only_true(value: bool) -> bool:
    if not value:
        raise ValueError("must be true, or be left out")
    return value


class StepSection(Section):
    """One step of a flow. Exactly one verb, which ``flows.check`` looks after."""

    play: Prompts | None = None
    say: SaySection | None = None
    menu: MenuSection | None = None
    ask: AskSection | None = None
    language: Language | None = None
    hours: Name | None = None
    lookup: Variable | None = None
    set: Annotated[dict[Variable, Expression], Count(1, 20)] | None = None
    branch: Annotated[tuple[WaySection, ...], Count(1, 50)] | None = None
    goto: FlowRef | None = None
    call: FlowRef | None = None
    done: Annotated[YesNo, AfterValidator(_only_true)] | None = None
    queue: QueueRef | None = None
    transfer: Extension | None = None
    message: Prompts | None = None
    hangup: Annotated[HangUpSection, BeforeValidator(_hang_up)] | None = None
    next: StepRef | None = None
    open: StepRef | None = None
    closed: StepRef | None = None
    none: StepRef | None = None
    failed: StepRef | None = None
    otherwise: StepRef | None = None
    priority: Priority = 0


class OperatorSection(Section):
    key: Key
    step: StepRef


class FlowSection(Section):
    start: StepRef
    operator: OperatorSection | None = None
    steps: Annotated[dict[Name, StepSection], Count(1, 1000)]

    @model_validator(mode="before")
    @classmethod
    def _declare(cls, data: Any, info: ValidationInfo) -> Any:
        """Step names are the flow's own: the references below it mean these."""
        if isinstance(info.context, Declared):
            steps = data.get("steps") if isinstance(data, dict) else None
            info.context.steps = frozenset(steps) if isinstance(steps, dict) else None
        return data


class IvrSection(Section):
    steps: Annotated[Whole, Between(20, 10_000)] = 500
