"""A call's events as sentences: how he waited, who was chosen and why. Pure: data in, text out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from ccbridge.cli import show
from ccbridge.cli.reasons import against, asked, counted, lasting, waits_for, whose

# How a call ended, and who ended it; ``offer_ended`` and ``ended`` say so by these names.
ENDS = {
    "answered": "answered",
    "abandoned": "the caller gave up",
    "menu_ended": "it ended in the menu",
    "overflowed": "it left the queue by the overflow",
    "left": "it left for the site's own extensions",
    "fallback": "it went to Asterisk's own queue, because the daemon was away",
    "pbx_restart": "Asterisk was stopped or crashed",
    "lost": "it ended unseen",
}
BY = {
    "caller": "the caller hung up",
    "agent": "the agent hung up",
    "target": "who had got the caller hung up",
    "taken_over": "a supervisor took the caller over",
    "system": "",
    "unknown": "",
}
OFFERS = {
    "missed": "{agent} did not answer",
    "not_confirmed": "{agent}'s own telephone was picked up, and nobody pressed 1",
    "refused": "{agent} refused",
    "busy": "{agent}'s phone was busy",
    "unreachable": "{agent}'s phone did not ring",
    "withdrawn": "{agent} is not rung any more: the caller was gone",
    "elsewhere": "{agent} is not rung any more: a colleague has answered",
    "lost": "what came of the offer to {agent} was not seen",
}
WAYS_OUT = {
    "draining": "the queue takes no new callers",
    "redirected": "a supervisor sends it there",
    "time": "he has waited as long as the queue lets anybody wait",
    "full": "the queue was full",
    "nobody": "nobody was logged in",
    "paused": "all agents were paused",
    "key": "he pressed the key for it",
}
# nothing that a wait or a choice is explained by
SILENT = {
    "dialled", "held", "resumed", "customer", "recording_asked", "recording_paused", "recording_resumed",
}  # fmt: skip


class Told(NamedTuple):
    at: datetime
    text: str
    more: tuple[str, ...] = ()


def tell(events: Iterable[Mapping[str, Any]]) -> list[Told]:
    """A sentence for each step, with the reasons below it. ``events``: at, kind, data, in their order."""
    return list(_Story().tell(list(events)))


def waits(found: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Why nobody takes a caller: a sentence, and the reasons one by one. ``found``: of a ``waiting``."""
    why = found["why"]
    if why.get("link") is False:
        return "The link to Asterisk is down: nobody can be rung.", ()
    if why.get("queue") == "paused":
        return "The queue is paused: its calls are offered to nobody.", ()
    counts = why["counts"]
    people = sum(counts.values())
    if not people:
        return "The queue has no agents.", ()
    whom = "the queue's only agent" if people == 1 else f"the queue's {people} agents"
    more = [against(one) for one in why["named"]]
    if people > len(more):
        more.append(f"... and {people - len(more)} more")
    if "wish" in found:
        more.append(f"the caller {waits_for(found['wish'])}")
    if found.get("relaxes_s") is not None:
        more.append(f"the next rule is in force in {lasting(found['relaxes_s'])}")
    return f"None of {whom} can take the call: {counted(counts)}.", tuple(more)


