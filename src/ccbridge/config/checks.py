"""What several keys say together.

These checks read the raw values, not the validated models, so that one wrong value elsewhere does not hide
what they look for. They are quiet about what they cannot judge: that is another mistake already.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ccbridge.config import (
    departments,
    flows,
    hours,
    lookups,
    personal,
    phone_codes,
    score_cards,
    supervisors,
    ways_out,
)
from ccbridge.config.departments import served
from ccbridge.config.mistakes import Notes, mapping
from ccbridge.config.models import QueueSection


def check(data: Mapping[str, Any], folder: Path, notes: Notes) -> None:
    notes.unique("agents", data.get("agents"), "device", "agent", "; one device, one agent")
    phone_codes.check(data, notes)
    personal.check(data, notes)
    departments.check(data, notes)
    supervisors.check(data, notes)
    score_cards.check(data, notes)
    flows.check(data, folder, notes)
    lookups.check(data, notes)
    hours.check(data, notes)
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


def _unused(data: Mapping[str, Any], notes: Notes) -> None:
    taken = {name for raw in mapping(data, "agents").values() for name in served(data, raw)}
    for queue in mapping(data, "queues"):
        if queue not in taken:
            notes.warn(("queues", queue), "warning: no agent serves it; its callers wait for max_wait")
    used = {target for target in mapping(data, "numbers").values() if isinstance(target, str)}
    for raw in mapping(data, "flows").values():
        for body in mapping(raw, "steps").values():
            to = body.get("goto", body.get("call")) if isinstance(body, dict) else None
            used |= {to} if isinstance(to, str) else set()
    for flow in mapping(data, "flows"):
        if flow not in used and flow != data.get("default_flow"):
            notes.warn(("flows", flow), "warning: no number, no default_flow and no other flow leads here")


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
