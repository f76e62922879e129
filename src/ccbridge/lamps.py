"""Lamps of phones' keys (BLF): custom device states of the PBX, kept as the switchboard has it.

What the PBX shows is read with each snapshot, at a login and at each sweep; in between it is what we sent.
Only differences are sent, so a start changes nothing that is right already, and a lamp that somebody else
has switched is mended by the next sweep.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping

import structlog

from ccbridge.ami.client import AmiClient
from ccbridge.ami.translate import LAMP
from ccbridge.core.lamps import lamps
from ccbridge.core.world import World

log = structlog.get_logger(__name__)

LIT, DARK, GONE = "INUSE", "NOT_INUSE", "UNAVAILABLE"
# Many decisions a second are one look: a lamp follows within this many seconds.
PAUSE = 0.2
# Set at a time, each a write into the PBX's own database: 1,000 took 0.3 to 0.5 s.
BATCH = 100


class Lamps:
    """``run()`` until cancelled. While ``on()`` is false, and for whoever is not configured any more, what
    was ever set shows GONE: no lamp tells what nobody keeps. ``due()``: agents with a follow-up to do."""

    def __init__(
        self,
        world: Callable[[], World],
        on: Callable[[], bool],
        due: Callable[[], Collection[str]],
        client: AmiClient,
    ) -> None:
        self._world = world
        self._on = on
        self._due = due
        self._client = client
        self._shown: dict[str, str] | None = None  # device -> state, as the PBX has it; None: not known
        self._stale = asyncio.Event()

    def look(self) -> None:
        """Something was decided."""
        self._stale.set()

    def found(self, devices: Mapping[str, str]) -> dict[str, str]:
        """Device states as the PBX lists them; those that are no lamps of ours."""
        self._shown = {name: state for name, state in devices.items() if name.startswith(LAMP)}
        self._stale.set()
        return {name: state for name, state in devices.items() if not name.startswith(LAMP)}

    def lost(self) -> None:
        """The link is down."""
        self._shown = None

    async def run(self) -> None:
        while True:
            await self._stale.wait()
            self._stale.clear()
            await self._switch()
            await asyncio.sleep(PAUSE)

    async def _switch(self) -> None:
        shown = self._shown
        if shown is None or not self._client.up:
            return  # the decision that follows the login looks again
        all_lamps = lamps(self._world(), self._due()) if self._on() else ()
        wanted = {LAMP + name: lit for name, lit in all_lamps}
        changed = list(changes(wanted, shown))
        for begin in range(0, len(changed), BATCH):
            batch = changed[begin : begin + BATCH]
            shown.update(batch)
            failed = [
                one
                for one in await asyncio.gather(
                    *self._client.send_many(
                        [
                            {"Action": "Setvar", "Variable": f"DEVICE_STATE({device})", "Value": state}
                            for device, state in batch
                        ]
                    ),
                    return_exceptions=True,
                )
                if isinstance(one, BaseException)
            ]
            if failed:  # the next snapshot tells which
                log.warning("lamps.not_set", lamps=len(failed), why=str(failed[0]))
                return
            await asyncio.sleep(0)


def changes(wanted: Mapping[str, bool], shown: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """(device, state) of what is to be set. One that was never set is dark."""
    for device, lit in wanted.items():
        if shown.get(device, DARK) != (state := LIT if lit else DARK):
            yield device, state
    for device, state in shown.items():
        if device not in wanted and state != GONE:
            yield device, GONE
