"""What each conversation over FastAGI needs: a limit that outlasts its next step, and sounds, of which some
may be missing.
"""

from __future__ import annotations

import structlog

from .session import AgiSession, CommandRefused

log = structlog.get_logger(__name__)

# Seconds: a prompt of more than two minutes is not one.
PROMPT_LIMIT = 120.0


async def extend(session: AgiSession, seconds: float) -> None:
    """Move the limit after which the dialplan takes the channel back, should we freeze."""
    await session.set_variable("TIMEOUT(absolute)", round(seconds))


async def play(session: AgiSession, sound: str, keys: str = "") -> str:
    """The key that broke it off, or ''. A sound that is missing is told in the log and skipped."""
    try:
        return await session.stream_file(sound, keys, limit=PROMPT_LIMIT)
    except CommandRefused as refused:
        log.warning("agi.prompt_not_played", sound=sound, call=session.uniqueid, why=str(refused))
        return ""


async def say(session: AgiSession, *sounds: str) -> None:
    """One after another, whatever is keyed."""
    for sound in sounds:
        await play(session, sound)
