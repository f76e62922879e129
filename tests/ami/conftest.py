from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from ami_rig import Bench
from fake_peer import Peer


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with Peer().serving() as peer:
        yield peer


@pytest.fixture
async def ami(peer: Peer) -> AsyncIterator[Bench]:
    bench = Bench(peer)
    yield bench
    for client, _ in bench.runs:
        client.close()
    async with asyncio.timeout(30):
        await asyncio.gather(*(run for _, run in bench.runs), return_exceptions=True)
