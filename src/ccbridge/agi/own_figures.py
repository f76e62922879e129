"""An agent's own figures of today, spoken in Asterisk's own sounds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from ccbridge.codes import Dialled

from .phone import PhoneCodes, Row
from .session import AgiSession
from .sounds import play

TAKEN, MINUTES, MISSED = "vm-received", "minutes", "number-not-answering"
AWAY = "please-try-call-later"


class Figures(Protocol):
    """Calls taken, offers missed, and seconds of talk."""

    @property
    def answered(self) -> int: ...

    @property
    def missed(self) -> int: ...

    @property
    def talk_s(self) -> float: ...


Today = Callable[[str], Awaitable[Figures | None]]
"""An agent's, or None when they are not to be had now."""


def add(codes: PhoneCodes, today: Today) -> None:
    """Have the code ``figures`` tell them."""

    async def tell(session: AgiSession, dialled: Dialled, row: Row) -> None:
        await _tell(session, await today(row["agent"]))

    codes.add("figures", tell)


async def _tell(session: AgiSession, figures: Figures | None) -> None:
    if figures is None:
        await play(session, AWAY)
        return
    await play(session, TAKEN)
    await session.exec("SayNumber", str(figures.answered))
    await session.exec("SayNumber", str(round(figures.talk_s / 60)))
    await play(session, MINUTES)
    await play(session, MISSED)
    await session.exec("SayNumber", str(figures.missed))
