"""Who works at which phone, and wrap-ups that end early or last longer."""

from __future__ import annotations

from dataclasses import replace

from scene import TWO, Scene, placed, records, replies, some

from ccbridge.core import inputs as i
from ccbridge.core.effects import Effect
from ccbridge.core.plan import Plan
from ccbridge.core.records import AgentEvent

SPARE = "PJSIP/spare"


class Floor(Scene):
    """Two agents with a phone each, and a spare one."""

    def __init__(self, agents: str = "") -> None:
        super().__init__(agents="")
        self.devices[SPARE] = "NOT_INUSE"
        self.tell(i.DeviceChanged, SPARE, "NOT_INUSE")
        for agent in agents.split():
            self.tell(i.LogIn, agent, 1)

    def log_in(self, agent: str, device: str = "") -> str:
        return said(self.tell(i.LogIn, agent, 1, device))

    def phone(self, agent: str) -> str:
        return self.board.world.agents[agent].phone


def said(effects: list[Effect]) -> str:
    ((ok, text),) = replies(effects)
    return f"{'+' if ok else '-'} {text}"


def moved(plan: Plan, agent: str, device: str) -> Plan:
    return replace(plan, agents={**plan.agents, agent: replace(plan.agents[agent], device=device)})


def test_calls_come_to_the_phone_at_which_he_has_logged_in() -> None:
    floor = Floor()
    assert floor.log_in("ann", SPARE) == "+ ann is logged in at PJSIP/spare"
    assert floor.log_in("ann", SPARE) == "+ ann was logged in already"
    assert floor.log_in("ann") == "+ ann was logged in already"
    offer = some(floor.hold("c1"))
    assert offer.devices == (SPARE,)
    floor.tell(i.LogOut, "ann", 1)
    assert floor.phone("ann") == SPARE  # until his call is over
    floor.tell(i.ChannelGone, "c1", 16)
    floor.wait(5)
    assert (floor.agent("ann"), floor.phone("ann")) == (("logged_out", ""), "PJSIP/ann")


def test_his_state_is_that_of_the_phone_where_he_sits() -> None:
    floor = Floor()
    floor.log_in("ann", SPARE)
    floor.tell(i.DeviceChanged, "PJSIP/ann", "UNAVAILABLE")
    assert floor.agent("ann") == ("available", "")
    floor.tell(i.DeviceChanged, SPARE, "INUSE")
    assert floor.agent("ann") == ("busy_elsewhere", "")
    floor.tell(i.LogOut, "ann", 1)
    floor.log_in("ann")
    assert floor.agent("ann") == ("unreachable", "not_registered")


def test_who_logs_in_at_a_phone_takes_it_over() -> None:
    floor = Floor("ann")
    assert floor.log_in("bob", "PJSIP/ann") == "+ bob is logged in at PJSIP/ann"
    assert floor.agent("ann") == ("logged_out", "")
    assert floor.log_in("ann") == "- ann cannot log in at PJSIP/ann: bob works there"
    assert some(floor.hold("c1")).devices == ("PJSIP/ann",)
    assert floor.log_in("ann", "PJSIP/ann") == "- ann cannot log in at PJSIP/ann: bob has a call there"
    assert floor.log_in("bob", SPARE) == "- bob has a call at PJSIP/ann"
    assert floor.log_in("ann", "PJSIP/bob") == "+ ann is logged in at PJSIP/bob"
    assert floor.log_in("ann", "PJSIP/else") == "- ann cannot log in at PJSIP/else: Asterisk does not have it"


def test_a_move_is_a_log_out_and_a_log_in() -> None:
    floor = Floor("ann")
    floor.tell(i.Pause, "ann", "lunch", 1)
    effects = floor.tell(i.LogIn, "ann", 1, SPARE)
    told = [(one.state, one.data.get("device")) for one in records(effects, AgentEvent)]
    assert told == [("logged_out", None), ("available", SPARE)]


def test_a_seat_outlives_a_restart() -> None:
    floor = Floor()
    floor.log_in("ann", SPARE)
    floor.restart()
    floor.link_up()
    assert (floor.phone("ann"), floor.agent("ann")) == (SPARE, ("available", ""))
    assert some(floor.hold("c1")).devices == (SPARE,)


def test_a_reload_moves_nobody_to_a_phone_at_which_another_works() -> None:
    floor = Floor("bob")
    floor.log_in("ann", SPARE)
    floor.tell(i.PlanLoaded, moved(TWO, "bob", SPARE))
    assert (floor.phone("ann"), floor.phone("bob")) == (SPARE, "PJSIP/bob")
    floor.tell(i.LogOut, "bob", 1)
    assert floor.phone("bob") == SPARE
    assert floor.log_in("bob") == "- bob cannot log in at PJSIP/spare: ann works there"


def test_after_a_restart_with_another_plan_a_phone_is_its_owners() -> None:
    floor = Floor("bob")
    floor.log_in("ann", SPARE)
    floor.plan = moved(TWO, "bob", SPARE)
    floor.restart()
    floor.link_up()
    assert (floor.agent("ann")[0], floor.agent("bob")[0]) == ("logged_out", "available")


def test_who_logs_in_at_a_phone_that_talks_with_a_caller_has_joined_him() -> None:
    floor = Floor("ann")
    leg = floor.answer(some(floor.hold("c1")))
    floor.tell(i.ChannelTransferred, leg, "attended", "spare")
    floor.tell(i.BridgeLeft, leg, "")
    floor.tell(i.BridgeEntered, "other", floor.board.world.bridges.where["c1"], f"{SPARE}-1")
    floor.tell(i.ChannelGone, leg, 16)
    assert floor.log_in("bob", SPARE) == "+ bob is logged in at PJSIP/spare"
    assert floor.agent("bob") == ("talking", "")


def in_wrap_up() -> Floor:
    floor = Floor("ann")
    leg = floor.answer(some(floor.hold("c1")))
    floor.tell(i.HangupAsked, leg)
    floor.tell(i.ChannelGone, leg, 16)
    floor.tell(i.ChannelGone, "c1", 16)
    assert floor.agent("ann") == ("wrap_up", "")
    return floor


def test_a_wrap_up_is_finished() -> None:
    floor = in_wrap_up()
    assert said(floor.tell(i.WrapUpEnd, "ann", 1)) == "+ ann has finished the wrap-up"
    assert floor.agent("ann") == ("available", "")
    assert said(floor.tell(i.WrapUpEnd, "ann", 1)) == "- ann is not in wrap-up"
    assert said(floor.tell(i.WrapUpExtend, "ann", 60.0, 1)) == "- ann is not in wrap-up"
    assert said(floor.tell(i.WrapUpEnd, "bob", 1)) == "- bob is not logged in"


def test_a_wrap_up_lasts_longer_also_over_a_restart() -> None:
    floor = in_wrap_up()
    effects = floor.tell(i.WrapUpExtend, "ann", 60.0, 1)
    assert said(effects) == "+ ann has 70 s of wrap-up left"
    assert [one.state for one in records(effects, AgentEvent)] == ["wrap_up"]
    floor.restart()
    floor.link_up()
    floor.wait(60)
    assert floor.agent("ann") == ("wrap_up", "")
    assert placed(floor.wait(11)) is None
    assert floor.agent("ann") == ("available", "")
    longest = in_wrap_up()
    for _ in range(3):
        longest.tell(i.WrapUpExtend, "ann", 3000.0, 1)
    assert said(longest.tell(i.WrapUpExtend, "ann", 1.0, 1)) == "+ ann has 3600 s of wrap-up left"
