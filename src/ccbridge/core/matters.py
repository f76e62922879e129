"""What agents say of their callers' matters: how they ended, and tags.

They speak of the call that they are in, or of their last one while its wrap-up lasts. Nothing here changes
how calls are routed.
"""

from __future__ import annotations

from ccbridge.core import inputs as i
from ccbridge.core.agents import Agent
from ccbridge.core.calls import round_of
from ccbridge.core.effects import Append, Reply
from ccbridge.core.records import TicketOutcome
from ccbridge.core.world import World


def outcome_keyed(w: World, keyed: i.OutcomeKeyed) -> None:
    if keyed.offer:
        agent = next((a for a in w.agents.values() if keyed.offer in _rounds(a)), None)
    else:
        agent = w.agent_of(keyed.device)
    outcome = w.plan.outcomes.get(keyed.digit)
    if agent is None:
        w.emit(Reply(keyed.request, False, "no agent has this phone"))
    elif outcome is None:
        w.emit(Reply(keyed.request, False, f"no outcome has the key {keyed.digit!r}"))
    elif call := _matter(w, agent, keyed.request):
        w.emit(Append(TicketOutcome(call, agent.id, w.at, outcome)))
        w.account_event(call, "outcome", {"agent": agent.id, "outcome": outcome})
        w.emit(Reply(keyed.request, True, outcome))


def tagged(w: World, said: i.TicketTagged) -> None:
    agent = w.agents.get(said.agent)
    if agent is None:
        w.emit(Reply(said.request, False, f"no agent {said.agent}"))
    elif call := _matter(w, agent, said.request):
        w.account_event(call, "tagged", {"agent": agent.id, "tag": said.tag})
        w.emit(Reply(said.request, True, said.tag))


def _matter(w: World, agent: Agent, request: int) -> str:
    """The call that he speaks of; "" and a refusal when there is none."""
    talking = agent.talking and agent.offer in w.offers
    call = w.account(w.offers[agent.offer].call) if talking else agent.last_call
    if call and (talking or agent.leg or agent.state()[0] == "wrap_up"):
        return call
    w.emit(Reply(request, False, f"{agent.id} has no call in wrap-up"))
    return ""


def _rounds(agent: Agent) -> tuple[str, str]:
    """Of the talk that he had last, and of the one that he has now."""
    return round_of(agent.last_offer), round_of(agent.offer) if agent.talking else ""
