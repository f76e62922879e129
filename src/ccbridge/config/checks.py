"""What several keys say together.

These checks read the raw values, not the validated models, so that one wrong value elsewhere in a flow
does not hide a loop in it. They are quiet about what they cannot judge: that is another mistake already.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ccbridge.config import departments, personal, phone_codes, score_cards, supervisors, ways_out
from ccbridge.config.departments import served
from ccbridge.config.mistakes import KEY, Loc, Notes, mapping, misspelt, show
from ccbridge.config.models import QueueSection, StepSection

VERBS = {"play": {"next"}, "menu": set(), "queue": {"priority"}, "transfer": set(), "hangup": set()}
"""The verbs of a step and the keys that go with each."""


def check(data: Mapping[str, Any], folder: Path, notes: Notes) -> None:
    notes.unique("agents", data.get("agents"), "device", "agent", "; one device, one agent")
    phone_codes.check(data, notes)
    personal.check(data, notes)
    departments.check(data, notes)
    supervisors.check(data, notes)
    score_cards.check(data, notes)
    for flow, raw in mapping(data, "flows").items():
        steps = mapping(raw, "steps")
        for step, body in steps.items():
            _verb(("flows", flow, "steps", step), body, notes)
        _loops(("flows", flow, "steps"), steps, notes)
        _reach(("flows", flow, "steps"), raw, steps, notes)
    _skills(data, notes)
    _wishes(data, notes)
    ways_out.check(mapping(data, "queues"), notes)
    _unused(data, notes)
    _paths(data, folder, notes)


def _skills(data: Mapping[str, Any], notes: Notes) -> None:
    """The rules of a queue begin at 0 s and ascend; each asks for what some agent of that queue has."""
    people = [raw for raw in mapping(data, "agents").values() if isinstance(raw, dict)]
    for queue, raw in mapping(data, "queues").items():
        rules = raw.get("skills") if isinstance(raw, dict) else None
        if not isinstance(rules, list):
            continue
        loc, last = ("queues", queue, "skills"), -1.0
        for index, rule in enumerate(rules):
            after = rule.get("after", 0) if isinstance(rule, dict) else None
            if not isinstance(after, int | float):
                continue
            if index == 0 and after != 0:
                notes.add(
                    (*loc, index, "after"), "must be 0 in the first rule: it holds from the first second on"
                )
            elif after <= last:
                notes.add(
                    (*loc, index), f"must hold later than the rule before it, which does so after {last:g} s"
                )
            last = after
            require = mapping(rule, "require")
            serving = [mapping(one, "skills") for one in people if queue in served(data, one)]
            if serving and require and not any(_has(skills, require) for skills in serving):
                notes.warn((*loc, index, "require"), "warning: no agent of this queue has all of it")


def _wishes(data: Mapping[str, Any], notes: Notes) -> None:
    """Who waits for one agent alone must have time left for the others."""
    for queue, raw in mapping(data, "queues").items():
        if not isinstance(raw, dict):
            continue
        max_wait = raw.get("max_wait", QueueSection.model_fields["max_wait"].default)
        for key in ("owner", "last_agent"):
            seconds = raw.get(key)
            if all(isinstance(one, int | float) for one in (seconds, max_wait)) and seconds >= max_wait:
                text = f"warning: is not less than max_wait, {max_wait:g} s: nobody else ever gets them"
                notes.warn(("queues", queue, key), text)


def _has(skills: Mapping[str, Any], require: Mapping[str, Any]) -> bool:
    levels = {**dict.fromkeys(require, 0), **skills}
    return all(
        isinstance(level, int) and isinstance(levels[name], int) and levels[name] >= level
        for name, level in require.items()
    )


def _verb(loc: Loc, body: Any, notes: Notes) -> None:
    if not isinstance(body, dict):
        return
    verbs = [key for key in body if key in VERBS]
    known = list(StepSection.model_fields)
    if len(verbs) > 1:
        notes.add(loc, f"has {' and '.join(verbs)}: a step has exactly one verb", kind="verb")
    elif verbs:
        for key in body:
            of = [verb for verb, keys in VERBS.items() if key in keys]
            if of and verbs[0] not in of:
                notes.add((*loc, key, KEY), f"belongs to {of[0]} steps, not to {verbs[0]}")
        if verbs == ["play"] and "next" not in body and not misspelt("next", body, known):
            notes.add((*loc, "next"), "is missing: the step after the prompts")
    elif not any(misspelt(verb, body, known) for verb in VERBS):
        notes.add(loc, f"has no verb: give one of {', '.join(VERBS)}", kind="verb")


def _targets(body: Any) -> dict[Loc, str] | None:
    """Where a step leads, by the key that says so; ``None`` if that cannot be told."""
    verbs = [key for key in body if key in VERBS] if isinstance(body, dict) else []
    if len(verbs) != 1:
        return None
    if verbs == ["play"]:
        targets: dict[Loc, Any] = {("next",): body.get("next")}
    elif verbs == ["menu"]:
        menu = body["menu"]
        if not isinstance(menu, dict) or not isinstance(menu.get("choices"), dict):
            return None
        targets = {("menu", "choices", key): step for key, step in menu["choices"].items()}
        targets[("menu", "otherwise")] = menu.get("otherwise")
    else:
        return {}
    return targets if all(isinstance(step, str) for step in targets.values()) else None


def _circles(steps: Mapping[str, Any], keys: tuple[Loc, ...]) -> Iterator[list[tuple[str, Loc]]]:
    """Every circle that is walked by ``keys`` alone, once each, as (step, key) pairs in file order."""
    follow: dict[str, tuple[str, Loc]] = {}
    for step, body in steps.items():
        for key, target in (_targets(body) or {}).items():
            if key in keys and target in steps:
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


def _loops(loc: Loc, steps: Mapping[str, Any], notes: Notes) -> None:
    for circle in _circles(steps, (("next",),)):
        step, key = circle[0]
        way = " -> ".join([name for name, _ in circle] + [step])
        notes.add((*loc, step, *key), f"plays for ever without a menu: {way}")
    for circle in _circles(steps, (("next",), ("menu", "otherwise"))):
        menus = [(step, key) for step, key in circle if key != ("next",)]
        if menus:
            step, key = menus[0]
            way = " -> ".join([name for name, _ in circle] + [circle[0][0]])
            notes.warn((*loc, step, *key), f"warning: without a key pressed this goes round for ever: {way}")


def _reach(loc: Loc, flow: Any, steps: Mapping[str, Any], notes: Notes) -> None:
    start = flow.get("start") if isinstance(flow, dict) else None
    if not isinstance(start, str):
        return
    leads = {step: _targets(body) for step, body in steps.items()}
    if start not in steps or any(
        targets is None or not set(targets.values()) <= steps.keys() for targets in leads.values()
    ):
        return  # a wrong name somewhere: the steps it should lead to are not to blame
    seen, todo = {start}, [start]
    while todo:
        for target in (leads[todo.pop()] or {}).values():
            if target not in seen:
                seen.add(target)
                todo.append(target)
    for step in steps:
        if step not in seen:
            notes.add((*loc, step), f"is never reached: no step leads here from {show(start)}", kind="reach")


def _unused(data: Mapping[str, Any], notes: Notes) -> None:
    taken = {name for raw in mapping(data, "agents").values() for name in served(data, raw)}
    for queue in mapping(data, "queues"):
        if queue not in taken:
            notes.warn(("queues", queue), "warning: no agent serves it; its callers wait for max_wait")
    used = {target for target in mapping(data, "numbers").values() if isinstance(target, str)}
    for flow in mapping(data, "flows"):
        if flow not in used and flow != data.get("default_flow"):
            notes.warn(("flows", flow), "warning: no number and no default_flow leads here")


def _paths(data: Mapping[str, Any], folder: Path, notes: Notes) -> None:
    socket = mapping(data, "control").get("socket")
    if isinstance(socket, str) and len(bytes(folder / socket)) > 100:
        notes.add(("control", "socket"), "is too long a path for a Unix socket: at most 100 bytes in all")
    followed = mapping(data, "catch_up")
    cdr_file, cel_file = followed.get("cdr_file"), followed.get("cel_file")
    if isinstance(cdr_file, str) and isinstance(cel_file, str) and folder / cdr_file == folder / cel_file:
        notes.add(("catch_up", "cel_file"), "is the cdr_file, too; Asterisk writes them as two files")
    directory = mapping(data, "recording").get("directory")
    if isinstance(directory, str) and set(str(folder / directory)) & set(" ,;&|$\"'`(){}[]\\"):
        # It becomes an argument of MixMonitor in the dialplan.
        notes.add(("recording", "directory"), "may hold no blank and none of , ; & | $ quotes and brackets")
