"""An update in the middle of calls: what version 0.1.0 left in its journal is understood."""

from __future__ import annotations

from ccbridge.core.memory import Memory
from ccbridge.core.records import CallEvent, CallOpened, Record

LEG = {"offer": "o1", "agent": "anna"}
TALKED: list[Record] = [
    CallOpened("c1", 100.0, "100", "e164", "+302101234567", "2101234567", ""),
    CallEvent("c1", 101.0, "offered", LEG),
    CallEvent("c1", 105.0, "answered", LEG),
    CallEvent("c1", 125.0, "offer_ended", LEG | {"result": "talked"}),
]


def test_a_talk_that_told_no_more_than_its_end() -> None:
    memory = Memory()
    for record in TALKED:
        memory.apply(record)
    account = {"from": 105.0, "to": 125.0, "talk_s": 20.0, "hold_s": 0.0, "end": "unknown"}
    assert memory.calls["c1"]["legs"] == [LEG | account]
    assert memory.calls["c1"]["state"] == "released"
    assert "offer" not in memory.calls["c1"]
