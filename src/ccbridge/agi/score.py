"""A supervisor's phone while he fills in a score card by its keys."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from ccbridge.supervision.keying import DIGITS, Ask, Keyed, fill_in
from ccbridge.supervision.score_desk import Sheet

from .server import AgiServer
from .session import AgiSession, ChannelLeft
from .sounds import PROMPT_LIMIT, extend, play

log = structlog.get_logger(__name__)

ANY_KEY = f"{DIGITS}*#"
DONE = "auth-thankyou"
GIVEN_UP = "cancelled"
NOT_NOW = ("im-sorry", "feature-not-avail-line")


class ScoreCards:
    """The route ``score``. ``begin`` gives a channel its form, None: it gets none; ``end`` keeps the card."""

    def __init__(self, begin: Callable[[str], Sheet | None], end: Callable[[Sheet, Keyed], None]) -> None:
        self._begin = begin
        self._end = end

    def open(self, server: AgiServer) -> None:
        server.add_route("score", self.score)

    async def score(self, session: AgiSession) -> None:
        await extend(session, PROMPT_LIMIT)
        sheet = self._begin(session.uniqueid)
        sounds: tuple[str, ...] = NOT_NOW
        if sheet is not None:
            keyed = Keyed(None, "broken off")
            try:
                keyed = await _filled_in(session, sheet)
            except ChannelLeft:
                keyed = Keyed(None, "hung up")
                raise
            finally:
                self._end(sheet, keyed)
            sounds = (GIVEN_UP,) if keyed.points is None else (DONE,)
        for sound in sounds:
            await play(session, sound)
        await session.set_variable("CCB_STATUS", "done")


async def _filled_in(session: AgiSession, sheet: Sheet) -> Keyed:
    talk = fill_in(sheet.form)
    ask = next(talk)
    while True:
        key = await _asked(session, ask)
        try:
            ask = talk.send(key)
        except StopIteration as stop:
            keyed: Keyed = stop.value
            return keyed


async def _asked(session: AgiSession, ask: Ask) -> str:
    # Once for all that is said: a key that comes between two commands is lost, so there are to be few.
    await extend(session, PROMPT_LIMIT)
    for word in ask.words:
        if isinstance(word, int):
            key = await session.say_number(word, ANY_KEY)
        else:
            key = await play(session, word, ANY_KEY)
        if key:
            return key
    return await session.wait_for_digit(round(ask.seconds * 1000))
