"""What the steps of a flow say together.

The checks read the raw values, not the validated models, so that one wrong value elsewhere in a flow does
not hide a loop in it. They are quiet about what they cannot judge: that is another mistake already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ccbridge.config import flow_models as m
from ccbridge.config.mistakes import KEY, Loc, Notes, mapping, misspelt, show, suggest
from ccbridge.config.prompts import SpeechSection
from ccbridge.core.expr import Expr
from ccbridge.core.ivr import FACTS


class Verb(NamedTuple):
    """Keys that stand beside a verb: those that lead to a step and must be there, those that may, others."""

    ways: tuple[str, ...] = ()
    maybe: tuple[str, ...] = ()
    more: tuple[str, ...] = ()


VERBS: Mapping[str, Verb] = {
    "play": Verb(("next",)),
    "say": Verb(("next",)),
    "menu": Verb(),
    "ask": Verb(("next",)),
    "language": Verb(("next",)),
    "hours": Verb(("open", "closed")),
    "lookup": Verb(("next",), ("none", "failed")),
    "set": Verb(("next",)),
    "branch": Verb(("otherwise",)),
    "goto": Verb(),
    "call": Verb(("next",)),
    "done": Verb(),
    "queue": Verb(more=("priority",)),
    "transfer": Verb(),
    "message": Verb(),
    "hangup": Verb(),
}
_MEANS = {
    "next": "the step that follows",
    "otherwise": "the step if nothing of it is true",
    "open": "the step when it is open",
    "closed": "the step when it is closed",
}
# Walked without anything that the caller does, or that changes by itself.
_ALONE = ("play", "say", "language", "set", "call")


def check(data: Mapping[str, Any], folder: Path, notes: Notes) -> None:
    called = set[str]()
    spoken = _Spoken(data, folder)
    for flow, raw in mapping(data, "flows").items():
        loc, steps = ("flows", flow, "steps"), mapping(raw, "steps")
        for step, body in steps.items():
            if isinstance(body, dict):
                _verb((*loc, step), body, notes)
                _kinds((*loc, step), body, mapping(raw, "operator"), notes)
                _refers((*loc, step), body, data, notes)
                spoken.check((*loc, step), body, notes)
                if isinstance(body.get("call"), str):
                    called.add(body["call"])
        in_circles = _loops(loc, steps, notes)
        _reach(loc, raw, steps, in_circles, notes)
        _unset(loc, data, steps, notes)
    _come_back(data, called, notes)
    _from_flow_to_flow(data, notes)


def _verb(loc: Loc, body: Mapping[str, Any], notes: Notes) -> None:
    verbs = [key for key in body if key in VERBS]
    known = list(m.StepSection.model_fields)
    if len(verbs) > 1:
        notes.add(loc, f"has {' and '.join(verbs)}: a step has exactly one verb", kind="verb")
    elif verbs:
        verb = VERBS[verbs[0]]
        for key in body:
            of = [name for name, one in VERBS.items() if key in (*one.ways, *one.maybe, *one.more)]
            if of and verbs[0] not in of:
                notes.add((*loc, key, KEY), f"belongs to {_listed(of)} steps, not to {verbs[0]}")
        for key in verb.ways:
            if key not in body and not misspelt(key, body, known):
                notes.add((*loc, key), f"is missing: {_MEANS[key]}")
    elif not any(misspelt(verb, body, known) for verb in VERBS):
        notes.add(loc, f"has no verb: give one of {', '.join(VERBS)}", kind="verb")


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _kinds(loc: Loc, body: Mapping[str, Any], operator: Mapping[str, Any], notes: Notes) -> None:
    """What the keys of one verb's mapping say together."""
    say = body.get("say")
    if isinstance(say, dict) and len([key for key in say if key in m.SaySection.model_fields]) != 1:
        notes.add((*loc, "say"), f"must have exactly one of {', '.join(m.SaySection.model_fields)}")
    menu = body.get("menu")
    if isinstance(menu, dict):
        _keys((*loc, "menu"), menu, operator, notes)
    ask = body.get("ask")
    if isinstance(ask, dict):
        _digits((*loc, "ask"), ask, notes)


