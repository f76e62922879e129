"""The typed plan: what a site configured, already checked, as plain frozen values.

``ccbridge.config`` builds it from YAML; the core only reads it. All durations are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ccbridge.core.flows import Ending, Flow, Menu, Step, Transfer
from ccbridge.core.hours import Hours


@dataclass(frozen=True, slots=True)
class Rule:
    """What a queue asks of an agent once a caller has waited ``after`` seconds: see ``core.skills``."""

    after: float = 0.0
    require: Mapping[str, int] = field(default_factory=dict)  # skill -> least level, 1-100
    prefer: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Announce:
    """What a waiting caller is told, and when: see ``core.announce``."""

    position: bool = True
    wait: bool = True
    first: float = 10.0  # seconds in line until the first time, 0-3600
    every: float = 30.0  # seconds between two, 10-3600
    max_position: int = 10  # a place behind it is not told, 1-1000


@dataclass(frozen=True, slots=True)
class QueuePlan:
    """One queue. ``max_wait`` (> 0) is how long a caller may wait before he leaves to ``overflow``."""

    name: str
    ring: float = 15.0  # how long one agent's phone rings, 3-120
    wrap_up: float = 10.0  # after a talk, 0-3600
    max_wait: float = 600.0  # 10-86400
    overflow: str = ""  # extension in the site's exit context; required by the config check
    overflow_to: Mapping[str, Ending] = field(default_factory=dict)  # by reason: core.overflow
    keys: Mapping[str, Ending] = field(default_factory=dict)  # by a key that a caller in line presses
    max_waiting: int = 0  # so many in line, and it is full, 1-10000; 0: it never is
    owner: float = 0.0  # so long a caller waits for his customer's own agent alone, 0-600: core.wished
    last_agent: float = 0.0  # ... for the one with whom he talked last, 0-600
    service_level: float = 20.0  # T of the service level
    priority: int = 0  # added to the flow's own; higher is served first, -100..100
    strategy: str = "longest_idle"  # of core.strategies
    rules: tuple[Rule, ...] = (Rule(),)  # ascending; the first one from 0 s on
    expected_talk: float = 180.0  # until there are talks to take the mean of, 1-36000
    announce: Announce | None = None  # None: nothing is told
    recording: str = "always"  # always | on_demand | never; Plan.recording false: never


@dataclass(frozen=True, slots=True)
class AgentPlan:
    """One agent and the device that rings for him (a PJSIP endpoint, such as ``PJSIP/1001``)."""

    id: str
    name: str
    device: str
    queues: tuple[str, ...]  # his own and those of his departments
    skills: Mapping[str, int] = field(default_factory=dict)  # level 1-100 of each
    number: int = 0  # his place in the configuration, for the linear strategy
    wrap_up: float | None = None  # after a talk, instead of the queue's, 0-3600
    # his mobile, his telephone at home: name -> what Dial is given, such as PJSIP/+306912345678@carrier
    personal: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Confirm:
    """How whoever picks up a personal device is asked to press 1: no voicemail gets a caller."""

    seconds: float = 12.0  # from the answer on, prompts included, 5-30
    prompts: tuple[str, ...] = ("followme/options",)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything the core must know of the site."""

    queues: Mapping[str, QueuePlan]
    agents: Mapping[str, AgentPlan]
    flows: Mapping[str, Flow]
    numbers: Mapping[str, str]  # DID as the trunk dials it -> flow name
    default_flow: str
    number_priority: Mapping[str, int] = field(default_factory=dict)  # DID -> added, -100..100
    unreachable_backoff: tuple[float, ...] = (5.0, 15.0, 60.0)  # the last one repeats
    miss_cooldown: float = 10.0  # after a ring-out, before the same agent is offered a call again
    refuse_cooldown: float = 10.0  # after a refusal (or busy)
    misses: int = 0  # so many calls missed within misses_within, and the agent is paused, 1-20; 0: never
    misses_within: float = 600.0  # 60-86400
    misses_reason: str = "missed"  # of that pause
    misses_lift: float = 0.0  # it ends by itself after this, 0-86400; 0: it does not
    reach_timeout: float = 6.0  # dialled but not ringing for this long: the phone is dead, 2-30
    ageing: float = 0.0  # seconds of waiting that count as one point of priority; 0: waiting counts none
    last_agent_days: int = 30  # who talked with a customer longer ago is not his last agent, 1-365
    recording: bool = True
    recording_pause: float = 60.0  # a paused recording goes on by itself after this, 5-900
    follow_up_after: float = 86_400.0  # a follow-up is due so long after it was set, 60-31536000
    hours: Mapping[str, Hours] = field(default_factory=dict)
    vip_priority: int = 20  # added for a caller on the VIP list, 0-100
    blocked: tuple[str, ...] = ()  # prompts that one on the block list hears before he is hung up
    steps: int = 500  # of flows, that one call may have, tries and repetitions included, 20-10000
    confirm: Confirm = Confirm()
    departments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # name -> its queues
    pause_reasons: tuple[str, ...] = ("break",)
    outcomes: Mapping[str, str] = field(
        default_factory=lambda: {"1": "resolved", "2": "closed", "3": "follow_up", "4": "open"}
    )

    def ways_out(self) -> set[str]:
        """Every extension of the site's that callers may be sent to."""
        targets: list[Step] = [step for flow in self.flows.values() for step in flow.steps.values()]
        for queue in self.queues.values():
            targets += (*queue.overflow_to.values(), *queue.keys.values())
        found = {one.extension for one in targets if isinstance(one, Transfer)}
        return found | {queue.overflow for queue in self.queues.values()}

    def menu_tables(self) -> set[str]:
        """The menus whose keys the database may answer."""
        steps = (step for flow in self.flows.values() for step in flow.steps.values())
        return {step.table for step in steps if isinstance(step, Menu) and step.table}

    def flow_for(self, did: str) -> Flow:
        return self.flows[self.numbers.get(did, self.default_flow)]
