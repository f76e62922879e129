"""What a supervisor hears alone, before the call that an agent has asked him into: whose it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ccbridge.supervision.desk import Briefing

from .server import AgiServer
from .session import AgiSession
from .sounds import PROMPT_LIMIT, extend, play

ANY_KEY = "0123456789*#"
FROM, UNKNOWN, TICKET = "vm-from-phonenumber", "vm-unknown-caller", "number"


class Briefings:
    """The route ``brief``.

    ``find`` gives a channel its briefing, None: it gets none; ``ticket`` the number of a call's ticket, None
    when that cannot be told now.
    """

    def __init__(
        self, find: Callable[[str], Briefing | None], ticket: Callable[[str], Awaitable[int | None]]
    ) -> None:
        self._find = find
        self._ticket = ticket

    def open(self, server: AgiServer) -> None:
        server.add_route("brief", self.brief)

    async def brief(self, session: AgiSession) -> None:
        """Any key ends it."""
        await extend(session, PROMPT_LIMIT)
        about = self._find(session.uniqueid)
        if about is not None and not await self._tell(session, about):
            number = await self._ticket(about.call)
            if number is not None and not await play(session, TICKET, ANY_KEY):
                await session.say_digits(str(number), ANY_KEY)
        await session.set_variable("CCB_STATUS", "done")

    async def _tell(self, session: AgiSession, about: Briefing) -> str:
        if not about.number:
            return await play(session, UNKNOWN, ANY_KEY)
        key = await play(session, FROM, ANY_KEY)
        return key or await session.say_digits(about.number.removeprefix("+"), ANY_KEY)
