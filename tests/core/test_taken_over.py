"""A supervisor takes an agent's caller over: he joins them, and the agent is let go."""

from __future__ import annotations

from test_passed_on import BOB, TRUNK, enter, gone, leave, legs, talking, told

from ccbridge.core import inputs as i
from ccbridge.core.effects import Append, DropLeg
from ccbridge.core.records import CallEvent

SUE = "PJSIP/sue-04"


def test_the_agent_is_let_go_and_the_caller_stays() -> None:
    scene, leg = talking()
    told(scene, enter("s", "b1", SUE))
    assert scene.state("c1") == "talking"
    effects = scene.tell(i.LegTaken, leg, "s", "sue")
    assert DropLeg(leg) in effects
    assert (scene.state("c1"), scene.agent("ann")) == ("transferred", ("wrap_up", ""))
    told(scene, leave(leg, "b1"), gone(leg), (i.LegTaken, leg, "s", "sue"))
    scene.wait(30)
    told(scene, leave("s", "b1"), leave("c1", "b1"), gone("s"), gone("c1"))
    account = scene.closed("c1")
    assert (account.disposition, account.ended_by, account.agent) == ("answered", "target", "ann")
    assert legs(scene) == [("ann", 10.0, 0.0, "taken_over")]
    (passed,) = [
        one.record.data
        for one in effects
        if isinstance(one, Append) and isinstance(one.record, CallEvent) and one.record.kind == "transferred"
    ]
    assert passed == {"how": "taken_over", "target": "sue", "agent": "ann", "by": "sue"}
    assert not scene.oddities()


def test_a_supervisor_who_is_an_agent_has_the_next_leg() -> None:
    scene, leg = talking()
    told(scene, enter("m", "b1", BOB), (i.LegTaken, leg, "m", "bob"), leave(leg, "b1"), gone(leg))
    assert (scene.state("c1"), scene.agent("bob")[0]) == ("talking", "talking")
    scene.wait(5)
    told(scene, leave("m", "b1"), leave("c1", "b1"), gone("m"), gone("c1"))
    assert legs(scene) == [("ann", 10.0, 0.0, "taken_over"), ("bob", 5.0, 0.0, "agent")]
    assert not scene.oddities()


def test_who_is_not_with_the_caller_takes_nobody() -> None:
    scene, leg = talking()
    assert scene.tell(i.LegTaken, leg, "s", "sue") == []
    told(scene, enter("s", "b2", SUE), (i.LegTaken, leg, "s", "sue"), (i.LegTaken, "nobody's", "s", "sue"))
    assert scene.state("c1") == "talking"
    told(scene, leave("c1", "b1"), leave(leg, "b1"), gone("c1"), (i.LegTaken, leg, "s", "sue"))
    assert legs(scene) == [("ann", 10.0, 0.0, "caller")]
    assert not scene.oddities()


def test_a_restart_while_he_has_the_caller() -> None:
    scene, leg = talking()
    (offered,) = scene.board.world.offers
    told(scene, enter("s", "b1", SUE), (i.LegTaken, leg, "s", "sue"), leave(leg, "b1"), gone(leg))
    scene.is_at("c1", "ccbridge-offer", offered, bridge="b1", name=TRUNK)
    scene.is_at("s", "ccbridge-takeover", "t1", bridge="b1", name=SUE)
    scene.restart(away=1)
    scene.link_up()
    assert scene.state("c1") == "transferred"
    told(scene, leave("s", "b1"), leave("c1", "b1"), gone("s"), gone("c1"))
    assert legs(scene) == [("ann", 10.0, 0.0, "taken_over")]
    assert not scene.oddities()
