"""Scripted dialogues: what a caller does in a flow, what he hears, and where it ends.

A file of them, for a site's own tests::

    dialogues:
      - name: an order
        did: "2101234567"            # or flow: main
        assume:
          time.hour: 10
          hours: {office: closed}
          lookups: {balance: {amount: 12}}    # null: no answer
          answers: {main: {"5": sales}}
        caller:
          - hears: welcome           # by then, whatever else he hears
          - presses: "1"             # one key after another, each when it is waited for
          - waits                    # for nothing
          - hangs up
        ends: queue sales
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ccbridge.core.flows import Flow
from ccbridge.core.plan import Plan
from ccbridge.ivr.walk import Assumed, HungUp, ended, walk

Plain = str | int | bool
Keys = Annotated[str, Field(pattern=r"^[0-9*#]+$")]


class BadDialogues(Exception):
    """The file cannot be read; the message says where and why."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Hears(_Strict):
    hears: str


class Presses(_Strict):
    presses: Keys


class Assume(BaseModel):
    """These, and any fact by its name."""

    model_config = ConfigDict(extra="allow", frozen=True)

    hours: dict[str, Literal["open", "closed"]] = {}
    lookups: dict[str, dict[str, Plain] | None] = {}
    answers: dict[str, dict[str, str]] = {}

    @model_validator(mode="after")
    def _plain(self) -> Self:
        for name, value in (self.model_extra or {}).items():
            if not isinstance(value, str | int):
                raise ValueError(f"{name} must be a text, a whole number, true or false")
        return self


class Dialogue(_Strict):
    name: str
    did: str = ""
    flow: str = ""
    assume: Assume = Assume()
    caller: list[Hears | Presses | Literal["waits", "hangs up"]] = []
    ends: str


class _File(_Strict):
    dialogues: Annotated[list[Dialogue], Field(min_length=1)]


class Failed(Exception):
    """The dialogue went another way; the message says how."""


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    wrong: str  # "": as it was written
    heard: tuple[str, ...]


@dataclass(slots=True)
class _Scripted:
    """A caller who does what is written, and remembers what he heard since he last did something."""

    acts: list[Hears | Presses | str]
    heard: list[str] = field(default_factory=list)
    since: list[str] = field(default_factory=list)
    steps: set[tuple[str, str]] = field(default_factory=set)
    pressing: str = ""
    flow: str = ""

    def hears(self, what: str, keys: bool) -> str:
        self.heard.append(what)
        self.since.append(what)
        self._listen()
        return ""

    def waits(self, seconds: float) -> str:
        if not self.pressing:
            self._listen()
            act = self.acts.pop(0) if self.acts else None
            self.since = []
            match act:
                case Presses():
                    self.pressing = act.presses
                case "waits":
                    return ""
                case "hangs up":
                    raise HungUp
                case Hears():
                    raise Failed(f"he did not hear {act.hears}")
                case None:
                    raise Failed("the flow waits for a key, and the dialogue says no more")
        key, self.pressing = self.pressing[0], self.pressing[1:]
        return key

    def comes(self, step: str, result: str, flow: str) -> None:
        self.steps.add((flow, step))

    def _listen(self) -> None:
        """Take what is to be heard from the script, in its order."""
        while self.acts and isinstance(act := self.acts[0], Hears) and act.hears in self.since:
            del self.since[: self.since.index(act.hears) + 1]
            self.acts.pop(0)


def read(path: Path) -> list[Dialogue]:
    """Raises BadDialogues."""
    try:
        return _File.model_validate(yaml.safe_load(path.read_text("utf-8"))).dialogues
    except (OSError, UnicodeDecodeError) as error:
        raise BadDialogues(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise BadDialogues(f"{path}: {str(error).strip()}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadDialogues(f"{path}: {where}: {first['msg']}") from error


def run(plan: Plan, dialogue: Dialogue) -> Result:
    caller = _Scripted(list(dialogue.caller))
    try:
        ending = _ending(plan, dialogue, caller)
        if isinstance(caller.acts[0] if caller.acts else None, Hears):
            wrong = f"he did not hear {caller.acts[0].hears}"  # type: ignore[union-attr]
        elif caller.acts or caller.pressing:
            wrong = f"it ended with {ending}, before the caller had done all"
        else:
            wrong = "" if ending == dialogue.ends else f"it ended with {ending}, not with {dialogue.ends}"
    except Failed as failed:
        wrong = str(failed)
    return Result(dialogue.name, wrong, tuple(caller.heard))


def _ending(plan: Plan, dialogue: Dialogue, caller: _Scripted) -> str:
    assume = dialogue.assume
    facts: dict[str, Plain] = {"did": dialogue.did, **(assume.model_extra or {})}
    assumed = Assumed(
        facts,
        {name: state == "open" for name, state in assume.hours.items()},
        dict(assume.lookups),
        assume.answers,
    )
    try:
        return ended(walk(plan, _flow(plan, dialogue), assumed, caller))
    except HungUp:
        return "hangs up"


def _flow(plan: Plan, dialogue: Dialogue) -> Flow:
    if not dialogue.flow:
        return plan.flow_for(dialogue.did)
    if dialogue.flow not in plan.flows:
        raise Failed(f"there is no flow {dialogue.flow}")
    return plan.flows[dialogue.flow]
