"""Channel events (CEL) -> what became of our calls: for those that the daemon did not see to their end.

Plain code over plain values. All events of one ``linkedid`` together tell the calls in it: a call of ours is
a channel that was in one of the contexts where our callers are. A talk is the time in one bridge with the
phone of an agent, in the fallback queue with anybody's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CONTEXT_IN = "ccbridge-in"
CONTEXT_FALLBACK = "ccbridge-fallback"
WAITING = ("ccbridge-hold", "ccbridge-offer")
CALLERS = (CONTEXT_IN, *WAITING, "ccbridge-exit", CONTEXT_FALLBACK)
ENDS = ("HANGUP", "CHAN_END", "LINKEDID_END")
FALLBACK_CHOSEN = "CCB_FALLBACK"  # of ``ccbridge-fallback``: which of Asterisk's own queues takes the caller
FALLBACK_OWN = "ccbridge-fallback-"  # with the name of a queue of ours behind it


@dataclass(frozen=True, slots=True)
class Happened:
    """One channel event; ``at`` in epoch seconds."""

    at: float
    kind: str
    uniqueid: str
    channel: str  # its name
    number: str
    name: str
    context: str
    exten: str
    extra: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Leg:
    """One phone's part in a call; epoch seconds. ``agent`` is None for a phone that is no agent's."""

    agent: str | None
    device: str
    channel: str
    begun: float
    ended: float


@dataclass(frozen=True, slots=True)
class Story:
    """A call as CEL tells it. Not ``whole``: it breaks off, since Asterisk was killed."""

    call: str
    arrived: float
    ended: float
    did: str
    number: str
    name: str
    disposition: str  # one of records.DISPOSITIONS
    ended_by: str  # caller | agent | system | unknown
    whole: bool
    fallback_queue: str | None = None  # as somebody said: perhaps no queue of ours
    legs: Sequence[Leg] = field(default_factory=tuple)

    @property
    def answered(self) -> float | None:
        return self.legs[0].begun if self.legs else None

    @property
    def agent(self) -> str | None:
        """The last agent who talked with him."""
        return next((leg.agent for leg in reversed(self.legs) if leg.agent), None)

    @property
    def talk(self) -> float:
        """Seconds."""
        return round(sum(leg.ended - leg.begun for leg in self.legs), 3)


def stories(events: Sequence[Happened], agents: Mapping[str, str]) -> list[Story]:
    """The calls in the events of one ``linkedid``, which are in their order. ``agents``: device -> agent."""
    channels: dict[str, list[Happened]] = {}
    for event in events:
        channels.setdefault(event.uniqueid, []).append(event)
    callers = [id_ for id_, seen in channels.items() if any(event.context in CALLERS for event in seen)]
    phones = {id_: seen for id_, seen in channels.items() if id_ not in callers}
    return [_story(id_, channels[id_], phones, agents) for id_ in callers]


def _story(
    call: str, seen: list[Happened], phones: Mapping[str, list[Happened]], agents: Mapping[str, str]
) -> Story:
    first = seen[0]
    start = next((event for event in seen if event.kind == "CHAN_START"), None)
    hangup = next((event for event in seen if event.kind in ENDS), None)
    fallback = next((event.at for event in seen if event.context == CONTEXT_FALLBACK), None)
    legs = sorted(_legs(seen, phones, agents, fallback), key=lambda leg: leg.begun)
    inside = next(number for number, event in enumerate(seen) if event.context in CALLERS)
    # in the site's own dialplan after ours: overflow, the menu's transfer, or passed on with a phone
    left = next((event.at for event in seen[inside:] if not event.context.startswith("ccbridge-")), None)
    place = next(event.context for event in reversed(seen) if event.context in CALLERS)
    if hangup is None:
        disposition = "pbx_restart"
    elif fallback is not None:
        disposition = "fallback"
    elif legs:
        disposition = "answered"
    elif left is not None or place not in (CONTEXT_IN, *WAITING):
        disposition = "left"
    else:
        disposition = "menu_ended" if place == CONTEXT_IN else "abandoned"
    if disposition == "left" and left is not None:
        ended, ended_by = left, "system"
    else:
        ended, ended_by = (hangup or seen[-1]).at, _ended_by(seen, legs, hangup)
    return Story(
        call,
        first.at,
        ended,
        "".join(c for c in start.exten if c in "+0123456789") if start else "",
        start.number if start else "",
        start.name if start else "",
        disposition,
        ended_by,
        hangup is not None,
        _fallback_queue(seen),
        legs,
    )


def _fallback_queue(seen: list[Happened]) -> str | None:
    """The queue of ours whose agents the script chose for him; None: everybody's, or no script ran."""
    for event in reversed(seen):
        if event.kind == FALLBACK_CHOSEN and event.context == CONTEXT_FALLBACK:
            chosen = str(event.extra.get("extra", ""))
            return chosen.removeprefix(FALLBACK_OWN) if chosen.startswith(FALLBACK_OWN) else None
    return None


def _legs(
    seen: list[Happened],
    phones: Mapping[str, list[Happened]],
    agents: Mapping[str, str],
    fallback: float | None,
) -> Iterator[Leg]:
    stays = list(_stays(seen))
    for other in phones.values():
        channel = other[0].channel
        device = channel.rpartition("-")[0]
        for bridge, begun, ended in _stays(other):
            for own, came, went in stays:
                low, high = max(begun, came), min(ended, went)
                ours = device in agents or (fallback is not None and low >= fallback)
                if own == bridge and low < high and ours:
                    yield Leg(agents.get(device), device, channel, low, high)


def _stays(seen: list[Happened]) -> Iterator[tuple[str, float, float]]:
    """Bridge, from, to; what is not told to end lasts as long as the channel is heard of."""
    entered: dict[str, float] = {}
    for event in seen:
        bridge = str(event.extra.get("bridge_id", ""))
        if event.kind == "BRIDGE_ENTER":
            entered.setdefault(bridge, event.at)
        elif event.kind == "BRIDGE_EXIT" and bridge in entered:
            yield bridge, entered.pop(bridge), event.at
    for bridge, at in entered.items():
        yield bridge, at, seen[-1].at


def _ended_by(seen: list[Happened], legs: Sequence[Leg], hangup: Happened | None) -> str:
    if hangup is None:
        return "system"
    source = hangup.extra.get("hangupsource")
    if source == hangup.channel:
        return "caller"
    return "agent" if source in {leg.channel for leg in legs} else "system"
