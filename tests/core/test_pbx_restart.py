"""The PBX stops or dies: its calls end as that, and agents keep what is theirs."""

import pytest
from scene import Scene, placed, some

from ccbridge.core import inputs as i

AGENTS = "ann bob"


def in_every_stage() -> Scene:
    """c1 talks with ann, c2 rings bob, c3 waits, c4 is in the menu, c5 in the fallback."""
    scene = Scene(agents=AGENTS)
    scene.answer(some(scene.hold("c1")))
    scene.ring(some(scene.hold("c2")))
    scene.hold("c3")
    scene.arrive("c4")
    scene.arrive("c5")
    scene.tell(i.CallInFallback, "c5")
    scene.wait(8)
    return scene


CALLS = ("c1", "c2", "c3", "c4", "c5")


def ends(scene: Scene) -> set[tuple[str, str]]:
    return {(scene.closed(call).disposition, scene.closed(call).ended_by) for call in CALLS}


@pytest.mark.parametrize("daemon_too", [False, True])
def test_a_crash(daemon_too: bool) -> None:
    scene = in_every_stage()
    died = scene.t
    scene.tell(i.Tick)
    if daemon_too:
        scene.restart(away=3)
    else:
        scene.tell(i.LinkDown, "closed by Asterisk")
        scene.wait(3)
    scene.link_up(began=died + 1)
    assert ends(scene) == {("pbx_restart", "system")}
    assert all(scene.closed(call).inferred for call in CALLS)
    talk = scene.closed("c1").talk
    # of a run of our own that ended with it we know the last record only
    assert talk == (0 if daemon_too else 8)
    assert scene.closed("c1").at == scene.closed("c1").answered_at + talk
    assert scene.results() == ["talked", "withdrawn"]
    scene.wait(0.1)
    assert scene.agent("bob") == ("available", "")
    assert scene.agent("ann") == (("available", "") if daemon_too else ("wrap_up", ""))
    scene.wait(7)  # 10 s after the crash, not after the link
    assert scene.agent("ann") == ("available", "")
    assert not scene.oddities()


def test_who_came_after_the_start_was_not_cut_off_by_it() -> None:
    scene = Scene(agents="")
    scene.hold("c1")
    scene.is_at("c1", "ccbridge-hold")
    scene.tell(i.LinkDown, "cut")
    scene.wait(5)
    scene.queue("c2")
    scene.tell(i.CallHolding, "c2", "sales", 0, 0.0)
    scene.wait(1)
    scene.link_up(began=scene.t - 3)
    assert scene.closed("c2").disposition == "lost"
    assert scene.state("c1") == "holding"  # what is there is there, whatever the PBX says of its start


def test_a_lost_link_is_no_restart() -> None:
    scene = in_every_stage()
    scene.tell(i.LinkDown, "cut")
    scene.link_up(began=-1000.0)
    assert {scene.closed(call).disposition for call in CALLS[:3]} == {"answered", "lost"}


def test_agents_keep_what_is_theirs() -> None:
    scene = Scene(agents=AGENTS)
    scene.tell(i.Pause, "bob", "lunch", 1)
    leg = scene.answer(some(scene.hold("c1")))
    scene.tell(i.HangupAsked, "c1")
    scene.tell(i.ChannelGone, leg, 16)
    since = scene.board.world.agents["bob"].shown_at
    scene.tell(i.LinkDown, "closed by Asterisk")
    scene.devices = dict.fromkeys(scene.devices, "UNAVAILABLE")
    scene.wait(4)
    scene.link_up(began=scene.t - 2)
    assert scene.agent("ann") == ("wrap_up", "")
    assert scene.agent("bob") == ("paused", "lunch")
    assert scene.board.world.agents["bob"].shown_at == since
    scene.wait(6.1)
    assert scene.agent("ann") == ("unreachable", "not_registered")
    scene.tell(i.DeviceChanged, "PJSIP/ann", "NOT_INUSE")
    assert some(scene.hold("c2")).devices == ("PJSIP/ann",)


def test_a_clean_stop() -> None:
    """Each channel is told to end for it, and then ends as if it had hung up."""
    scene = in_every_stage()
    for channel in CALLS:
        scene.tell(i.ChannelCut, channel)
    for leg in list(scene.board.world.legs):
        scene.tell(i.ChannelCut, leg)
        scene.tell(i.BridgeLeft, leg, "b")
        scene.tell(i.ChannelGone, leg, 16)
    for channel in CALLS:
        scene.tell(i.ChannelGone, channel, 0)
    assert ends(scene) == {("pbx_restart", "system")}
    assert not any(scene.closed(call).inferred for call in CALLS)
    assert scene.closed("c1").talk == 8
    assert (scene.agent("ann"), scene.agent("bob")) == (("wrap_up", ""), ("available", ""))
    assert not scene.oddities()
    assert placed(scene.wait(20)) is None
