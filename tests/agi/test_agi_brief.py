"""What a supervisor is told before the call, against a scripted Asterisk."""

from __future__ import annotations

import pytest
from fake_asterisk import FakeAsterisk

from ccbridge.agi.brief import Briefings
from ccbridge.agi.server import AgiServer
from ccbridge.supervision.desk import Briefing

ONE = Briefing("1.0", "+306912345678")


@pytest.mark.parametrize(
    ("about", "ticket", "key_at", "heard"),
    [
        (ONE, 417, "", ["vm-from-phonenumber", "306912345678", "number", "417"]),
        (ONE, None, "", ["vm-from-phonenumber", "306912345678"]),
        (Briefing("1.0", ""), 417, "", ["vm-unknown-caller", "number", "417"]),
        (ONE, 417, "306912345678", ["vm-from-phonenumber", "306912345678"]),
        (ONE, 417, "number", ["vm-from-phonenumber", "306912345678", "number"]),
        (None, 417, "", []),
    ],
)
async def test_the_number_and_the_ticket(
    about: Briefing | None, ticket: int | None, key_at: str, heard: list[str]
) -> None:
    """Any key ends it."""

    async def ticket_of(call: str) -> int | None:
        assert call == "1.0"
        return ticket

    server = AgiServer()
    await server.start("127.0.0.1", 0)
    Briefings({"mx1": about}.get, ticket_of).open(server)
    seen: list[str] = []
    async with FakeAsterisk(server.port) as peer:
        peer.greet("brief", uniqueid="mx1")
        while not (seen and "CCB_STATUS" in seen[-1]):
            seen.append(await peer.command())
            key = 49 if key_at and f'"{key_at}"' in seen[-1] else 0
            peer.send("200 result=1" if seen[-1].startswith("SET") else f"200 result={key} endpos=8000")
        await peer.ended()
    await server.stop(0)
    assert [one.split('"')[1] for one in seen if not one.startswith("SET")] == heard
