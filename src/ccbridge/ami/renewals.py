"""Keeps callers in the menu for as long as we are alive, and not much longer.

A channel in AGI is let go by Asterisk when its ``TIMEOUT(absolute)`` is over. A long prompt would need a long
limit, and a daemon that freezes in the middle of it would hold the caller for all of that; so the limit is
short and renewed from outside. The daemon's loop does the renewing: one that hangs renews nothing, and one
that comes back too late renews nobody who has been let go. He talks in the fallback by now, and a limit
would end that.
"""

from __future__ import annotations

import asyncio
import time

from panoramisk.message import Message

from .client import AmiClient


class Renewals:
    """``seconds``: the limit that each renewal sets anew, from that moment."""

    def __init__(self, client: AmiClient, seconds: float) -> None:
        self._client = client
        self._seconds = seconds
        self._held: dict[str, float] = {}  # until when Asterisk holds him, of time.monotonic()
        self._under_way: dict[str, asyncio.Future[Message]] = {}

    @property
    def working(self) -> bool:
        """Whether renewals reach the PBX now."""
        return self._client.up

    def hold(self, call: str, seconds: float) -> None:
        """Renew from now on the limit of this channel (a uniqueid), about to be set to so many seconds."""
        self._held[call] = time.monotonic() + seconds

    async def release(self, call: str) -> None:
        """Renew no more; returns when no renewal is under way that could still reach the channel."""
        self._held.pop(call, None)
        under_way = self._under_way.pop(call, None)
        if under_way is not None:
            await asyncio.wait({under_way})

    def renew(self) -> None:
        """Renew every limit that is not over yet, in one write."""
        now = time.monotonic()
        calls = sorted(call for call, until in self._held.items() if until > now)
        self._held = dict.fromkeys(calls, now + self._seconds)
        actions = [
            {
                "Action": "Setvar",
                "Channel": call,
                "Variable": "TIMEOUT(absolute)",
                "Value": f"{self._seconds:.0f}",
            }
            for call in calls
        ]
        for call, future in zip(calls, self._client.send_many(actions), strict=True):
            self._under_way[call] = future
