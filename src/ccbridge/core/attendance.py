"""Agents at work: log-in, pauses and wrap-up as they are asked for, and who has which phone.

At most one agent works at a phone. Who logs in at a phone takes it over: the agent who was logged in there
is logged out, unless he is in a call. Who logs in without standing at a phone gets his own, if it is free.
"""

from __future__ import annotations

from ccbridge.core import inputs as i
from ccbridge.core.agents import Agent
from ccbridge.core.effects import Append, Reply
from ccbridge.core.plan import AgentPlan
from ccbridge.core.records import ControlEvent
from ccbridge.core.world import World

AgentCommand = i.LogIn | i.LogOut | i.Pause | i.Unpause | i.WrapUpEnd | i.WrapUpExtend | i.UsePersonal
WRAP_UP_LIMIT = 3600.0  # seconds that a wrap-up may still last, as in the configuration

Answer = tuple[bool, str]


def agent_command(w: World, command: AgentCommand) -> None:
    agent = w.agents.get(command.agent)
    if agent is None:
        w.emit(Reply(command.request, False, f"no agent {command.agent!r} in the configuration"))
        return
    again = False
    match command:
        case i.LogIn():
            ok, text = _log_in(w, agent, command.device)
        case i.LogOut():
            ok, text = _log_out(agent)
        case i.Pause() if command.reason not in w.plan.pause_reasons:
            allowed = ", ".join(w.plan.pause_reasons)
            ok, text = False, f"cannot pause for {command.reason!r}; the reasons are: {allowed}"
        case _ if not agent.logged_in:
            ok, text = False, "is not logged in"
        case i.Pause():
            ok, text = True, f"is paused: {command.reason}"
            again = bool(agent.missed or agent.lift_due)  # a restart must know that he is forgiven
            agent.unpause()
            agent.pause = command.reason
        case i.Unpause():
            ok, text = True, "is not paused any more" if agent.pause else "was not paused"
            if agent.pause:
                agent.unpause()
        case i.WrapUpEnd():
            ok, text = _end_wrap_up(agent)
        case i.WrapUpExtend():
            ok, text = _extend_wrap_up(w, agent, command.seconds)
            again = ok
        case i.UsePersonal():
            before = agent.personal
            ok, text = _use_personal(w, agent, command.device)
            again = agent.personal != before
    if isinstance(command, i.UsePersonal):
        _audit(w, command, ok, text)
    w.emit(Reply(command.request, ok, f"{agent.id} {text}"))
    w.refresh(agent, again=again)


def _log_in(w: World, agent: Agent, device: str) -> Answer:
    phone = device or (agent.phone if agent.at_work() else agent.plan.device)
    if agent.logged_in and phone == agent.phone:
        return True, "was logged in already"
    if phone != agent.plan.device and phone not in w.devices:
        return False, f"cannot log in at {phone}: Asterisk does not have it"
    if agent.at_work() and phone != agent.phone:
        if agent.offer or agent.leg:
            return False, f"has a call at {agent.phone}"
        agent.log_out()
        w.refresh(agent)
    other = next((one for one in w.agents_at(phone) if one is not agent and one.at_work()), None)
    if other is not None:
        if not device:
            return False, f"cannot log in at {phone}: {other.id} works there"
        if other.offer or other.leg:
            return False, f"cannot log in at {phone}: {other.id} has a call there"
        other.log_out()
        w.refresh(other)
    agent.talks, agent.talk_s, agent.turns, agent.missed = 0, 0.0, {}, []
    if phone != agent.phone:
        w.sit(agent, "" if phone == agent.plan.device else phone)
        agent.dead_offers = 0
    agent.logged_in = True
    if agent.seat:
        return True, f"is logged in at {phone}"
    return True, "is logged in"


def _log_out(agent: Agent) -> Answer:
    text = "is logged out" if agent.logged_in else "was not logged in"
    if agent.offer:
        text += "; the present call is finished first"
    if agent.logged_in:
        agent.log_out()
    return True, text


def _end_wrap_up(agent: Agent) -> Answer:
    if agent.wrap_due is None or agent.offer:
        return False, "is not in wrap-up"
    agent.wrap_due = None
    return True, "has finished the wrap-up"


def _extend_wrap_up(w: World, agent: Agent, seconds: float) -> Answer:
    if agent.wrap_due is None or agent.offer:
        return False, "is not in wrap-up"
    left = min(max(0.0, agent.wrap_due - w.now) + seconds, WRAP_UP_LIMIT)
    agent.wrap_due = w.now + left
    return True, f"has {left:.0f} s of wrap-up left"


# -- phones


def _audit(w: World, command: i.UsePersonal, ok: bool, text: str) -> None:
    """Where somebody's calls go outside is written with who asked for it."""
    control = f"p{w.run}x{command.request}"
    who, by, whom, door = command.who, command.by, command.agent, command.door
    for result, reason in (("asked", command.device or "off"), ("done", "") if ok else ("refused", text)):
        w.emit(Append(ControlEvent(control, w.at, "personal", result, who, by, whom, door, reason=reason)))


def _use_personal(w: World, agent: Agent, device: str) -> Answer:
    """From the next offer on; the present one stays where it rings or talks."""
    if device and device not in agent.plan.personal:
        return False, f"has no personal device {device!r}"
    if device == agent.personal:
        return True, f"is called at {device} already" if device else "was called at the phone"
    agent.personal = device
    if agent.cool_why == "dead":
        agent.cool_due = None
    agent.dead_offers = 0
    return True, f"is called at {device}" if device else "is called at the phone"


def replan(w: World, agent: Agent, plan: AgentPlan) -> None:
    """A reload says something else of him. He stays at his phone while another works at his new one."""
    before, agent.plan = agent.phone, plan
    check_personal(w, agent)
    if agent.phone == before:
        return
    if agent.at_work() and any(one is not agent and one.at_work() for one in w.agents_at(agent.phone)):
        agent.seat = before
    else:
        agent.device = w.devices.get(agent.phone, "UNKNOWN")


def check_personal(w: World, agent: Agent) -> bool:
    """After a reload, or a start with another configuration; whether his calls ring his phone again."""
    if not agent.personal or agent.personal in agent.plan.personal:
        return False
    w.end_personal(agent, "not configured any more")
    return True


def part(w: World) -> None:
    """After a start with another configuration: who sits at somebody's own phone gives it back to him."""
    for agent in list(w.agents.values()):
        shared = agent.seat and any(one is not agent and one.at_work() for one in w.agents_at(agent.seat))
        if shared and agent.at_work():
            agent.log_out()
            w.refresh(agent)