def now(live: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """What a live call waits for at this moment. ``live``: the daemon's answer to ``call.explain``."""
    state, agent = live["state"], show.plain(live["agent"])
    if live["now"] is not None:
        text, more = waits(live["now"])
        where = f"In line for {show.plain(live['queue'])} for {lasting(live['wait_s'] or 0.0)}"
        rule = live["now"].get("rule")
        wanted = f" Asked for: {asked(rule)}." if rule else ""
        return f"{where}, number {live['position']}.{wanted} {text}", more
    match state:
        case "menu":
            return "In the menu.", ()
        case "offered":
            return f"Being offered to {agent}: {live['offer']['state']}.", ()
        case "talking":
            return f"Talks with {agent}, for {show.minutes(live['talk_s'])}.", ()
        case "fallback":
            return "In Asterisk's own queue: the daemon was away.", ()
    return f"{show.plain(state).capitalize()}.", ()


def head(live: Mapping[str, Any] | None, stored: Mapping[str, Any] | None) -> str:
    """The whole of it in a few words."""
    if live is not None or stored is None or "disposition" not in stored:
        return "not over yet"
    words = ENDS.get(stored["disposition"], show.plain(stored["disposition"]))
    by = f" by {show.plain(stored['agent'])}" if stored["disposition"] == "answered" else ""
    queue = f" in {show.plain(stored['queue'])}" if stored["queue"] else ""
    wait = stored["wait_s"]
    return f"{words}{by}{'' if wait is None else f' after {lasting(wait)}{queue}'}"


class _Story:
    def __init__(self) -> None:
        self.queued: datetime | None = None
        self.rule: Mapping[str, Any] | None = None  # that was told last
        self.offers: Counter[tuple[str, str]] = Counter()  # agent, result

    def tell(self, events: list[Mapping[str, Any]]) -> Iterator[Told]:
        for place, event in enumerate(events):
            following = events[place + 1]["kind"] if place + 1 < len(events) else ""
            text, more = self._one(event, following)
            if text:
                yield Told(event["at"], text, tuple(more))

    def _one(self, event: Mapping[str, Any], following: str) -> tuple[str, Iterable[str]]:
        kind, data = event["kind"], event["data"]
        agent = show.plain(data.get("agent"))
        if kind in SILENT:
            return "", ()
        match kind:
            case "arrived":
                back = data.get("again")
                return "The caller is back." if back else f"Arrived on {show.plain(data.get('did'))}.", ()
            case "menu_step":
                return _menu_step(data), ()
            case "queued":
                return self._queued(event), ()
            case "holding":
                return ("" if following in ("waiting", "offered") else "In line."), ()
            case "waiting":
                text, more = waits(data)
                return f"{self._rule(data)}{text}", more
            case "estimated":
                return _estimated(data), ()
            case "offered":
                return self._offered(event)
            case "ringing":
                return f"{agent}'s phone rings.", ()
            case "asked":
                return f"{agent}'s own telephone is picked up: who has it is asked to press 1.", ()
            case "answered":
                return f"{agent} answers{self._waited(event['at'])}.", ()
            case "joined":
                return f"{agent} has the caller now.", ()
            case "offer_ended":
                return self._offer_ended(data, agent), ()
            case "transferred" if data.get("how") == "taken_over":
                return f"{show.plain(data.get('by'))} takes the caller over from {agent}.", ()
            case "transferred":
                who = f"{agent} passes the caller on" if "agent" in data else "Passed on"
                return f"{who} to {show.plain(data.get('target'))} ({show.plain(data.get('how'))}).", ()
            case "parked":
                return f"Parked on {show.plain(data.get('space'))}.", ()
            case "pulled":
                return f"{show.plain(data.get('by'))} has the call offered to {agent}.", ()
            case "prioritised":
                return f"{show.plain(data.get('by'))} gives it the priority {data.get('priority')}.", ()
            case "redirected":
                return f"{show.plain(data.get('by'))} sends it to {show.plain(data.get('target'))}.", ()
            case "dropped":
                return f"{show.plain(data.get('by'))} hangs it up.", ()
            case "overflowed" | "left":
                return self._way_out(event), ()
            case "abandoned" if data.get("state") == "released":
                return f"Let go: the phone hung up before they were connected{self._waited(event['at'])}.", ()
            case "abandoned":
                return f"The caller hangs up{self._waited(event['at'])}.", ()
            case "in_fallback":
                return "In Asterisk's own queue: the daemon was away.", ()
            case "fallback_answered":
                return "Answered in Asterisk's own queue.", ()
            case "outcome":
                return f"{agent} notes the outcome: {show.plain(data.get('outcome'))}.", ()
            case "noted":
                return f"{agent} speaks a note.", ()
            case "called_back":
                return f"{agent} calls the customer back.", ()
            case "tagged":
                return f"{agent} tags it: {show.plain(data.get('tag'))}.", ()
            case "ended":
                return self._ended(data), self._summary()
        # one that this version has no sentence for
        return f"{show.plain(kind).replace('_', ' ')}{f': {show.plain(dict(data))}' if data else ''}.", ()

    def _queued(self, event: Mapping[str, Any]) -> str:
        data, former = event["data"], event["data"].get("stint")
        self.queued, self.rule = event["at"], None
        out_of = f", out of {show.plain(former['queue'])}" if former else ""
        told = data.get("why", "") in ("", *WAYS_OUT)  # the step before this one has said it
        why = "" if told else f" ({show.plain(data['why']).replace('_', ' ')})"
        return f"Enters the queue {show.plain(data['queue'])}{out_of}{why}, priority {data['priority']}."

    def _way_out(self, event: Mapping[str, Any]) -> str:
        data = event["data"]
        why = WAYS_OUT.get(data.get("how", data.get("reason", "")), "")
        to = f"the queue {show.plain(data['queue'])}" if "queue" in data else show.plain(data.get("target"))
        return f"Leaves for {to}{self._waited(event['at'])}{f': {why}' if why else ''}."

    def _rule(self, data: Mapping[str, Any]) -> str:
        """The rule of skills, when it is another one than was told before."""
        rule = data.get("rule")
        if rule is None or rule == self.rule:
            return ""
        self.rule = rule
        if not rule["after"]:
            return f"Asked for: {asked(rule)}. "
        return f"After {lasting(rule['after'])} asked for: {asked(rule)}. "

    def _offered(self, event: Mapping[str, Any]) -> tuple[str, Iterable[str]]:
        data = event["data"]
        agent, rule = show.plain(data["agent"]), self._rule(data)
        text = f"{rule}Offered to {agent}{self._waited(event['at'])}"
        why = data.get("why")
        if why is None:  # written by an older version, or found after a lost link
            return f"{text}.", ()
        people = sum(why["counts"].values())
        behind, chosen = why["counts"].get("behind", 0), why["counts"].get("chosen", 1)
        if chosen > 1:
            text += f": one of {chosen} who are rung at once."
        elif "wish" in data:
            text += f": the caller waited for {agent} alone, {whose(data['wish'])}."
        elif behind:
            text += f": the first in the order of the {behind + 1} who are free and qualify."
        else:
            text += ": the only one who is free and qualifies." if people > 1 else "."
        rest = counted({name: n for name, n in why["counts"].items() if name != "behind"})
        more = [against(one) for one in why["named"]]
        if rest:
            more.append(f"of the queue's {people} agents {rest}")
        return text, more

    def _offer_ended(self, data: Mapping[str, Any], agent: str) -> str:
        result = data["result"]
        self.offers[data["agent"], result] += 1
        if result == "talked":
            hold = f", {lasting(data['hold_s'])} of hold" if data.get("hold_s") else ""
            talk = f" after {lasting(data['talk_s'])} of talk{hold}" if "talk_s" in data else ""
            end = BY.get(data["end"], f"passed on ({show.plain(data['end'])})") if "end" in data else ""
            return f"{agent}'s part ends{talk}{f': {end}' if end else ''}."
        reason = f" ({show.plain(data['reason'])})" if data.get("reason") else ""
        text = OFFERS.get(result, f"the offer to {{agent}} ended: {show.plain(result)}")
        return f"{text.format(agent=agent)}{reason}."

    def _ended(self, data: Mapping[str, Any]) -> str:
        end = ENDS.get(data["disposition"], show.plain(data["disposition"]))
        by = BY.get(data["ended_by"], show.plain(data["ended_by"]))
        same = data["disposition"] == "abandoned" and data["ended_by"] == "caller"
        return f"The call is over: {end}{f'; {by}' if by and not same else ''}."

    def _summary(self) -> Iterator[str]:
        if sum(self.offers.values()) > 1:
            each = ", ".join(
                f"{show.plain(agent)} {result}{f' {n} times' if n > 1 else ''}"
                for (agent, result), n in self.offers.items()
            )
            yield f"offers: {each}"

    def _waited(self, at: datetime) -> str:
        if self.queued is None:
            return ""
        return f" after {lasting(max(0.0, (at - self.queued).total_seconds()))} in the queue"


def _menu_step(data: Mapping[str, Any]) -> str:
    step, result, flow = (show.plain(data.get(key, "")) for key in ("step", "result", "flow"))
    if step:
        return f"Menu: {step}, {result}."
    return f"Flow {flow}: {result}." if data.get("flow") else f"The menu ends: {result}."


def _estimated(data: Mapping[str, Any]) -> str:
    """What he was told in line; nothing of an estimate that was only reckoned."""
    place, minutes = data["said"]
    said = [f"place {place}"] if place else []
    if minutes:
        said.append(f"{minutes} minute{'s' if minutes > 1 else ''} to wait")
    return f"The caller is told: {', '.join(said)}." if said else ""
