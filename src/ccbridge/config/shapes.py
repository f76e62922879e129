"""What a value may look like: the annotations that the models are written in.

Each says in its error what is allowed, and can be asked for it by the test that compares
``docs/configuration.md`` with the models.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import phonenumbers
from pydantic import AfterValidator, BeforeValidator, GetCoreSchemaHandler, Strict, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from ccbridge.config.mistakes import show, suggest


@dataclass(slots=True)
class Declared:
    """Validation context: the names a reference may use. ``None`` = unknown, do not check."""

    folder: Path  # relative paths start here
    queues: frozenset[str] | None = None
    departments: frozenset[str] | None = None
    flows: frozenset[str] | None = None
    steps: frozenset[str] | None = None  # of the flow being validated


@dataclass(frozen=True, slots=True)
class Between:
    """A number from ``low`` to ``high``, both included."""

    low: float
    high: float
    unit: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, value: float) -> float:
        if self.low <= value <= self.high:
            return value
        unit = f" {self.unit}" if self.unit else ""
        raise ValueError(f"must be {plain(self.low)} to {plain(self.high)}{unit}, not {plain(value)}")


def plain(number: float) -> str:
    """15.0 as 15, 0.3 as 0.3."""
    return str(int(number)) if number == int(number) else str(number)


@dataclass(frozen=True, slots=True)
class Shaped:
    """Text that matches ``pattern`` as a whole; ``words`` says so to a person."""

    pattern: str
    words: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, value: str) -> str:
        if re.fullmatch(self.pattern, value):
            return value
        raise ValueError(f"must be {self.words}, not {show(value)}")


@dataclass(frozen=True, slots=True)
class Count:
    """A list or mapping of ``low`` to ``high`` different entries."""

    low: int
    high: int

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def _check(self, value: Any) -> Any:
        if self.low <= len(value) <= self.high:
            return value
        raise ValueError(f"must have {self.low} to {self.high} entries, not {len(value)}")


@dataclass(frozen=True, slots=True)
class Ref:
    """The name of something that stands elsewhere in the file."""

    kind: Literal["queue", "department", "flow", "step"]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_after_validator_function(self._check, handler(source))

    def _check(self, value: str, info: ValidationInfo) -> str:
        names: frozenset[str] | None = None
        if isinstance(info.context, Declared):
            at = info.context
            names = {
                "queue": at.queues, "department": at.departments, "flow": at.flows, "step": at.steps,
            }[self.kind]  # fmt: skip
        if names is None or value in names:
            return value
        where = "in this flow: " if self.kind == "step" else ""
        what = f"the {self.kind}s are"
        raise ValueError(f"{where}no {self.kind} {show(value)}; {suggest(value, sorted(names), what=what)}")


def _unique(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if twice := [value for index, value in enumerate(values) if value in values[:index]]:
        raise ValueError(f"{show(str(twice[0]))} stands in it twice")
    return values


def _path(value: object, info: ValidationInfo) -> Path:
    if not isinstance(value, str):
        raise PydanticCustomError("string_type", "must be text")
    if not value or not value.isprintable():
        raise ValueError("must be the name of a file or folder")
    folder = info.context.folder if isinstance(info.context, Declared) else Path()
    return Path(folder, value)


def _country(value: str) -> str:
    if value in phonenumbers.SUPPORTED_REGIONS:
        return value
    text = f"must be a country's two capital letters, such as GR, DE or US, not {show(value)}"
    if value.upper() in phonenumbers.SUPPORTED_REGIONS:
        text += f"; did you mean {show(value.upper())}?"
    raise ValueError(text)


UNIQUE = AfterValidator(_unique)

Text = Annotated[str, Strict()]
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
YesNo = Annotated[bool, Strict()]
SitePath = Annotated[Path, BeforeValidator(_path)]

Name = Annotated[Text, Shaped(r"[A-Za-z0-9_-]{1,40}", "a name of 1 to 40 letters, digits, - and _")]
Title = Annotated[
    Text, Shaped(r"(?=\S)[^\x00-\x1f\x7f-\x9f]{1,80}", "1 to 80 characters on one line, not beginning blank")
]
Host = Annotated[Text, Shaped(r"[A-Za-z0-9.:_-]{1,253}", "a host name or address")]
Account = Annotated[Text, Shaped(r"[A-Za-z0-9_.-]{1,64}", "1 to 64 letters, digits, - _ and .")]
Context = Annotated[Text, Shaped(r"[A-Za-z0-9_-]{1,79}", "a dialplan context: letters, digits, - and _")]
Device = Annotated[
    Text,
    Shaped(r"PJSIP/[A-Za-z0-9_-]{1,40}", "a PJSIP endpoint such as PJSIP/1001 (letters, digits, - and _)"),
]
# Reached by Goto through [ccbridge-exit], whose own h, i and the like are single letters.
Extension = Annotated[
    Text,
    Shaped(
        r"(?![A-Za-z]$)[A-Za-z0-9*#]{1,40}", "an extension: 1-40 letters, digits, * and #, no single letter"
    ),
]
# Names only, never paths out of the sound folder; no comma or & that would end a Playback argument.
Sound = Annotated[
    Text,
    Shaped(
        r"(?=.{1,200}$)[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*",
        "a sound name below the sound folder, no / at its start, no .wav (letters, digits, - _ /)",
    ),
]
Did = Annotated[
    Text,
    Shaped(
        r"\+[1-9][0-9]{4,14}|[0-9]{1,20}", "up to 20 digits as the trunk dials them, or + and an E.164 number"
    ),
]
E164 = Annotated[Text, Shaped(r"\+[1-9][0-9]{6,14}", "+ and an E.164 number")]
# Through a trunk, and digits only: nothing else of a number can get into the dial string.
TrunkDial = Annotated[
    Text,
    Shaped(
        r"PJSIP/[0-9]{0,10}\{(number|digits)\}@[A-Za-z0-9_-]{1,40}",
        "PJSIP/{number}@trunk, or digits and {digits} for the number without its +",
    ),
]
Key = Annotated[Text, Shaped(r"[0-9*#]", "one key of a phone: 0-9, * or #")]
FeatureCode = Annotated[Text, Shaped(r"(\*[0-9]{1,5})?", 'a code: * and 1 to 5 digits, or "" for none')]
AgentNumber = Annotated[Text, Shaped(r"[0-9]{1,10}", "1 to 10 digits")]
Prefix = Annotated[Text, Shaped(r"\+[1-9][0-9]{0,14}", "+ and 1 to 15 digits, the first one no 0")]
TagKey = Annotated[Text, Shaped(r"[0-9]{1,2}", "one or two digits")]
OutcomeKey = Annotated[Text, Shaped(r"[0-9]", "one digit, 0-9")]
Country = Annotated[Text, AfterValidator(_country)]

DepartmentRef = Annotated[Text, Ref("department")]
QueueRef = Annotated[Text, Ref("queue")]
FlowRef = Annotated[Text, Ref("flow")]
StepRef = Annotated[Text, Ref("step")]

Priority = Annotated[Whole, Between(-100, 100)]
Level = Annotated[Whole, Between(1, 100)]
Prompts = Annotated[tuple[Sound, ...], Count(1, 20)]
Message = Annotated[tuple[Sound, ...], Count(1, 4)]  # one variable of a channel, set in one line of AMI
MaybePrompts = Annotated[tuple[Sound, ...], Count(0, 20)]
