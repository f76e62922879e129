"""What the AMI tests share: a deadline for polling, and clients against one fake peer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import repeat
from typing import Any

from fake_peer import Peer

from ccbridge.ami.client import AmiClient


async def until(true: Callable[[], object], seconds: float = 5.0) -> None:
    """Polls until `true()`; fails at the deadline."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.002)


class Bench:
    """Clients against one peer, and what they reported, in one list in the order it happened."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.seen: list[str] = []
        self.runs: list[tuple[AmiClient, asyncio.Task[None]]] = []

    async def on_up(self, client: AmiClient) -> None:
        self.seen.append("up")

    def start(self, **options: Any) -> AmiClient:
        given: dict[str, Any] = {
            "host": self.peer.host,
            "port": self.peer.port,
            "username": "ccbridge",
            "secret": "s3cret",
            "ping_interval": 30.0,
            "backoff": lambda: repeat(0.01),
            "on_event": lambda event: self.seen.append(event.event),
            "on_up": self.on_up,
            "on_down": lambda reason: self.seen.append(f"down: {reason}"),
        }
        client = AmiClient(**{**given, **options})
        self.runs.append((client, client.connect()))
        return client

    async def live(self, **options: Any) -> AmiClient:
        client = self.start(**options)
        await until(lambda: client.state == "live")
        return client

    async def ended(self) -> None:
        """The first client's run() ended; raises what it raised."""
        async with asyncio.timeout(30):
            await self.runs[0][1]