def _keys(loc: Loc, menu: Mapping[str, Any], operator: Mapping[str, Any], notes: Notes) -> None:
    meant: dict[Any, str] = {key: f"the step {to}" for key, to in mapping(menu, "choices").items()}
    for key in ("repeat", "back"):
        pressed = menu.get(key)
        if not isinstance(pressed, str):
            continue
        if pressed in meant:
            notes.add((*loc, key), f"{show(pressed)} is the key for {meant[pressed]} already")
        else:
            meant[pressed] = f"{key} of this menu"
    pressed = operator.get("key")
    if isinstance(pressed, str) and pressed in meant:
        notes.warn(loc, f"warning: in this menu {show(pressed)} is {meant[pressed]}, not the operator")
    known = list(m.MenuSection.model_fields)
    if not meant and not any(key in menu or misspelt(key, menu, known) for key in ("table", "choices")):
        notes.add((*loc, "choices"), "is missing: the keys and their steps, or table, or both")


def _digits(loc: Loc, ask: Mapping[str, Any], notes: Notes) -> None:
    least, most = (ask.get(key, m.AskSection.model_fields[key].default) for key in ("least", "most"))
    low, high = ask.get("low", 0), ask.get("high")
    if not all(isinstance(one, int) for one in (least, most, low)):
        return
    if least > most:
        notes.add((*loc, "least"), f"is more than most, {most}: nobody can key that")
    if low >= 10**most:
        notes.add((*loc, "low"), f"has more digits than most, {most}, allows")
    if isinstance(high, int) and high < low:
        notes.add((*loc, "high"), f"is less than low, {low}: nobody can key that")


def _refers(loc: Loc, body: Mapping[str, Any], data: Mapping[str, Any], notes: Notes) -> None:
    """Names of what stands in other sections, which need not be there."""
    for verb, section in (("hours", "hours"), ("lookup", "lookups")):
        name = body.get(verb)
        if isinstance(name, str) and name not in (there := mapping(data, section)):
            text = f"no {section} {show(name)}; {suggest(name, sorted(there), what=f'the {section} are')}"
            notes.add((*loc, verb), text)


