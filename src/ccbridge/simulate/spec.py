"""The made-up load, as somebody writes it: a YAML file or ``key=value`` text, checked whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ccbridge.config.mistakes import ConfigErrors, Loc, Notes, show, suggest
from ccbridge.config.nodes import MAX_BYTES, parse
from ccbridge.core.plan import Plan

TEXT = "--synthetic"  # what stands for the file's name in a mistake, when there is none
LAWS = ("exponential", "constant", "lognormal")
# key -> lowest, highest, unit
RANGES: Mapping[str, tuple[float, float, str]] = {
    "hours": (0.01, 100_000, "hours"),
    "answer": (0, 60, "seconds"),
    "calls": (0.01, 1_000_000, "calls an hour"),
    "talk": (0.1, 36_000, "seconds"),
    "spread": (0.01, 10, "times the mean"),
    "patience": (0.1, 86_400, "seconds"),
    "priority": (-100, 100, ""),
    "mix": (0.001, 1_000_000, "parts"),
}
EVERYWHERE = ("calls", "talk", "law", "spread", "patience", "priority")  # for all queues, or for one
WHOLE = ("hours", "answer", "mix", "queues")


@dataclass(frozen=True, slots=True)
class QueueLoad:
    """What comes to one queue. The ranges are those of ``RANGES``."""

    calls: float = 0.0  # an hour
    talk: float = 180.0  # mean, seconds
    law: str = "exponential"  # of the talk
    spread: float = 1.0  # lognormal: standard deviation as a multiple of the mean
    patience: float | None = None  # mean seconds, exponential; None: nobody hangs up
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Spec:
    hours: float  # for so long callers come
    answer: float  # seconds that a phone rings before its agent takes the call
    queues: Mapping[str, QueueLoad]


def read(source: str, plans: Mapping[str, Plan]) -> Spec:
    """``source`` is the name of a YAML file, or text such as ``calls=60 talk=180 sales.patience=90``.

    ``plans`` maps the name of each configuration that is to be tried to its plan: queues must be in all of
    them, and every phone must ring for longer than ``answer``. Raises ``ConfigErrors`` with all mistakes.
    """
    if _is_file(source):
        notes = Notes(Path(source))
        data = _from_file(Path(source), notes)
    else:
        notes = Notes(Path(TEXT))
        notes.lines[()] = 0
        data = _from_text(source, notes)
    spec = None if data is None else _Reader(notes, plans).spec(data)
    if spec is None or notes.mistakes:
        raise ConfigErrors(notes.mistakes)
    return spec


def _is_file(source: str) -> bool:
    try:
        return Path(source).is_file()
    except (OSError, ValueError):  # too long for a name, or with a NUL in it: text, and no good one perhaps
        return False


def _from_file(file: Path, notes: Notes) -> dict[str, Any] | None:
    try:
        with file.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
        text = raw.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "this is not UTF-8 text"
        notes.add((), f"cannot be read: {reason}", line=0)
        return None
    if len(raw) > MAX_BYTES:
        notes.add((), f"is longer than {MAX_BYTES} bytes", line=0)
        return None
    tree = parse(text, notes)
    return None if tree is None else tree.data


def _from_text(source: str, notes: Notes) -> dict[str, Any] | None:
    if "=" not in source:
        notes.add((), f"there is no file {show(source)}, and it is no text such as calls=60 talk=180")
        return None
    data: dict[str, Any] = {}
    queues: dict[str, dict[str, Any]] = {}
    for word in source.split():
        key, equals, value = word.partition("=")
        if not (key and equals and value):
            notes.add((), f"{show(word)} is not key=value", kind=word)
            continue
        queue, dot, inner = key.removeprefix("queues.").rpartition(".")
        inside = queues.setdefault(queue, {}) if dot else data
        loc: Loc = ("queues", queue, inner) if dot else (inner,)
        if inner in inside:
            notes.add(loc, "stands here a second time", kind="again")
        elif loc == ("queues",):
            notes.add(loc, "in text a queue's keys are written as sales.talk=300")
        else:
            inside[inner] = _shares(value) if key == "mix" else _scalar(value)
    return {**data, "queues": queues} if queues else data


def _shares(value: str) -> dict[str, Any]:
    """``sales:2,support:1``; without a number a share is 1."""
    pairs = (one.partition(":") for one in value.split(","))
    return {name: _scalar(share) if colon else 1 for name, colon, share in pairs}


def _scalar(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


class _Reader:
    def __init__(self, notes: Notes, plans: Mapping[str, Plan]) -> None:
        self.notes = notes
        self.plans = plans

    def spec(self, data: dict[str, Any]) -> Spec | None:
        self._known((), data, (*WHOLE, *EVERYWHERE))
        hours = self._number(("hours",), data.get("hours", 8.0), "hours")
        answer = self._number(("answer",), data.get("answer", 0.0), "answer")
        self._rings(answer)
        common = self._load((), data, QueueLoad())
        own, mix = self._queues("queues", data), self._queues("mix", data)
        shares = {name: self._number(("mix", name), share, "mix") for name, share in mix.items()}
        loads: dict[str, QueueLoad] = {}
        for name in dict.fromkeys((*own, *mix)) or self._in_all_plans():
            inside = own.setdefault(name, {})
            if isinstance(inside, dict):
                self._known(("queues", name), inside, EVERYWHERE)
                loads[name] = self._load(("queues", name), inside, common)
            else:
                self.notes.add(("queues", name), "must be a mapping, such as calls: 60")
        if self.notes.mistakes:
            return None
        if not mix:
            shares = {name: 1.0 for name in loads if "calls" not in own[name]}
        self._share_out("calls" in data, own, shares, loads)
        return Spec(hours, answer, loads)

    def _share_out(
        self,
        common: bool,
        own: Mapping[str, Mapping[str, Any]],
        shares: Mapping[str, float],
        loads: dict[str, QueueLoad],
    ) -> None:
        """The common calls go to who has none of his own: by ``mix``, else in equal parts."""
        if common and not shares:
            self.notes.add(("calls",), "every queue has calls of its own: these would come to none")
        for name, load in loads.items():
            loc: Loc = ("queues", name)
            if name in shares and "calls" in own[name]:
                self.notes.add((*loc, "calls"), "has calls of its own and a share in mix: give one of them")
            elif name in shares and common:
                loads[name] = replace(load, calls=load.calls * shares[name] / sum(shares.values()))
            elif "calls" not in own[name]:
                why = "" if name in shares else ", and it has no share in mix"
                self.notes.add(loc, f"calls is missing, how many come in an hour{why}")

    def _in_all_plans(self) -> list[str]:
        first, *others = self.plans.values()
        return [name for name in first.queues if all(name in other.queues for other in others)]

    def _rings(self, answer: float) -> None:
        for file, plan in self.plans.items():
            short = [queue.name for queue in plan.queues.values() if queue.ring <= answer]
            if short:
                why = f"in {file} a phone rings no longer than that for {', '.join(short)}"
                self.notes.add(("answer",), why, kind=file)

    def _load(self, loc: Loc, data: Mapping[str, Any], common: QueueLoad) -> QueueLoad:
        """The keys of ``EVERYWHERE`` that stand here, over the common ones."""
        found: dict[str, Any] = {}
        for key in EVERYWHERE:
            if key not in data:
                continue
            value, here = data[key], (*loc, key)
            if key == "law":
                if value in LAWS:
                    found[key] = value
                else:
                    said = f", not {show(value)}" if isinstance(value, str) else ""
                    self.notes.add(here, f"must be one of {', '.join(LAWS)}{said}")
            elif key == "patience" and value == "none":
                found[key] = None
            else:
                found[key] = self._number(here, value, key)
        load = replace(common, **found)
        if "spread" in data and load.law != "lognormal":
            self.notes.add((*loc, "spread"), f"is for lognormal talks; these are {load.law}")
        if load.priority != int(load.priority):
            self.notes.add((*loc, "priority"), f"must be a whole number, not {load.priority:g}")
        return replace(load, priority=int(load.priority))

    def _number(self, loc: Loc, value: Any, kind: str) -> float:
        """The number, or 1.0 when it is none or out of range: the mistake is noted."""
        low, high, unit = RANGES[kind]
        none = " or none" if kind == "patience" else ""
        if isinstance(value, bool) or not isinstance(value, int | float):
            said = f", not {show(value)}" if isinstance(value, str) else ""
            self.notes.add(loc, f"must be a plain number{none}{said}")
        elif not low <= value <= high:
            self.notes.add(loc, f"must be {low:g} to {high:,.0f} {unit}".rstrip() + f"{none}, not {value:g}")
        else:
            return float(value)
        return 1.0

    def _queues(self, section: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """A mapping whose keys are queues of every plan."""
        found = data.get(section, {})
        if not isinstance(found, dict):
            self.notes.add((section,), "must be a mapping with the names of queues")
            return {}
        for name in found:
            for file, plan in self.plans.items():
                if name not in plan.queues:
                    near = suggest(name, plan.queues, what="the queues are")
                    self.notes.add((section, name), f"no queue {show(name)} in {file}; {near}", kind=file)
        return dict(found)

    def _known(self, loc: Loc, data: Mapping[str, Any], keys: Sequence[str]) -> None:
        for key in data:
            if key not in keys:
                self.notes.add((*loc, key), f"unknown key; {suggest(key, keys)}")
