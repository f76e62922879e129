"""A prompt in each of five languages, spoken by the real programs and played to a real caller."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e_rig import SALES, Site, new_number
from likeness import likeness

from ccbridge.agi.server import AgiServer
from ccbridge.agi.session import AgiSession
from ccbridge.config import load
from ccbridge.lab.carrier import Carrier
from ccbridge.lab.lab import Lab
from ccbridge.prompts.library import Library

pytestmark = [pytest.mark.lab, pytest.mark.pg]

FIVE = ["en", "el", "hr", "ar", "fa"]


async def test_five_languages_are_heard(make_site: Callable[..., Site], lab: Lab, carrier: Carrier) -> None:
    """The caller's side correlates with the file of his language, and not with that of the next one."""
    site = make_site(start=False, speech={}, languages=FIVE)
    wording = load(site.config).wording
    library = Library(lambda: wording)
    played: list[str] = []

    async def menu(session: AgiSession) -> None:
        await session.set_variable("TIMEOUT(absolute)", 30)
        path = await library.prompt("position", FIVE[len(played)], n=3)
        assert path is not None
        played.append(path)
        await session.stream_file(path, limit=30.0)
        await session.set_variable("CCB_STATUS", "hangup")

    server = AgiServer()
    server.add_route("menu", menu)
    await server.start("127.0.0.1", lab.pbx.agi_port)
    heard: list[Path] = []
    try:
        for _ in FIVE:
            call = await carrier.call(SALES, new_number())
            await call.ended()
            heard.append(call.heard)
    finally:
        await server.stop(1.0)
    await asyncio.sleep(0.3)  # what was heard is written
    assert len(set(played)) == len(FIVE)
    for at, file in enumerate(heard):
        own, other = (Path(f"{played[n % len(FIVE)]}.wav") for n in (at, at + 1))
        alike = await asyncio.to_thread(likeness, file, own), await asyncio.to_thread(likeness, file, other)
        print(FIVE[at], alike)
        assert alike[0] > 0.8, FIVE[at]
        assert alike[1] < 0.5, FIVE[at]