class _Spoken:
    """Languages and prompts of flows, beside those of the site."""

    def __init__(self, data: Mapping[str, Any], folder: Path) -> None:
        listed = data.get("languages", ["en"])
        self._languages = [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
        self._texts = mapping(data, "prompts")
        recorded = mapping(data, "speech").get("recorded", SpeechSection.model_fields["recorded"].default)
        self._recorded = folder / str(recorded)
        self._told = set[str]()

    def check(self, loc: Loc, body: Mapping[str, Any], notes: Notes) -> None:
        language = body.get("language")
        if isinstance(language, str) and language not in self._languages:
            text = f"is none of languages; {suggest(language, self._languages)}"
            notes.add((*loc, "language"), text)
        for key, name in _prompts(body):
            if isinstance(name, str) and name in self._texts and name not in self._told:
                self._told.add(name)
                lacks = [one for one in self._languages if not self._has(name, one)]
                if lacks:
                    notes.warn((*loc, *key), f"warning: the prompt {name} has no text in {_listed(lacks)}")

    def _has(self, name: str, language: str) -> bool:
        return language in mapping(self._texts, name) or (self._recorded / language / f"{name}.wav").is_file()


def _prompts(body: Mapping[str, Any]) -> Iterator[tuple[Loc, Any]]:
    """Every prompt of a step, with its key."""
    places: list[tuple[Loc, Any]] = [(("play",), body.get("play")), (("message",), body.get("message"))]
    places.append((("hangup", "prompts"), mapping(body, "hangup").get("prompts")))
    for verb in ("menu", "ask"):
        for key in ("prompts", "confirm", "invalid", "silent"):
            places.append(((verb, key), mapping(body, verb).get(key)))
    for loc, listed in places:
        for index, name in enumerate(listed if isinstance(listed, list) else ()):
            yield (*loc, index), name


def _targets(body: Any) -> dict[Loc, str] | None:
    """Where a step leads, by the key that says so; ``None`` if that cannot be told."""
    verbs = [key for key in body if key in VERBS] if isinstance(body, dict) else []
    if len(verbs) != 1:
        return None
    verb, targets = VERBS[verbs[0]], dict[Loc, Any]()
    for key in verb.ways:
        targets[(key,)] = body.get(key)
    for key in verb.maybe:
        if key in body:
            targets[(key,)] = body[key]
    inside = body[verbs[0]]
    if verbs[0] in ("menu", "ask"):
        if not isinstance(inside, dict) or not isinstance(inside.get("choices", {}), dict):
            return None
        if verbs[0] == "menu" and not {"choices", "table"} & inside.keys():
            return None
        for key, step in inside.get("choices", {}).items():
            targets[(verbs[0], "choices", key)] = step
        targets[(verbs[0], "otherwise")] = inside.get("otherwise")
    elif verbs[0] == "branch":
        if not isinstance(inside, list):
            return None
        for index, way in enumerate(inside):
            targets[("branch", index, "to")] = way.get("to") if isinstance(way, dict) else None
    return targets if all(isinstance(step, str) for step in targets.values()) else None


def _ends(body: Any, *, goto: bool = True) -> bool:
    """Whether the call may leave the flow here; ``goto``: for another one, too."""
    ends = ("queue", "transfer", "message", "hangup", "done", *(("goto",) if goto else ()))
    menu = mapping(body, "menu")
    return isinstance(body, dict) and (any(key in body for key in ends) or "table" in menu)


def _loops(loc: Loc, steps: Mapping[str, Any], notes: Notes) -> bool:
    """Whether some steps follow each other for ever."""
    for_ever = list(_circles(steps, silent=False))
    for circle in for_ever:
        step, key = circle[0]
        way = " -> ".join([name for name, _ in circle] + [step])
        notes.add((*loc, step, *key), f"plays for ever without a menu: {way}")
    for circle in _circles(steps, silent=True):
        menus = [(step, key) for step, key in circle if len(key) > 1]
        if menus:
            step, key = menus[0]
            way = " -> ".join([name for name, _ in circle] + [circle[0][0]])
            notes.warn((*loc, step, *key), f"warning: without a key pressed this goes round for ever: {way}")
    return bool(for_ever)


def _circles(steps: Mapping[str, Any], *, silent: bool) -> Iterator[list[tuple[str, Loc]]]:
    """Every circle that is walked by itself, once each, as (step, key) pairs in file order.

    ``silent``: also through menus whose caller presses no key.
    """
    follow: dict[str, tuple[str, Loc]] = {}
    for step, body in steps.items():
        for key, target in (_targets(body) or {}).items():
            alone = key == ("next",) and any(verb in body for verb in _ALONE)
            if target in steps and (
                alone or (silent and key in (("menu", "otherwise"), ("ask", "otherwise")))
            ):
                follow[step] = (target, key)
    done: set[str] = set()
    for start in follow:
        walked: list[str] = []
        at = start
        while at in follow and at not in done:
            done.add(at)
            walked.append(at)
            at = follow[at][0]
        if at in walked:
            circle = walked[walked.index(at) :]
            yield [(step, follow[step][1]) for step in circle]


def _reach(loc: Loc, flow: Any, steps: Mapping[str, Any], in_circles: bool, notes: Notes) -> None:
    start = flow.get("start") if isinstance(flow, dict) else None
    if not isinstance(start, str):
        return
    leads = {step: _targets(body) for step, body in steps.items()}
    if start not in steps or any(
        targets is None or not set(targets.values()) <= steps.keys() for targets in leads.values()
    ):
        return  # a wrong name somewhere: the steps it should lead to are not to blame
    on = {step: set((targets or {}).values()) for step, targets in leads.items()}
    operator = mapping(flow, "operator").get("step")
    if isinstance(operator, str):
        for step, body in steps.items():
            if "menu" in body:
                on[step].add(operator)
    seen = _reached({start}, on)
    for step in steps:
        if step not in seen:
            notes.add((*loc, step), f"is never reached: no step leads here from {show(start)}", kind="reach")
    before: dict[str, set[str]] = {step: set() for step in steps}
    for step, targets_of in on.items():
        for target in targets_of:
            before.setdefault(target, set()).add(step)
    out = _reached({step for step, body in steps.items() if _ends(body)}, before)
    stuck = [step for step in steps if step in seen and step not in out]
    if stuck and not in_circles:
        notes.add((*loc, stuck[0]), f"has no way out: it never ends from {_listed(stuck)} on", kind="out")


def _reached(from_: set[str], on: Mapping[str, set[str]]) -> set[str]:
    seen, todo = set(from_), list(from_)
    while todo:
        for target in on.get(todo.pop(), ()):
            if target not in seen:
                seen.add(target)
                todo.append(target)
    return seen


def _unset(loc: Loc, data: Mapping[str, Any], steps: Mapping[str, Any], notes: Notes) -> None:
    """Names in expressions that no step of any flow gives a value."""
    given = _given(data)
    lookups = mapping(data, "lookups")
    for step, body in steps.items():
        for key, source in _expressions(body):
            for name in _names(source):
                first = name.partition(".")[0]
                if name not in given and name not in FACTS and (first == name or first not in lookups):
                    near = suggest(name, sorted(given | FACTS.keys()), what="known are")
                    notes.warn((*loc, step, *key), f"warning: {show(name)} is never set; {near}")


def _given(data: Mapping[str, Any]) -> set[str]:
    given: set[str] = set()
    for raw in mapping(data, "flows").values():
        for body in mapping(raw, "steps").values():
            given.update(key for key in mapping(body, "set") if isinstance(key, str))
            if isinstance(store := mapping(body, "ask").get("store"), str):
                given.add(store)
    return given


def _expressions(body: Any) -> Iterator[tuple[Loc, str]]:
    """Every expression of a step, with its key."""
    say = mapping(body, "say")
    for key in say:
        yield ("say", key), f"{{{say[key]}}}" if key != "text" else str(say[key])
    for key, source in mapping(body, "set").items():
        yield ("set", key), f"{{{source}}}"
    branch = body.get("branch") if isinstance(body, dict) else None
    for index, way in enumerate(branch if isinstance(branch, list) else ()):
        yield ("branch", index, "when"), f"{{{way.get('when') if isinstance(way, dict) else ''}}}"


def _names(text: str) -> Iterator[str]:
    try:
        for piece in m.pieces(text):
            if isinstance(piece, Expr):
                yield from sorted(piece.names())
    except ValueError:
        return  # a mistake of its own


def _come_back(data: Mapping[str, Any], called: set[str], notes: Notes) -> None:
    """Flows that are called come back somewhere; others cannot."""
    for flow, raw in mapping(data, "flows").items():
        steps = mapping(raw, "steps")
        back = [step for step, body in steps.items() if isinstance(body, dict) and "done" in body]
        if back and flow not in called:
            notes.warn(("flows", flow, "steps", back[0]), "warning: no step calls this flow: done hangs up")
        elif flow in called and not back and not any("goto" in mapping(steps, step) for step in steps):
            notes.warn(("flows", flow), "warning: is called and has no step with done: it never comes back")


def _from_flow_to_flow(data: Mapping[str, Any], notes: Notes) -> None:
    """Flows that lead to each other and nowhere else."""
    flows = {flow: list(mapping(raw, "steps").values()) for flow, raw in mapping(data, "flows").items()}
    goes = {
        flow: {body["goto"] for body in steps if isinstance(body, dict) and isinstance(body.get("goto"), str)}
        for flow, steps in flows.items()
    }
    before: dict[str, set[str]] = {}
    for flow, targets in goes.items():
        for target in targets:
            before.setdefault(target, set()).add(flow)
    ends = {flow for flow, steps in flows.items() if any(_ends(body, goto=False) for body in steps)}
    ending = _reached(ends, before)
    for flow in flows:
        if flow not in ending and goes[flow] and goes[flow] <= flows.keys():
            where = _listed(sorted(goes[flow]))
            notes.add(("flows", flow), f"has no way out: it only goes on with {where}, which does not end")
            return
