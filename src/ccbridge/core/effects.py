"""Effects: whatever the core can ask for, as frozen values. It never waits for one.

``Append`` effects of one decision are written to the journal before any other effect is performed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ccbridge.core.inputs import Asked
from ccbridge.core.plan import Confirm
from ccbridge.core.records import Record


@dataclass(frozen=True, slots=True)
class Append:
    record: Record


@dataclass(frozen=True, slots=True)
class PlaceOffer:
    """Redirect the held caller to ``[ccbridge-offer]``, extension ``offer``, which dials the devices at once.

    Answered by ``OfferReached``, or by ``MoveFailed``.
    """

    call: str
    offer: str  # the round's: see ``calls.round_of``
    devices: tuple[str, ...]
    ring: int  # seconds
    display: str  # what the phone shows; untrusted text: a value, never part of an expression
    recording: str | None  # path without suffix, relative to the recordings' directory
    confirm: Confirm | None = None  # whoever picks up is asked to press 1 before he gets the caller
    desk: str = ""  # with ``confirm``: the agent's own phone, which says where he may pass callers on to


@dataclass(frozen=True, slots=True)
class MoveOut:
    """Redirect the held caller to ``[ccbridge-exit]``, extension ``target``."""

    call: str
    target: str


@dataclass(frozen=True, slots=True)
class PlayOut:
    """Redirect the held caller to ``[ccbridge-message]``, which plays ``sounds`` and hangs up."""

    call: str
    sounds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TellQueue:
    """Write on the held caller's channel that he waits in another queue: it stays where it is.

    A daemon that knows nothing of him any more, and the fallback's script, read it from there.
    """

    call: str
    queue: str
    priority: int  # his own, without the queue's and his customer's
    since: float  # virtual start, epoch seconds


@dataclass(frozen=True, slots=True)
class Announce:
    """Have the hold loop tell the caller his place and his wait, after its present stretch of music.

    0 for what is not to be told. One who is given to an agent meanwhile hears nothing, or no more of it.
    """

    call: str
    position: int
    minutes: int
    sounds: tuple[str, ...] = ()  # that say both: absolute paths; none: Asterisk's own do


@dataclass(frozen=True, slots=True)
class DropCall:
    """Hang up the held caller. His ``ChannelGone`` follows."""

    call: str


@dataclass(frozen=True, slots=True)
class DropLeg:
    """Hang up an agent's leg: it was dialled and does not even ring, or a supervisor has its caller.

    Its ``OfferEnded`` follows, or its ``ChannelGone``.
    """

    leg: str


@dataclass(frozen=True, slots=True)
class MuteRecording:
    """Have all recordings on the caller's channel write silence from now on, or sound again.

    Safe to send twice. With ``asked`` it is answered by ``RecorderAnswered``.
    """

    call: str
    on: bool
    asked: Asked | None = None
    recording: str = ""


@dataclass(frozen=True, slots=True)
class StartRecording:
    """Begin a recording on the caller's channel. Answered by ``RecorderAnswered``."""

    call: str
    path: str  # without suffix, relative to the recordings' directory
    asked: Asked
    recording: str  # its id: the offer's on whose leg it begins


@dataclass(frozen=True, slots=True)
class LookAt:
    """Ask Asterisk where the caller's channel is; answered by ``CallLooked``."""

    call: str


@dataclass(frozen=True, slots=True)
class LookUpCustomer:
    """Answered by ``CustomerFound`` within the lookup's time limit, or never."""

    call: str
    e164: str
    days: int  # how far to look back for the last agent


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a command with this ``request`` number."""

    request: int
    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class Oddity:
    """Something that should not happen did. A warning with ids and a counter, never an exception."""

    kind: str
    ids: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Drift:
    """Two sweeps in a row found this difference from Asterisk; it is being mended. Logged and counted."""

    kind: str  # one of ``sweep.KINDS``
    ids: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SweepAgain:
    """Something differs that may be under way: sweep once more in a moment. Answered by ``Swept``."""


Effect = (
    Append
    | PlaceOffer
    | MoveOut
    | PlayOut
    | TellQueue
    | Announce
    | DropCall
    | DropLeg
    | MuteRecording
    | StartRecording
    | LookAt
    | LookUpCustomer
    | Reply
    | Oddity
    | Drift
    | SweepAgain
)
