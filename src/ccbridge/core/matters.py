"""What agents say of their callers' matters: how they ended, tags, spoken notes, follow-ups.

They speak of the call that they are in, or of their last one while its wrap-up lasts; a note may come
somewhat later. Nothing here changes how calls are routed.
"""

from __future__ import annotations

from ccbridge.core import inputs as i
from ccbridge.core.agents import Agent
from ccbridge.core.calls import round_of
from ccbridge.core.effects import Append, Reply
from ccbridge.core.records import NOTE, RecordingEnded, RecordingStarted, TicketOutcome
from ccbridge.core.world import World

FOLLOW_UP, DONE = "follow_up", "closed"  # of a ticket's states


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
        due = w.at + w.plan.follow_up_after if outcome == FOLLOW_UP else None
        _set(w, call, agent, outcome, due, keyed.request)


def tagged(w: World, said: i.TicketTagged) -> None:
    agent = _agent(w, said.agent, said.request)
    if agent is not None and (call := _matter(w, agent, said.request)):
        w.account_event(call, "tagged", {"agent": agent.id, "tag": said.tag})
        w.emit(Reply(said.request, True, said.tag))


def follow_up(w: World, said: i.FollowUpSet | i.FollowUpDone | i.CustomerCalled) -> None:
    """Of one that is set already the database knows whose it is, and has been asked."""
    agent = _agent(w, said.agent, said.request)
    if agent is None:
        return
    match said:
        case i.FollowUpSet():
            if call := _matter(w, agent, said.request):
                _set(w, call, agent, FOLLOW_UP, w.at + said.after, said.request)
        case i.FollowUpDone():
            _set(w, said.call, agent, DONE, None, said.request)
        case i.CustomerCalled():
            w.account_event(said.call, "called_back", {"agent": agent.id})
            w.emit(Reply(said.request, True, said.call))


def note(w: World, said: i.NoteAsked | i.NoteSpoken) -> None:
    agent = _agent(w, said.agent, said.request)
    if agent is None:
        return
    match said:
        case i.NoteAsked():
            if call := _matter(w, agent, said.request, said.within):
                w.emit(Reply(said.request, True, f"{call} {NOTE}{w.offer_id()}"))
        case i.NoteSpoken():
            w.emit(Append(RecordingStarted(said.call, said.note, agent.id, said.began, said.path)))
            w.emit(Append(RecordingEnded(said.call, said.note, w.at, answered=said.kept)))
            if said.kept:
                w.account_event(said.call, "noted", {"agent": agent.id, "note": said.note})
            w.emit(Reply(said.request, True, said.note))


def _set(w: World, call: str, agent: Agent, outcome: str, due: float | None, request: int) -> None:
    w.emit(Append(TicketOutcome(call, agent.id, w.at, outcome, due)))
    w.account_event(call, "outcome", {"agent": agent.id, "outcome": outcome})
    w.emit(Reply(request, True, outcome))


def _agent(w: World, name: str, request: int) -> Agent | None:
    if name not in w.agents:
        w.emit(Reply(request, False, f"no agent {name}"))
    return w.agents.get(name)


def _matter(w: World, agent: Agent, request: int, within: float = 0.0) -> str:
    """The call that he speaks of; "" and a refusal when there is none. ``within``: seconds since its talk."""
    talking = agent.talking and agent.offer in w.offers
    call = w.account(w.offers[agent.offer].call) if talking else agent.last_call
    late = w.at > agent.last_end + within
    if call and (talking or agent.leg or agent.state()[0] == "wrap_up" or not late):
        return call
    w.emit(Reply(request, False, f"{agent.id} has no call in wrap-up"))
    return ""


def _rounds(agent: Agent) -> tuple[str, str]:
    """Of the talk that he had last, and of the one that he has now."""
    return round_of(agent.last_offer), round_of(agent.offer) if agent.talking else ""
