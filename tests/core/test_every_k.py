"""After each line of each golden capture: the caller hangs up, the daemon is killed, Asterisk is killed.

Whatever the rest of the world does then, the invariants stand, every call is closed exactly once, and every
agent is free at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from afterwards import Afterwards
from test_captures import CAPTURES, name
from test_planted_faults import a_colleague_is_a_stranger, nothing, one_who_joined_is_forgotten_at_a_restart

from ccbridge.captures import lines
from ccbridge.captures.replay import Replay
from ccbridge.core import moves, offers, reconcile

FATES = ("nothing", "hangup", "kill", "undone", "pbx")


def moments(file: Path) -> list[int]:
    """After which lines: those that were an input of the core."""
    return [step.number for step in Replay().run(lines.read(file)) if step.event is not None]


FILES = [
    pytest.param(file, id=name(file), marks=[pytest.mark.full] if file.parent.name == "16" else [])
    for file in CAPTURES
]


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("file", FILES)
def test_after_each_line(file: Path, fate: str) -> None:
    kept = list(lines.read(file))
    for k in moments(file):
        after = Afterwards(k, kept[:k], fate, kept[k:]).run()
        assert not after.watch.faults, f"after line {k}, {fate}:\n" + "\n".join(after.watch.faults)


def _offer_outlives_a_restart(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(moves, "lose_offer", nothing)


def _ringing_phone_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(offers, "withdraw", nothing)


def _crash_goes_unnoticed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reconcile, "_pbx_restarted", nothing)
    patch.setattr(reconcile, "vanished", nothing)


@pytest.mark.parametrize(
    ("plant", "capture", "fate"),
    [
        (_offer_outlives_a_restart, "missed", "undone"),
        (_ringing_phone_is_forgotten, "missed", "hangup"),
        (_crash_goes_unnoticed, "missed", "pbx"),
        (a_colleague_is_a_stranger, "parked_and_taken", "nothing"),
        (one_who_joined_is_forgotten_at_a_restart, "attended_with_a_consultation", "kill"),
    ],
)
def test_a_planted_fault_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], capture: str, fate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    file = next(file for file in CAPTURES if file.stem == capture and file.parent.name == "22")
    kept = list(lines.read(file))
    assert any(Afterwards(k, kept[:k], fate, kept[k:]).run().watch.faults for k in moments(file))
