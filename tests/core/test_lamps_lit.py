"""Lamps: which are lit, and which of them are to be switched."""

from __future__ import annotations

from scene import Scene

from ccbridge.core import inputs as i
from ccbridge.core.lamps import lamps
from ccbridge.lamps import changes


def lit(scene: Scene) -> set[str]:
    return {name for name, on in lamps(scene.board.world) if on}


def test_what_is_lit() -> None:
    scene = Scene()
    assert [name for name, _ in lamps(scene.board.world)] == [
        "in-ann", "pause-ann", "wrap-ann", "due-ann", "in-bob", "pause-bob", "wrap-bob", "due-bob",
        "waiting-sales",
    ]  # fmt: skip
    assert {name for name, on in lamps(scene.board.world, {"bob"}) if on} == {"in-ann", "in-bob", "due-bob"}
    here = {"in-ann", "in-bob"}
    assert lit(scene) == here
    scene.tell(i.Pause, "bob", "break", 1)
    offer = scene.hold("c1")
    assert offer is not None
    assert lit(scene) == here | {"pause-bob", "waiting-sales"}  # his place in line is kept until the answer
    leg = scene.answer(offer)
    assert lit(scene) == here | {"pause-bob"}
    scene.tell(i.Pause, "ann", "break", 1)
    scene.tell(i.ChannelGone, "c1", 16)
    scene.tell(i.ChannelGone, leg, 16)
    assert lit(scene) == here | {"pause-bob", "pause-ann", "wrap-ann"}
    scene.restart()
    assert lit(scene) == here | {"pause-bob", "pause-ann", "wrap-ann"}
    scene.link_up()
    scene.wait(10)
    scene.tell(i.LogOut, "bob", 1)
    assert lit(scene) == {"in-ann", "pause-ann"}


def test_only_differences_are_sent() -> None:
    wanted = {"in-a": True, "in-b": False, "in-c": True, "in-d": False}
    shown = {"in-a": "INUSE", "in-b": "INUSE", "in-c": "UNAVAILABLE", "in-e": "INUSE", "in-f": "UNAVAILABLE"}
    told = dict(changes(wanted, shown))
    assert told == {"in-b": "NOT_INUSE", "in-c": "INUSE", "in-e": "UNAVAILABLE"}
    assert list(changes(wanted, {**shown, **told})) == []
    assert list(changes({name: False for name in wanted}, {})) == []  # the first start of all
