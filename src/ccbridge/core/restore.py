"""A start: what the journal's memory knows becomes calls, offers and agents again.

Phones, bridges and legs are not in it: the first ``LinkUp`` shows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ccbridge.core import offers
from ccbridge.core.agents import Agent
from ccbridge.core.calls import Call, CallState, Offer, OfferState, Silence, channel_of
from ccbridge.core.controls import SETTABLE, Change, Control
from ccbridge.core.inputs import Asked
from ccbridge.core.memory import Memory
from ccbridge.core.pace import Pace
from ccbridge.core.plan import AgentPlan
from ccbridge.core.taping import PAUSE, WHAT
from ccbridge.core.world import World


def take_up(w: World, memory: Memory) -> None:
    w.last_sign, w.told_version = memory.last, memory.plan
    w.paces = {queue: Pace(**known) for queue, known in memory.queues.items()}
    for name, known in memory.controls.items():
        changes = {key: Change(*both) for key, both in known["set"].items() if key in SETTABLE}
        w.controls[name] = Control(known["paused"], known["draining"], changes)
    w.put_in_force(w.base)
    for call_id, ended_by in memory.closed.items():
        w.remember_call(call_id, ended_by)
    for agent_id, known in memory.agents.items():
        if agent_id in w.agents:
            _restore_agent(w, w.agents[agent_id], known)
    for call_id, known in memory.calls.items():
        _restore_call(w, call_id, known, memory.agents)


def log_out(w: World, agent_id: str, known: Mapping[str, Any]) -> None:
    """He was taken out of the configuration while nobody was here: what was written of him ends now."""
    gone = Agent(AgentPlan(agent_id, agent_id, "", ()))
    w.add_agent(gone)
    _restore_agent(w, gone, known)
    gone.log_out()
    w.refresh(gone)
    w.drop_agent(gone)


def _restore_agent(w: World, agent: Agent, known: Mapping[str, Any]) -> None:
    agent.logged_in, agent.pause = known.get("in", False), known.get("pause", "")
    agent.dead_offers = known.get("dead_offers", 0)
    agent.idle_since = known.get("idle", 0.0)
    agent.last_call, agent.last_offer = known.get("last_call", ""), known.get("last_offer", "")
    agent.last_end = known.get("last_end", 0.0)
    agent.talks, agent.talk_s = known.get("talks", 0), known.get("talk_s", 0.0)
    agent.turns = dict(known.get("turns", {}))
    agent.missed = list(known.get("missed", ()))
    if known.get("lift") is not None:
        agent.lift_due = w.now + max(0.0, known["lift"] - w.at)
    until = known.get("until")
    if until is not None and until > w.at:
        due = w.now + until - w.at
        if known["state"] == "wrap_up":
            agent.wrap_due = due
        elif known["state"] in ("cooldown", "unreachable"):
            agent.cool_due = due
            agent.cool_why = "dead" if known["state"] == "unreachable" else known["reason"]
    w.drop_agent(agent)
    agent.seat = known.get("seat", "")
    agent.personal = known.get("personal", "")
    agent.shown = (known.get("state", "logged_out"), known.get("reason", ""))
    agent.shown_at = known.get("at", 0.0)
    w.add_agent(agent)
    w.arm("agent", agent.id, agent.due())


def _restore_call(
    w: World, call_id: str, known: Mapping[str, Any], agents: Mapping[str, Mapping[str, Any]]
) -> None:
    w.arrivals += 1
    offers_open = [*known["others"], *([known["offer"]] if "offer" in known else [])]
    still_open = [one["id"] for one in offers_open]
    channel, nth = channel_of(call_id)
    call = Call(
        channel,
        known["arrived"],
        known["did"],
        known["kind"],
        w.arrivals,
        e164=known["e164"],
        queue=known.get("queue", ""),
        brought=known.get("brought", 0),
        regard=known.get("regard", 0),
        priority=known.get("priority", 0),
        since=known.get("since", 0.0),
        queued_at=known.get("queued_at"),
        answered_at=known.get("answered_at"),
        told=known.get("told"),
        agent=known.get("agent", ""),
        offers=known["offers"],
        customer=known.get("customer"),
        owner=known.get("owner", ""),
        last_agent=known.get("last_agent", ""),
        turned_away=known.get("turned_away", False),
        way_out=known.get("way_out", ""),
        inferred=known["inferred"],
        inferred_told=known["inferred"],
        legs=[dict(leg) for leg in known["legs"]],
        stints=list(known["stints"]),
        recordings=[one for one in known["recordings"] if one not in still_open],
        silence=_silence(known),
        silences=[dict(one) for one in known["silences"]],
        nth=nth,
    )
    w.calls[channel] = call
    state = CallState(known["state"])
    for saved in offers_open:
        if saved["agent"] not in w.agents:  # taken out of the configuration in the middle of his call
            gone = Agent(AgentPlan(saved["agent"], saved["agent"], "", ()))
            w.add_agent(gone)
            _restore_agent(w, gone, agents.get(gone.id, {}))
        _restore_offer(w, call, saved, talking=state is CallState.TALKING)
    if still_open:
        *call.others, call.offer = still_open
    elif state in (CallState.OFFERED, CallState.TALKING):
        state = CallState.RETURNING
    if state is CallState.HOLDING:
        w.line_up(call)
    else:
        w.call_state(call, state)


def _silence(known: Mapping[str, Any]) -> Silence | None:
    one = known.get("silence")
    if one is None:
        return None
    # who waited for the answer is not there any more
    asked = Asked(one["control"], WHAT[PAUSE], one["who"], one["by"], one["agent"], one["door"], 0)
    return Silence(one["recording"], one["since"], one["until"], asked)


def _restore_offer(w: World, call: Call, saved: Mapping[str, Any], *, talking: bool) -> None:
    agent = w.agents[saved["agent"]]
    ring = 0.0 if saved.get("joined") else w.queue(call.queue).ring
    offer = Offer(saved["id"], call.id, agent.id, saved.get("queue", call.queue), saved["at"], ring)
    offer.rang, offer.recording = saved["rang"], saved["recording"]
    offer.taped = saved.get("taped", "")
    offer.personal = saved.get("personal", "")
    w.add_offer(offer)
    agent.offer = offer.id
    if saved.get("leg"):
        offers.note_leg(w, offer, saved["leg"])
    if talking:
        offers.offer_state(w, offer, OfferState.TALKING)
        offer.answered_at, offer.talk_from = saved["answered_at"], saved["talk_from"]
        offer.talk, offer.held = saved["talk"], saved["held"]
        agent.talking = True
    else:
        offers.offer_state(w, offer, OfferState.PLACED)
