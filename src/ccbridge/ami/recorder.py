"""Recordings that begin in the middle of a talk: AMI's MixMonitor, on a connection of its own.

MixMonitor needs the right ``system``, and with it comes the right to run a shell command. So nothing else is
ever sent on this connection, and nothing of a caller's on it.
"""

from __future__ import annotations

import re
from pathlib import Path

import structlog

from .client import AmiClient
from .errors import AmiError, LoginRefused

log = structlog.get_logger(__name__)

# They become arguments of MixMonitor.
_CHANNEL = re.compile(r"[A-Za-z0-9._-]{1,150}")
_PATH = re.compile(r"[A-Za-z0-9._~/-]{1,200}")
_OPTIONS = re.compile(r"[A-Za-z]{1,8}")
DEFAULT_OPTIONS = "b"


class NoRecorder(AmiError):
    """The site has no asterisk.recorder_secret: nothing can be recorded on demand."""


class Recorder:
    """``client``: None where the site has none."""

    def __init__(self, client: AmiClient | None, directory: Path) -> None:
        self._client = client
        self._directory = directory

    async def run(self) -> None:
        """Until ``close()``. A secret that Asterisk does not take is no reason for the daemon to stop."""
        if self._client is None:
            return
        try:
            await self._client.run()
        except LoginRefused as refused:
            log.error("recorder.login_refused", why=str(refused))

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    async def start(self, channel: str, path: str) -> None:
        """Record this channel into ``path`` (relative, no suffix) from now on, as the dialplan would.

        Raises AmiError, and ValueError for what can be no argument.
        """
        if self._client is None:
            raise NoRecorder("the site has no asterisk.recorder_secret")
        if not _CHANNEL.fullmatch(channel) or not _PATH.fullmatch(path):
            raise ValueError(f"no channel or no path of ours: {channel!r}, {path!r}")
        told = await self._client.action({"Action": "Getvar", "Variable": "CCB_REC_OPTIONS"})
        options = told.get("value", "")
        base = self._directory / path
        sides = f"r({base}-r.wav)t({base}-t.wav)i(CCB_MIX)"
        given = options if _OPTIONS.fullmatch(options) else DEFAULT_OPTIONS
        await self._client.action({"Action": "MixMonitor", "Channel": channel, "Options": given + sides})
