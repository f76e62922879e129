"""What another configuration would change, in the words of ``ccbridge.yml``.

    queues.sales.ring: 15 -> 20
    agents.anna: new
    agents.ben: gone

Pure functions over what was loaded; nothing of a secret is ever shown but that it changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pydantic import SecretStr

from ccbridge.config import prompts, score_cards
from ccbridge.config.loader import Site
from ccbridge.config.mistakes import dotted
from ccbridge.config.shapes import plain
from ccbridge.core.plan import Plan
from ccbridge.core.version import as_file

_MISSING = object()


def plans(old: Plan, new: Plan) -> list[str]:
    """One line for each difference, in the order of the new file; what is gone follows in the old one's."""
    return files(as_file(old), as_file(new))


def files(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The same for two plans as ``core.version`` writes them."""
    lines = list(_compared(_without_places(old), _without_places(new), ()))
    was, is_ = (
        sorted((one for one in this if one in other), key=lambda one: this[one]["number"])
        for this, other in ((old["agents"], new["agents"]), (new["agents"], old["agents"]))
    )
    if was != is_:
        lines.append(f"agents: order: {', '.join(was)} -> {', '.join(is_)}")
    return lines


def _without_places(file: Mapping[str, Any]) -> dict[str, Any]:
    """An agent's place changes as soon as somebody is put in before him: that is one line, not many."""
    agents = {
        name: {key: value for key, value in agent.items() if key != "number"}
        for name, agent in file["agents"].items()
    }
    return {**file, "agents": agents}


def sites(old: Site, new: Site, fixed: Iterable[str], waiting: Mapping[str, int]) -> list[str]:
    """The same for all that the file says. ``fixed``: sections that only a restart changes, which is said.

    ``waiting``: how many callers are in each queue's line now. Nobody takes those of a queue that is gone.
    """
    lines = plans(old.plan, new.plan)
    for queue, callers in waiting.items():
        gone = f"queues.{queue}: gone"
        if gone in lines:
            lines[lines.index(gone)] = f"{gone}; nobody takes the {callers} callers who wait in it"
    both = [agent for agent in new.plan.agents if agent in old.plan.agents]
    lines += _compared(_numbers(old, both), _numbers(new, both), ("agents",))
    lines += [
        f"agents.{agent}.personal.{name}: changed"  # it is somebody's number
        for agent in both
        for name, dialled in new.plan.agents[agent].personal.items()
        if old.plan.agents[agent].personal.get(name, dialled) != dialled
    ]
    told = {line.partition(":")[0] for line in lines}
    for section in ("callers", "routing", "phones", "codes", "supervision", "tickets"):
        was, is_ = getattr(old, section).model_dump(), getattr(new, section).model_dump()
        lines += [line for line in _compared(was, is_, (section,)) if line.partition(":")[0] not in told]
    was, is_ = (
        {
            name: one.model_dump(include={"departments", "numbers", "digits", "close_for"})
            for name, one in site.hours.items()
        }
        for site in (old, new)
    )
    lines += [line for line in _compared(was, is_, ("hours",)) if line.partition(":")[0] not in told]
    was, is_ = ({name: asdict(one) for name, one in site.lookups.items()} for site in (old, new))
    lines += _compared(was, is_, ("lookups",))
    was, is_ = ({name: asdict(one) for name, one in site.supervisors.items()} for site in (old, new))
    lines += _compared(was, is_, ("supervisors",))
    was, is_ = (
        {name: score_cards.as_file(one) for name, one in site.score_cards.items()} for site in (old, new)
    )
    lines += _compared(was, is_, ("score_cards",))
    lines += _compared(old.number_language, new.number_language, ("number_language",))
    lines += _compared(prompts.as_file(old.wording), prompts.as_file(new.wording), ())
    for section in fixed:
        was, is_ = getattr(old, section).model_dump(), getattr(new, section).model_dump()
        lines += [f"{line} (at the next restart)" for line in _compared(was, is_, (section,))]
    return lines


def _numbers(site: Site, agents: Iterable[str]) -> dict[str, Any]:
    keyed = {agent: number for number, agent in site.agent_numbers.items()}
    return {agent: {"number": keyed.get(agent)} for agent in agents}


def _compared(old: Any, new: Any, loc: tuple[str | int, ...]) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in (*new, *(key for key in old if key not in new)):
            yield from _compared(old.get(key, _MISSING), new.get(key, _MISSING), (*loc, key))
    elif _holds_mappings(old) or _holds_mappings(new):
        old, new = (value if isinstance(value, Sequence) else () for value in (old, new))
        for index in range(max(len(old), len(new))):
            was, is_ = (value[index] if index < len(value) else _MISSING for value in (old, new))
            yield from _compared(was, is_, (*loc, index))
    elif old != new:
        yield f"{dotted(loc)}: {_change(old, new)}"


def _holds_mappings(value: Any) -> bool:
    return isinstance(value, list | tuple) and any(isinstance(one, Mapping) for one in value)


def _change(old: Any, new: Any) -> str:
    if old is _MISSING:
        return "new" if isinstance(new, Mapping) else f"new, {_shown(new)}"
    if new is _MISSING:
        return "gone"
    if isinstance(new, SecretStr):
        return "changed"
    return f"{_shown(old)} -> {_shown(new)}"


def _shown(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return plain(value)
        case list() | tuple():
            return f"[{', '.join(map(_shown, value))}]"
        case Mapping():
            return f"{{{', '.join(f'{key}: {_shown(one)}' for key, one in value.items())}}}"
        case "" | None:
            return "nothing"
        case _:
            return str(value)
