"""What the PBX says to an AMI session of our own, as a capture; the daemon is not asked and not disturbed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from panoramisk.message import Message

from ccbridge import __version__
from ccbridge.ami import snapshot
from ccbridge.ami.client import AmiClient
from ccbridge.captures.anonymise import without_secrets
from ccbridge.captures.lines import Heard, Line, Start, Told
from ccbridge.config import Site
from ccbridge.core import inputs as i
from ccbridge.core.memory import Memory


class Recorder:
    """``write`` gets each line as it comes; ``run`` until cancelled or ``close``."""

    def __init__(self, site: Site, write: Callable[[Line], None]) -> None:
        self.events = 0
        self.asterisk = ""
        self.begun = asyncio.Event()
        self._site = site
        self._write = write
        self._client = AmiClient(
            host=site.asterisk.host,
            port=site.asterisk.port,
            username=site.asterisk.user,
            secret=site.asterisk.secret.get_secret_value(),
            on_event=self._heard,
            on_up=self._up,
            on_down=lambda reason: self._write(Told(time.monotonic(), i.LinkDown(time.time(), reason))),
        )

    async def run(self) -> None:
        """Raises LoginRefused. A link that is lost is made anew, and stands as LinkDown and LinkUp."""
        await self._client.run()

    def close(self) -> None:
        self._client.close()

    async def _up(self, client: AmiClient) -> None:
        settings = await client.action({"Action": "CoreSettings"})
        seen = await snapshot.take(client)
        n, w, site = time.monotonic(), time.time(), self._site
        if not self.begun.is_set():
            self.asterisk = settings.get("asteriskversion", "")
            self._write(
                Start(
                    n,
                    w,
                    "r",
                    site.plan,
                    memory=Memory().dump(),
                    system=site.asterisk.system,
                    country=site.callers.country,
                    ccbridge=__version__,
                    asterisk=self.asterisk,
                )
            )
            self.begun.set()
        self._write(Told(n, i.LinkUp(w, seen)))

    def _heard(self, message: Message) -> None:
        self.events += 1
        self._write(Heard(time.monotonic(), time.time(), without_secrets(message.text)))
