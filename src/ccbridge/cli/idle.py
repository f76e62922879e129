"""Why an agent has no call now, as sentences: what he does, what lifts it, and who waits. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ccbridge.cli import show
from ccbridge.cli.reasons import lacks, lasting, then, waits_for

Row = Mapping[str, Any]


def state(row: Row) -> str:
    """What keeps him, what lifts it, and when. ``row``: the daemon's answer to ``agent.explain``."""
    name, reason, call = show.plain(row["agent"]), row["reason"], show.plain(row["call"])
    left = None if row["left_s"] is None else lasting(row["left_s"])
    match row["state"]:
        case "available":
            return f"{name} is available, for {show.minutes(row['for_s'])}."
        case "logged_out":
            return f"{name} is logged out, until somebody logs in: `ccbridge agent login {name}`."
        case "paused":
            since = f"for {show.minutes(row['for_s'])}"
            end = f"until the pause is ended: `ccbridge agent unpause {name}`"
            if left is not None:
                end += f", or by itself in {left}"
            return f"{name} is paused ({show.plain(reason)}) {since}, {end}."
        case "wrap_up" if left is None:
            return f"{name} is in wrap-up of call {call}, as long as the phone is on the line{then(reason)}."
        case "wrap_up":
            return f"{name} is in wrap-up of call {call}, {left} left{then(reason) or '; then available'}."
        case "cooldown":
            what = {"refused": "refused a call", "dnd": "has the phone in do-not-disturb"}.get(
                reason, "missed a call"
            )
            return f"{name} {what} and is offered none for {left} more."
        case "unreachable" if reason == "not_registered":
            return f"{name}'s phone {show.plain(row['device'])} is not registered, until it is."
        case "unreachable":
            return f"{name}'s phone did not ring: tried again in {left}, or as soon as it registers."
        case "busy_elsewhere":
            return f"{name}'s phone is in a call that is not ours, until that ends."
        case "offered":
            return f"{name} is being offered call {call}{then(reason)}."
        case "talking":
            return f"{name} talks with call {call}{then(reason)}."
    return f"{name} is {show.plain(row['state']).replace('_', ' ')}."


def queues(row: Row) -> Iterator[tuple[str, list[str]]]:
    """For each queue that he serves a sentence, and why the callers in it are not for him."""
    if not row["serves"]:
        yield f"{show.plain(row['agent'])} serves no queue.", []
    for one in row["serves"]:
        yield _queue(row, one)


def _queue(row: Row, one: Row) -> tuple[str, list[str]]:
    queue, waiting, fits = show.plain(one["queue"]), one["waiting"], one["fits"]
    more = [f"call {show.plain(o['call'])}: offered to {show.plain(o['agent'])}" for o in one["with_others"]]
    more += [_beyond(caller) for caller in one["beyond"]]
    unnamed = waiting - fits - len(one["beyond"])
    if unnamed:
        more.append(f"... and {unnamed} more")
    if not waiting:
        return f"{queue}: nobody {'else ' if one['with_others'] else ''}waits.", more
    which = "all of them" if fits == waiting else f"{fits} of them" if fits else "none of them now"
    text = f"{queue}: {waiting} in line, {show.plain(row['agent'])} qualifies for {which}"
    if one.get("paused"):
        return f"{text}; the queue is paused, its calls are offered to nobody.", more
    if fits and row["state"] == "available":
        return f"{text}; {'a caller comes at once' if row['link_up'] else _DOWN}.", more
    return f"{text}.", more


_DOWN = "the link to Asterisk is down, so nobody can be rung"


def _beyond(caller: Row) -> str:
    if not caller["missing"]:
        return f"call {show.plain(caller['call'])}: {waits_for(caller['wish'])}"
    lets = caller["relaxes_s"]
    when = "no rule ever lets it" if lets is None else f"a rule lets it in {lasting(lets)}"
    return f"call {show.plain(caller['call'])}: {lacks(caller['missing'])}; {when}"
