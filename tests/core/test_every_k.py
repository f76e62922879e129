"""After each line of each golden capture: the caller hangs up, the daemon is killed, Asterisk is killed.

Whatever the rest of the world does then, the invariants stand, every call is closed exactly once, and every
agent is free at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from afterwards import Afterwards
from test_captures import CAPTURES, name

from ccbridge.captures import lines
from ccbridge.captures.replay import Replay
from ccbridge.core import moves, offers, reconcile
from ccbridge.core.records import CallEvent

PASSED_ON = ("transferred", "joined")
FATES = ("nothing", "hangup", "kill", "undone", "pbx")


def moments(file: Path) -> list[int]:
    """After which lines: those that were an input of the core, until the caller is passed on.

    The simulated world has no consultations and no second agent: from there on it could not go on.
    """
    found = []
    for step in Replay().run(lines.read(file)):
        events = [one for _, one in step.records if isinstance(one, CallEvent)]
        if any(one.kind in PASSED_ON and "agent" in one.data for one in events):
            break
        if step.event is not None:
            found.append(step.number)
    return found


FILES = [
    pytest.param(file, id=name(file), marks=[pytest.mark.full] if file.parent.name == "16" else [])
    for file in CAPTURES
]


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("file", FILES)
def test_after_each_line(file: Path, fate: str) -> None:
    kept = list(lines.read(file))
    for k in moments(file):
        after = Afterwards(k, kept[:k], fate).run()
        assert not after.watch.faults, f"after line {k}, {fate}:\n" + "\n".join(after.watch.faults)


def nothing(*args: Any, **more: Any) -> None:
    pass


def _offer_outlives_a_restart(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(moves, "lose_offer", nothing)


def _ringing_phone_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(offers, "withdraw", nothing)


def _crash_goes_unnoticed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reconcile, "_pbx_restarted", nothing)
    patch.setattr(reconcile, "vanished", nothing)


@pytest.mark.parametrize(
    ("plant", "fate"),
    [
        (_offer_outlives_a_restart, "undone"),
        (_ringing_phone_is_forgotten, "hangup"),
        (_crash_goes_unnoticed, "pbx"),
    ],
)
def test_a_planted_fault_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], fate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    file = next(file for file in CAPTURES if file.stem == "missed")
    kept = list(lines.read(file))
    assert any(Afterwards(k, kept[:k], fate).run().watch.faults for k in moments(file))
