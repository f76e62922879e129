"""The whole switchboard as plain values, so that a history can be told from any moment on.

What a journal's memory holds is enough for a restart, which compares it with the PBX; this is enough to go
on as if nothing had been: deadlines, offers under way, phones. What can be derived (the lines, who is free,
the census of agents) is derived again.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from ccbridge.core.agents import Agent
from ccbridge.core.bridges import Bridges
from ccbridge.core.calls import Call, Offer
from ccbridge.core.controls import Control
from ccbridge.core.pace import Pace
from ccbridge.core.plan import Plan
from ccbridge.core.world import Difference, World


@dataclass(frozen=True, slots=True)
class State:
    """A ``World`` between two inputs. Clocks are those that ``handle`` was given."""

    run: str
    at: float
    now: float
    link: bool
    link_since: float
    arrivals: int
    offers_made: int
    calls: list[Call]
    offers: list[Offer]
    legs: dict[str, str]  # leg -> offer
    bridges: Bridges
    agents: list[Agent]
    devices: dict[str, str]
    closed: dict[str, str]
    gone: list[str]
    touched: list[str]
    due: list[tuple[str, str, float]]  # kind, key, deadline
    last_sign: float = 0.0
    suspects: list[Difference] = field(default_factory=list)
    told_version: str = ""  # "": written by a version that told none
    entered: list[str] = field(default_factory=list)
    unstaffed: list[str] = field(default_factory=list)
    paces: dict[str, Pace] = field(default_factory=dict)
    untold: list[str] = field(default_factory=list)
    controls: dict[str, Control] = field(default_factory=dict)


def freeze(w: World) -> State:
    """The world as it stands. It shares what it holds: use it before the next input."""
    return State(
        w.run,
        w.at,
        w.now,
        w.link,
        w.link_since,
        w.arrivals,
        w.offers_made,
        list(w.calls.values()),
        list(w.offers.values()),
        {leg: offer.id for leg, offer in w.legs.items()},
        w.bridges,
        list(w.agents.values()),
        dict(w.devices),
        dict(w.closed),
        list(w.gone),
        sorted(w.touched),
        [(*key, due) for key, due in w._due.items()],
        w.last_sign,
        sorted(w.suspects),
        w.told_version,
        list(w.entered),
        list(w.unstaffed),
        w.paces,
        list(w.untold),
        dict(w.controls),
    )


def thaw(plan: Plan, state: State) -> World:
    """The world of which ``state`` was made. Raises KeyError when the state contradicts itself."""
    w = World(plan, state.run)
    w.controls = dict(state.controls)
    w.put_in_force(plan)
    w.at, w.now = state.at, state.now
    w.link, w.link_since = state.link, state.link_since
    w.arrivals, w.offers_made = state.arrivals, state.offers_made
    w.calls = {call.id: call for call in state.calls}
    for offer in state.offers:
        w.add_offer(offer)
    w.legs = {leg: w.offers[offer] for leg, offer in state.legs.items()}
    w.bridges = state.bridges
    for agent in state.agents:
        w.add_agent(agent)
    w.devices = dict(state.devices)
    w.closed = OrderedDict(state.closed)
    w.gone = OrderedDict.fromkeys(state.gone)
    w.touched = set(state.touched)
    w.entered = dict.fromkeys(state.entered)
    w.unstaffed = dict.fromkeys(state.unstaffed)
    w.paces, w.untold = state.paces, dict.fromkeys(state.untold)
    w.last_sign, w.suspects = state.last_sign, frozenset(state.suspects)
    w.told_version = state.told_version or w.version
    w._due = {(kind, key): due for kind, key, due in state.due}
    w.pile()
    for call in state.calls:
        if call.waits_in_line:
            w.insert(call)
        elif call.between_offers:
            w.between[call.id] = None
    return w
