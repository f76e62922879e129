"""The invariants bite: each of these plants makes histories fail that pass without it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from simulator import FLOWING, RINGING, SITE, SKILLED, TAPED, Simulator
from test_histories import AWAY, BUSY, CALM, CHANGING, KILLED, LINK_LOST, SEATED, TAPERS, Weather

from ccbridge.core import (
    acd,
    announce,
    estimate,
    moves,
    offers,
    overflow,
    reconcile,
    restore,
    skills,
    strategies,
    switchboard,
    talks,
    taping,
    why,
    wished,
)
from ccbridge.core import inputs as i
from ccbridge.core.agents import Agent
from ccbridge.core.bridges import Bridges
from ccbridge.core.calls import Call, CallState, Offer, OfferState
from ccbridge.core.effects import Append
from ccbridge.core.memory import Memory
from ccbridge.core.pace import Pace
from ccbridge.core.plan import Plan
from ccbridge.core.records import AgentEvent, CallClosed
from ccbridge.core.switchboard import Switchboard
from ccbridge.core.version import version_of
from ccbridge.core.world import World

PASSED_ON = Weather(transfer=0.8)
BACK_IN_MENUS = Weather(callers=40, span=100.0, transfer=0.95, ways=("queue",), kills=12, commands=4)
QUIET = Weather(span=900.0)  # there are several who might take a caller
Plant = Callable[[pytest.MonkeyPatch], None]
PLANTS: dict[str, tuple[Plant, Weather, Plan]] = {}


def plant(weather: Weather, plan: Plan = SITE) -> Callable[[Plant], Plant]:
    def note(make: Plant) -> Plant:
        PLANTS[make.__name__] = (make, weather, plan)
        return make

    return note


def nothing(*args: Any, **more: Any) -> None:
    pass


@plant(AWAY, RINGING)
def a_personal_device_rings_beside_others(patch: pytest.MonkeyPatch) -> None:
    real = acd.match
    patch.setattr(acd, "match", lambda waiting, free, most, alone: real(waiting, free, most))


@plant(AWAY)
def picked_up_is_answered(patch: pytest.MonkeyPatch) -> None:
    def answered(w: World, offer: Offer, asked: i.LegAsked) -> None:
        talks.answered(w, w.calls[offer.call], offer, False)

    patch.setitem(switchboard._OFFER_ACTIONS, "asked", answered)


@plant(CALM)
def stays_in_line_when_offered(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(World, "leave_line", nothing)


@plant(CHANGING)
def a_paused_queue_offers_its_calls(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(World, "is_paused", lambda w, queue: False)


@plant(CHANGING)
def a_draining_queue_takes_callers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(World, "is_draining", lambda w, queue: False)


@plant(CHANGING)
def what_was_set_is_forgotten_by_a_reload(patch: pytest.MonkeyPatch) -> None:
    def put_in_force(w: World, base: Plan) -> None:
        w.base = w.plan = base
        w.version = version_of(base)
        w.people_changed()

    patch.setattr(World, "put_in_force", put_in_force)


@plant(CALM)
def no_pause_after_a_miss(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(offers, "_cool", nothing)


@plant(TAPERS, TAPED)
def a_pause_has_no_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(taping, "due", nothing)


@plant(TAPERS, TAPED)
def asterisk_is_not_told_of_the_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(taping, "unmute", nothing)


@plant(TAPERS, TAPED)
def a_restart_forgets_a_pause(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(restore, "_silence", nothing)


@plant(replace(TAPERS, tapers=300, outages=8), TAPED)
def asterisk_is_not_told_again_after_a_lost_link(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(taping, "link_up", nothing)


@plant(CALM)
def withdrawn_agent_stays_reserved(patch: pytest.MonkeyPatch) -> None:
    def leg_off(w: World, offer: Any) -> None:
        w.arm("offer", offer.id, None)
        w.legs.pop(offer.leg, None)
        w.offers.pop(offer.id, None)

    patch.setattr(offers, "leg_off", leg_off)


@plant(CALM)
def last_in_first_out(patch: pytest.MonkeyPatch) -> None:
    def place(self: World, call: Any) -> acd.Waiting:
        return acd.Waiting(-call.priority, -call.since, call.number, call.id, acd.Line(call.queue, call.rule))

    patch.setattr(World, "place", place)


@plant(CALM)
def priority_upside_down(patch: pytest.MonkeyPatch) -> None:
    def place(self: World, call: Any) -> acd.Waiting:
        return acd.Waiting(call.priority, call.since, call.number, call.id, acd.Line(call.queue, call.rule))

    patch.setattr(World, "place", place)


@plant(CALM)
def shortest_idle_first(patch: pytest.MonkeyPatch) -> None:
    def longest_idle(agent: Agent, queue: Any, draw: int) -> float:
        return -agent.idle_since

    patch.setitem(strategies.STRATEGIES, "longest_idle", longest_idle)


@plant(CALM, SKILLED)
def skills_are_left_out_of_the_reasons(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(why, "in_force", lambda queue, rule: {})


@plant(BUSY)
def nobody_says_why_he_waits(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(why, "tell_who_waits", lambda w: w.newcomers.clear())


@plant(QUIET)
def the_last_in_the_order_is_named_first(patch: pytest.MonkeyPatch) -> None:
    right = why.choice

    def choice(w: World, pair: Any) -> Any:
        return right(w, pair._replace(agents=pair.behind[:1], behind=pair.agents) if pair.behind else pair)

    patch.setattr(why, "choice", choice)


@plant(CALM)
def two_callers_for_one_agent(patch: pytest.MonkeyPatch) -> None:
    right = acd.match

    def match(waiting: Any, free: Any, most: Any, alone: Any) -> Any:
        pairs = right(waiting, free, most)
        for line, places in waiting.items():
            for pair in [p for p in pairs if p.queue == line.queue][:1]:
                pairs += [pair._replace(call=place.call) for place in places[1:2]]
        return pairs

    patch.setattr(acd, "match", match)


@plant(CALM)
def one_pair_at_a_time(patch: pytest.MonkeyPatch) -> None:
    right = acd.match
    patch.setattr(acd, "match", lambda *given: right(*given)[1:])


@plant(CALM)
def a_free_agent_is_not_noticed(patch: pytest.MonkeyPatch) -> None:
    right = World.refresh

    def refresh(self: World, agent: Agent, at: float | None = None, **more: bool) -> None:
        touched = set(self.touched)
        right(self, agent, at, **more)
        self.touched = touched

    patch.setattr(World, "refresh", refresh)


@plant(LINK_LOST)
def calls_are_not_compared_on_link_up(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reconcile, "settle", nothing)


@plant(LINK_LOST)
def works_on_without_a_link(patch: pytest.MonkeyPatch) -> None:
    right = Switchboard.handle

    def handle(self: Switchboard, event: i.Input, now: float) -> Any:
        if isinstance(event, i.LinkDown):
            event = i.Tick(event.at)
        return right(self, event, now)

    patch.setattr(Switchboard, "handle", handle)


@plant(CALM)
def wrap_up_does_not_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Switchboard, "_agent_due", nothing)


@plant(CALM)
def closed_twice(patch: pytest.MonkeyPatch) -> None:
    right = moves.close

    def close(w: World, call: Any, *args: Any, **more: Any) -> None:
        right(w, call, *args, **more)
        w.out += [x for x in w.out[-1:] if isinstance(x, Append) and isinstance(x.record, CallClosed)]

    patch.setattr(moves, "close", close)


@plant(CALM)
def not_closed_when_released(patch: pytest.MonkeyPatch) -> None:
    right = moves.close

    def close(w: World, call: Any, *args: Any, **more: Any) -> None:
        if call.state is CallState.RELEASED:
            w.forget(call, "")
        else:
            right(w, call, *args, **more)

    patch.setattr(moves, "close", close)


@plant(CALM)
def our_own_ring_time_out_redirects(patch: pytest.MonkeyPatch) -> None:
    right = offers.offer_due

    def offer_due(w: World, offer: Any) -> None:
        if offer.state is OfferState.RINGING:
            call = w.calls[offer.call]
            moves.lose_offer(w, call, offer)
            call.hold_off = False
            w.line_up(call)
        else:
            right(w, offer)

    patch.setattr(offers, "LEASE_MARGIN", -4.0)
    patch.setattr(offers, "offer_due", offer_due)


@plant(CALM)
def redirects_the_talking(patch: pytest.MonkeyPatch) -> None:
    right = talks._together

    def together(w: World, call: Any, offer: Any, found: bool) -> None:
        before = offer.state
        right(w, call, offer, found)
        if offer.state is OfferState.TALKING is not before:
            overflow.max_wait_over(w, call, "time")

    patch.setattr(talks, "_together", together)


@plant(CALM)
def deaf_to_bridges(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(talks, "_together", nothing)


@plant(CHANGING)
def the_pause_during_a_call_is_not_written(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Agent, "_next", lambda self: "")


@plant(CALM)
def an_offer_has_no_limit(patch: pytest.MonkeyPatch) -> None:
    right = World.arm

    def arm(self: World, kind: str, key: str, due: float | None) -> None:
        right(self, kind, key, None if kind == "offer" else due)

    patch.setattr(World, "arm", arm)


@plant(CHANGING)
def a_stale_census(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(World, "drop_agent", lambda self, agent: self.agents.pop(agent.id))


@plant(BUSY, FLOWING)
def nobody_counts_misses(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(offers, "_missed", nothing)


@plant(BUSY, FLOWING)
def a_talk_does_not_forgive_misses(patch: pytest.MonkeyPatch) -> None:
    right = talks._begin

    def begin(w: World, call: Any, offer: Any, *args: Any, **more: Any) -> None:
        missed = w.agents[offer.agent].missed
        right(w, call, offer, *args, **more)
        w.agents[offer.agent].missed = missed

    patch.setattr(talks, "_begin", begin)


@plant(BUSY)
def a_customer_known_late_keeps_his_place(patch: pytest.MonkeyPatch) -> None:
    def regarded(w: World, call: Any, priority: int) -> None:
        call.brought += priority - call.regard
        call.regard = priority
        call.priority = moves.total(call.brought, w.queue(call.queue))

    patch.setattr(moves, "regarded", regarded)


@plant(BUSY, FLOWING)
def a_line_is_never_full(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(overflow, "_full", lambda w, call, after=0: False)


@plant(CHANGING, FLOWING)
def who_waits_does_not_notice_that_the_last_agent_goes(patch: pytest.MonkeyPatch) -> None:
    right = World.refresh

    def refresh(self: World, agent: Agent, at: float | None = None, **more: bool) -> None:
        unstaffed = dict(self.unstaffed)
        right(self, agent, at, **more)
        self.unstaffed = unstaffed

    patch.setattr(World, "refresh", refresh)


@plant(CHANGING, FLOWING)
def wrap_up_counts_as_absent(patch: pytest.MonkeyPatch) -> None:
    right = overflow.absence

    def absence(w: World, queue: str) -> str:
        here = {a.shown[0] for a in w.agents.values() if queue in a.plan.queues and a.logged_in}
        return "nobody" if here <= {"wrap_up"} else right(w, queue)

    patch.setattr(overflow, "absence", absence)


@plant(BUSY, FLOWING)
def another_queue_means_the_end_of_its_line(patch: pytest.MonkeyPatch) -> None:
    right = moves._enter_queue

    def enter(w: World, call: Any, queue: str, own: int, at: float, since: Any = None, **more: Any) -> None:
        right(w, call, queue, own, at, at, **more)

    patch.setattr(moves, "_enter_queue", enter)


@plant(PASSED_ON)
def a_colleague_is_a_stranger(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(talks, "_join", nothing)


@plant(PASSED_ON)
def asking_somebody_else_is_talk(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(talks, "stop_talk", nothing)


@plant(PASSED_ON)
def a_transfer_does_not_end_a_leg(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(talks, "finish_talk", nothing)


@plant(replace(PASSED_ON, ways=("by_keys",)))
def nobody_hears_over_a_wire(patch: pytest.MonkeyPatch) -> None:
    def around(self: Bridges, channel: str) -> dict[str, str]:
        return dict(self.members.get(self.where.get(channel, ""), {}))

    patch.setattr(Bridges, "around", around)


@plant(PASSED_ON)
def one_who_joined_is_forgotten_at_a_restart(patch: pytest.MonkeyPatch) -> None:
    right = Memory.apply

    def apply(self: Memory, record: Any) -> None:
        if getattr(record, "kind", "") != "joined":
            right(self, record)

    patch.setattr(Memory, "apply", apply)


@plant(PASSED_ON)
def where_a_talk_was_passed_on_to_is_not_written(patch: pytest.MonkeyPatch) -> None:
    right = talks.pass_on

    def pass_on(w: World, offer: Any, *args: Any) -> None:
        before = len(w.out)
        right(w, offer, *args)
        w.out[before:] = [x for x in w.out[before:] if getattr(x.record, "kind", "") != "transferred"]  # type: ignore[union-attr]

    patch.setattr(talks, "pass_on", pass_on)


# -- skills and strategies


@plant(CALM, SKILLED)
def anybody_will_do(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(skills, "qualifies", lambda has, rule: True)


@plant(CALM, SKILLED)
def rules_do_not_relax(patch: pytest.MonkeyPatch) -> None:
    right = World.queue
    patch.setattr(World, "queue", lambda w, name: replace(right(w, name), rules=right(w, name).rules[:1]))


@plant(CALM, SKILLED)
def rules_relax_too_soon(patch: pytest.MonkeyPatch) -> None:
    right = skills.rule_at
    patch.setattr(skills, "rule_at", lambda rules, waited: right(rules, waited + 5.0))


@plant(QUIET, SKILLED)
def preferred_skills_are_not(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(skills, "preferred", lambda has, rule: 0)


@plant(BUSY, SKILLED)
def waiting_does_not_age(patch: pytest.MonkeyPatch) -> None:
    right = World.place
    patch.setattr(World, "place", lambda w, call: right(w, call)._replace(rank=-call.priority))


@plant(BUSY, SKILLED)
def a_turn_is_not_noted(patch: pytest.MonkeyPatch) -> None:
    right = offers.place_offer

    def place_offer(w: World, pair: acd.Pair) -> None:
        right(w, pair)
        w.agents[pair.agents[0]].turns.clear()

    patch.setattr(offers, "place_offer", place_offer)


def _not_by(name: str) -> Plant:
    def spoil(patch: pytest.MonkeyPatch) -> None:
        patch.setitem(strategies.STRATEGIES, name, strategies.longest_idle)

    spoil.__name__ = f"{name}_is_longest_idle"
    return spoil


for _name in ("fewest_calls", "least_talk", "linear", "most_skilled"):
    plant(QUIET, SKILLED)(_not_by(_name))


@plant(BACK_IN_MENUS, FLOWING)
def who_is_found_in_a_queue_once_more_keeps_his_former_stay(patch: pytest.MonkeyPatch) -> None:
    right = reconcile._found_holding

    def keeps(w: World, call: Call, variables: Mapping[str, str]) -> None:
        if call.state is CallState.FLOW and call.queued_at is not None:
            w.event(call, "holding", queue=call.queue, found=True)
            w.line_up(call)
        else:
            right(w, call, variables)

    patch.setattr(reconcile, "_found_holding", keeps)


@plant(KILLED, SKILLED)
def talks_are_forgotten_at_a_restart(patch: pytest.MonkeyPatch) -> None:
    right = restore._restore_agent

    def forget(w: World, agent: Agent, known: Any) -> None:
        right(w, agent, {name: value for name, value in known.items() if name != "talks"})

    patch.setattr(restore, "_restore_agent", forget)


@plant(CALM, RINGING)
def one_is_rung_of_all(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(strategies, "at_once", lambda queue: 1)


@plant(CALM, RINGING)
def who_was_slower_stays_reserved(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(offers, "companions", lambda w, offer: [])


@plant(CALM, RINGING)
def who_was_slower_has_missed_it(patch: pytest.MonkeyPatch) -> None:
    right = offers.withdraw

    def withdraw(w: World, call: Any, offer: Any, result: str = "withdrawn") -> None:
        if result == "elsewhere":
            offers._cool(w, w.agents[offer.agent], 10.0, "missed")
        right(w, call, offer, result)

    patch.setattr(offers, "withdraw", withdraw)


@plant(KILLED, RINGING)
def a_restart_knows_one_of_those_who_ring(patch: pytest.MonkeyPatch) -> None:
    right = restore._restore_call

    def alone(w: World, call_id: str, known: Any, agents: Any) -> None:
        others = known["others"] if known["state"] == "talking" else []
        right(w, call_id, {**known, "others": others}, agents)

    patch.setattr(restore, "_restore_call", alone)


# -- who waits for one agent


@plant(BUSY, SKILLED)
def a_wish_is_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(wished, "wish", nothing)


@plant(BUSY, SKILLED)
def a_wish_never_ends(patch: pytest.MonkeyPatch) -> None:
    right = wished.wish

    def wish(call: Any, queue: Any, rule: int, agents: Any, at: float) -> Any:
        one = right(call, queue, rule, agents, call.queued_at or at)
        return one and replace(one, until=at + 60.0)

    patch.setattr(wished, "wish", wish)


@plant(CHANGING, SKILLED)
def one_waits_for_an_agent_who_has_gone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(wished, "look_again", nothing)


@plant(KILLED, SKILLED)
def a_restart_forgets_the_owner(patch: pytest.MonkeyPatch) -> None:
    right = Memory.apply

    def apply(self: Memory, record: Any) -> None:
        right(self, record)
        if getattr(record, "kind", "") == "customer" and record.call in self.calls:
            self.calls[record.call].update(owner="", last_agent="")

    patch.setattr(Memory, "apply", apply)


# -- what callers are told


@plant(BUSY)
def everybody_is_next(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(estimate, "position", lambda w, call: 1)


@plant(CHANGING)
def who_is_away_serves(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(estimate, "_counts", lambda agent: True)


@plant(BUSY)
def told_all_the_time(patch: pytest.MonkeyPatch) -> None:
    right = World.tell_in_time

    def tell_in_time(self: World, call: Any) -> None:
        right(self, call)
        self.arm("say", call.id, self.now + 3.0)

    patch.setattr(World, "tell_in_time", tell_in_time)


@plant(BUSY)
def told_the_second_time_only(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(announce, "tell_one", lambda w: w.untold.clear())


@plant(KILLED)
def told_anew_after_a_restart(patch: pytest.MonkeyPatch) -> None:
    right = Memory.apply

    def apply(self: Memory, record: Any) -> None:
        if getattr(record, "kind", "") != "estimated":
            right(self, record)

    patch.setattr(Memory, "apply", apply)


@plant(KILLED)
def a_restart_forgets_how_fast_a_queue_is(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Memory, "_pace", nothing)


@plant(SEATED)
def his_own_phone_rings(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Agent, "phone", property(lambda self: self.plan.device))


@plant(SEATED)
def a_restart_forgets_where_he_sits(patch: pytest.MonkeyPatch) -> None:
    right = Memory.apply

    def apply(self: Memory, record: Any) -> None:
        right(self, record)
        if isinstance(record, AgentEvent):
            self.agents[record.agent]["seat"] = ""

    patch.setattr(Memory, "apply", apply)


@plant(SEATED)
def two_at_one_phone(patch: pytest.MonkeyPatch) -> None:
    right = World.agents_at

    def agents_at(self: World, device: str) -> list[Agent]:
        return [agent for agent in right(self, device) if not agent.seat]

    patch.setattr(World, "agents_at", agents_at)


@plant(SEATED)
def a_longer_wrap_up_is_not_told(patch: pytest.MonkeyPatch) -> None:
    right = World.refresh

    def refresh(self: World, agent: Agent, at: float | None = None, *, again: bool = False) -> None:
        right(self, agent, at)

    patch.setattr(World, "refresh", refresh)


@plant(CALM)
def app_queue_said_better(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Pace, "app_queue", lambda self, waited: max(0.0, self.hold - waited))


@pytest.fixture(params=PLANTS)
def planted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[Weather, Plan]:
    make, weather, plan = PLANTS[request.param]
    make(monkeypatch)
    return weather, plan


def test_a_planted_fault_is_found(planted: tuple[Weather, Plan]) -> None:
    for seed in range(30):
        try:
            if Simulator(seed, *planted).run().watch.faults:
                return
        except (KeyError, AssertionError):
            return  # the plant broke the core itself: seen as well
    pytest.fail("thirty histories passed")
