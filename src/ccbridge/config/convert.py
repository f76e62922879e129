"""The checked file as the core's plan."""

from __future__ import annotations

from ccbridge.config import models as m
from ccbridge.config.flow_plan import to_flow
from ccbridge.config.hours import converted as converted_hours
from ccbridge.config.personal import dialled
from ccbridge.core.flows import Ending, HangUp, ToQueue, Transfer
from ccbridge.core.plan import AgentPlan, Announce, Confirm, Plan, QueuePlan, Rule


def to_plan(site: m.SiteFile) -> Plan:
    routing = site.routing
    return Plan(
        queues={name: to_queue(name, queue) for name, queue in site.queues.items()},
        agents={
            id_: AgentPlan(
                id=id_,
                name=agent.name,
                device=agent.device,
                queues=_serves(site, agent),
                skills=dict(agent.skills),
                number=number,
                wrap_up=agent.wrap_up,
                personal={name: dialled(site.personal, one) for name, one in agent.personal.items()},
            )
            for number, (id_, agent) in enumerate(site.agents.items())
        },
        flows={
            name: to_flow(name, flow, {one: look.values for one, look in site.lookups.items()})
            for name, flow in site.flows.items()
        },
        confirm=Confirm(site.personal.seconds, site.personal.prompts),
        departments=dict(site.departments),
        numbers=dict(site.numbers),
        default_flow=site.default_flow,
        number_priority=dict(site.number_priority),
        unreachable_backoff=routing.unreachable_backoff,
        miss_cooldown=routing.miss_cooldown,
        refuse_cooldown=routing.refuse_cooldown,
        misses=routing.misses,
        misses_within=routing.misses_within,
        misses_reason=routing.misses_reason,
        misses_lift=routing.misses_lift,
        reach_timeout=routing.reach_timeout,
        ageing=routing.ageing,
        last_agent_days=routing.last_agent_days,
        recording=site.recording.enabled,
        recording_pause=routing.recording_pause,
        hours=converted_hours(site.hours),
        vip_priority=site.callers.vip_priority,
        blocked=site.callers.blocked,
        steps=site.ivr.steps,
        follow_up_after=site.tickets.follow_up_after,
        pause_reasons=site.pause_reasons,
        outcomes=dict(site.outcomes),
    )


def _serves(site: m.SiteFile, agent: m.AgentSection) -> tuple[str, ...]:
    """His own queues, then those of his departments, each once."""
    shared = (queue for name in agent.departments for queue in site.departments[name])
    return tuple(dict.fromkeys((*agent.queues, *shared)))


def to_queue(name: str, queue: m.QueueSection) -> QueuePlan:
    return QueuePlan(
        name=name,
        ring=queue.ring,
        wrap_up=queue.wrap_up,
        max_wait=queue.max_wait,
        overflow=queue.overflow,
        overflow_to={why: _target(to) for why, to in queue.overflow_to.items()},
        keys={key: _target(to) for key, to in queue.keys.items()},
        max_waiting=queue.max_waiting,
        owner=queue.owner,
        last_agent=queue.last_agent,
        service_level=queue.service_level,
        priority=queue.priority,
        strategy=queue.strategy,
        rules=tuple(Rule(one.after, dict(one.require), dict(one.prefer)) for one in queue.skills)
        or (Rule(),),
        expected_talk=queue.expected_talk,
        announce=None if queue.announce is None else Announce(**queue.announce.model_dump()),
        recording=queue.recording,
    )


def _target(to: m.TargetSection) -> Ending:
    if to.queue is not None:
        return ToQueue(queue=to.queue, priority=to.priority)
    if to.extension is not None:
        return Transfer(extension=to.extension)
    if to.message is not None:
        return HangUp(prompts=to.message)
    raise ValueError("a way out without a target got past the checks")
