"""The reasons that a decision keeps (``core.why``), in words. Pure: data in, text out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ccbridge.cli import show

Named = Mapping[str, Any]

# reason -> one agent, several
COUNTED = {
    "skill": ("lacked a skill", "lacked a skill"),
    "behind": ("was free and came later in the order", "were free and came later in the order"),
    "not_wished": (
        "was free, and the caller waits for another",
        "were free, and the caller waits for another",
    ),
    "available": ("was free", "were free"),
    "offered": ("was being offered another call", "were being offered other calls"),
    "talking": ("was talking", "were talking"),
    "wrap_up": ("was in wrap-up", "were in wrap-up"),
    "paused": ("was paused", "were paused"),
    "unreachable": ("had no phone that answers", "had no phone that answers"),
    "cooldown": ("was cooling down", "were cooling down"),
    "busy_elsewhere": ("had the phone in use", "had the phone in use"),
    "logged_out": ("was logged out", "were logged out"),
}
# what a strategy looks at -> how an agent's figure reads
FIGURES = {
    "preferred": "has {} of the preferred skills",
    "longest_idle": "idle for {}",
    "round_robin": "last turn {} ago",
    "fewest_calls": "talks since the log-in: {}",
    "least_talk": "talked {} since the log-in",
    "linear": "place {} in the configuration",
    "most_skilled": "levels that add up to {}",
}
IN_SECONDS = ("longest_idle", "round_robin", "least_talk")


def lasting(seconds: float) -> str:
    """``12 s``; from a hundred seconds on ``2:35``."""
    return f"{seconds:.0f} s" if seconds < 99.5 else show.minutes(seconds)


def counted(counts: Mapping[str, int]) -> str:
    """``2 were talking, 1 lacked a skill``: the most frequent reason first; the chosen one is not counted."""
    rest = sorted((-n, why) for why, n in counts.items() if n and why != "chosen")
    return ", ".join(f"{-n} {COUNTED[why][n < -1] if why in COUNTED else show.plain(why)}" for n, why in rest)


def against(named: Named) -> str:
    """``cyd: wrap-up, 12 s left``: why one agent did not get the call."""
    return f"{show.plain(named['agent'])}: {_why(named)}"


def _why(named: Named) -> str:
    why, reason, call = named["why"], named.get("reason"), named.get("call")
    left = f", {lasting(named['left_s'])} left" if "left_s" in named else ""
    match why:
        case "behind":
            return _behind(named)
        case "not_wished":
            return "free; the caller waits for another agent"
        case "skill":
            return lacks(named["missing"])
        case "wrap_up":
            return f"wrap-up{left}{then(reason)}"
        case "cooldown" if reason == "dnd":
            return f"the phone refused by itself: do-not-disturb{left}"
        case "cooldown":
            return f"cooling down after a call that was {show.plain(reason or 'missed')}{left}"
        case "paused":
            return f"paused ({show.plain(reason)}){left}"
        case "unreachable" if reason == "not_registered":
            return "the phone is not registered"
        case "unreachable":
            return f"the phone did not ring{left}"
        case "busy_elsewhere":
            return "the phone is in use"
        case "offered":
            how = "rings for" if named.get("rings") else "reserved for"
            return f"{how} call {show.plain(call)}{then(reason)}"
        case "talking":
            return f"talks with call {show.plain(call)}{then(reason)}"
    return show.plain(why).replace("_", " ")


def _behind(named: Named) -> str:
    if named["by"] == "random":
        return "free, too; chosen by lot"
    if named["by"] == "personal":
        return "free, too; his own telephone is rung alone, when nobody else is free"
    figure = FIGURES[named["by"]]
    his, other = (_figure(named["by"], named[side]) for side in ("has", "chosen"))
    return f"free, too; {figure.format(his)}, the chosen one {other}"


def _figure(by: str, value: float | None) -> str:
    if value is None:
        return "never"
    return lasting(value) if by in IN_SECONDS else f"{value:g}"


def lacks(missing: Mapping[str, Any]) -> str:
    """``has greek 2, 4 is required``."""
    return "; ".join(
        f"has {f'{show.plain(skill)} {has}' if has else f'no {show.plain(skill)}'}, {needs} is required"
        for skill, (has, needs) in missing.items()
    )


def waits_for(wish: Mapping[str, Any]) -> str:
    """``waits for ben alone, who talked with this customer last, for 15 s at most``"""
    return (
        f"waits for {show.plain(wish['agent'])} alone, {whose(wish)}, for {lasting(wish['left_s'])} at most"
    )


def whose(wish: Mapping[str, Any]) -> str:
    """Why one waits for this agent."""
    return "whose customer this is" if wish["why"] == "owner" else "who talked with this customer last"


def then(reason: str | None) -> str:
    """What follows what he does now."""
    if not reason:
        return ""
    return "; then logged out" if reason == "logging_out" else f"; then paused ({show.plain(reason)})"


def asked(rule: Mapping[str, Any]) -> str:
    """``greek 4 or more, rather with billing 2``; what a rule asks for."""

    def levels(skills: Mapping[str, int]) -> str:
        return " and ".join(f"{show.plain(skill)} {level} or more" for skill, level in skills.items())

    needs = levels(rule["require"]) or "anybody of the queue"
    return f"{needs}, rather with {levels(rule['prefer'])}" if rule["prefer"] else needs
