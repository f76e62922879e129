"""Keys that an agent presses in his talk: what they ask for goes to the core, its answer back to his leg.

The leg that the keys were pressed on says who he is and which call he means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import structlog
from panoramisk.message import Message

from ccbridge.ami import translate
from ccbridge.ami.client import AmiClient
from ccbridge.ami.errors import AmiError
from ccbridge.core import inputs as i
from ccbridge.core.switchboard import Switchboard
from ccbridge.core.taping import COMMANDS
from ccbridge.routing import RoutingLoop

log = structlog.get_logger(__name__)

Other = Callable[[str, str], bool]


class TalkKeys:
    """``others``: what else may be asked for, of the phone's device and the agent; whether it is done."""

    def __init__(
        self, board: Switchboard, loop: RoutingLoop, client: AmiClient, others: Mapping[str, Other]
    ) -> None:
        self._board = board
        self._others = others
        self._loop = loop
        self._client = client
        self._tasks: set[asyncio.Task[None]] = set()

    def heard(self, message: Message, at: float) -> None:
        """An event of the PBX."""
        if message.event != "UserEvent" or message.get("userevent") != "CcbFeature":
            return
        offer = self._board.world.legs.get(message.get("uniqueid", ""))
        do = message.get("do", "")
        if offer is None or do not in (*COMMANDS, *self._others):
            log.info("talk_keys.not_understood", leg=message.get("uniqueid", ""), do=do[:20])
            return
        device = translate.device_of(message.get("channel", ""))
        task = asyncio.get_running_loop().create_task(self._ask(offer.leg, offer.agent, device, do, at))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, leg: str, agent: str, device: str, do: str, at: float) -> None:
        """His phone waits a second for the answer."""
        try:
            if do in self._others:
                ok = self._others[do](device, agent)
            else:
                reply = await self._loop.ask(
                    lambda request: i.RecordingCommand(at, do, agent, device, "phone", request, agent=agent)
                )
                ok = reply.ok
            answer = translate.set_variables(leg, {"CCB_DONE": "yes" if ok else "no"})
            await asyncio.gather(*self._client.send_many(answer))
        except (TimeoutError, AmiError) as error:
            log.info("talk_keys.not_answered", leg=leg, do=do, why=str(error))
