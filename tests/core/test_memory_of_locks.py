"""Wrong PINs outlive a restart: they are folded from the audit's own records."""

from __future__ import annotations

from ccbridge.core.memory import WRONG_EACH, Memory
from ccbridge.core.records import ControlEvent

PHONE = "PJSIP/1005"


def event(at: float, what: str, result: str, whom: str, by: str = PHONE, door: str = "phone") -> ControlEvent:
    return ControlEvent(f"a{at}", at, what, result, "", by, whom, door)


def test_wrong_pins_until_a_right_one_or_an_unlock() -> None:
    memory = Memory()
    for one in (event(1.0, "pin", "failed", "anna"), event(2.0, "pin", "failed", "")):
        memory.apply(one)
    assert memory.wrong == {"anna": [1.0], PHONE: [1.0, 2.0]}
    assert Memory(memory.dump()).wrong == memory.wrong
    memory.apply(event(3.0, "log_in", "done", "anna", "root", "cli"))  # no PIN was asked for
    memory.apply(event(3.0, "unlock", "refused", PHONE, "sue", "cli"))
    memory.apply(event(3.0, "lock", "done", PHONE))
    assert memory.wrong == {"anna": [1.0], PHONE: [1.0, 2.0]}
    memory.apply(event(4.0, "log_in", "refused", "anna"))  # the PIN was right
    assert memory.wrong == {PHONE: [1.0, 2.0]}
    memory.apply(event(5.0, "unlock", "done", PHONE, "sue", "cli"))
    assert memory.wrong == {}


def test_a_supervisors_right_pin_is_told_by_what_he_did_with_it() -> None:
    memory = Memory()
    memory.apply(event(1.0, "pin", "failed", "supervisor/sue"))
    for door, wrong in (("cli", {"supervisor/sue": [1.0], PHONE: [1.0]}), ("phone", {PHONE: [1.0]})):
        memory.apply(
            ControlEvent("h1", 2.0, "close_hours", "done", "sue", PHONE, "office", door, seconds=60.0)
        )
        assert memory.wrong == wrong
    assert memory.closings == {"office": {"by": "sue", "until": 62.0, "reason": ""}}
    assert Memory(memory.dump()).closings == memory.closings


def test_it_is_bounded() -> None:
    memory = Memory()
    for at in range(100):
        memory.apply(event(float(at), "pin", "failed", ""))
    assert memory.wrong == {PHONE: [float(at) for at in range(100 - WRONG_EACH, 100)]}
