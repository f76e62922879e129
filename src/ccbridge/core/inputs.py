"""Inputs: whatever can happen, as frozen values.

``at`` is the event's own time, seconds since the epoch (Asterisk's stamp for AMI events, our clock for
ticks and commands). ``call`` is the uniqueid of the caller's channel, ``leg`` that of an agent's channel.
``request`` is a number that the asker made up; it comes back in one ``Reply`` effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ccbridge.core.plan import Plan


@dataclass(frozen=True, slots=True)
class Place:
    """Where a channel is, as a snapshot or a single look shows it."""

    channel: str  # uniqueid
    name: str  # PJSIP/1001-0000002a
    linked: str
    context: str
    exten: str
    bridge: str  # "" when in none, or in one where nobody hears another: see ``parked``
    seconds: float = 0.0  # age of the channel
    up: bool = True
    caller: str = ""  # caller id number, untrusted
    caller_kind: str = "unparsable"  # see CallArrived; the composition root fills it in
    e164: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)  # CCB_* as set by us
    parked: bool = False  # in a bridge that only holds: all who are parked in one lot share it

    @property
    def device(self) -> str:
        """``PJSIP/1001`` of ``PJSIP/1001-0000002a``."""
        return self.name.rpartition("-")[0]


@dataclass(frozen=True, slots=True)
class Snapshot:
    places: tuple[Place, ...]
    devices: Mapping[str, str]  # device -> state in Asterisk's words
    started: float | None = None  # when this run of the PBX began, epoch seconds; None: it did not say


@dataclass(frozen=True, slots=True)
class LinkUp:
    """AMI is logged in, and this is how the PBX stands."""

    at: float
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class LinkDown:
    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class Swept:
    """How the PBX stands, seen while its events went on: what differs here may be under way."""

    at: float
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class CallArrived:
    at: float
    call: str
    did: str
    caller_kind: str  # e164 | internal | anonymous | unparsable
    e164: str | None
    raw: str
    name: str
    came: float = 0.0  # when the PBX answered him, which may be long ago: nobody was here; 0.0: not known


@dataclass(frozen=True, slots=True)
class MenuStepped:
    """A step of a flow was left; with an empty one the caller is at the step ``result`` of this flow now."""

    at: float
    call: str
    step: str
    result: str  # the step that follows, or what came of it: STAYS of core.ivr, too_long, queue sales ...
    flow: str = ""


@dataclass(frozen=True, slots=True)
class CallQueued:
    """The flow ended in a queue; the caller is on his way to the hold loop."""

    at: float
    call: str
    queue: str
    priority: int


@dataclass(frozen=True, slots=True)
class FlowEnded:
    """The flow ended in something else than a queue."""

    at: float
    call: str
    how: str  # transfer | hangup | blocked


@dataclass(frozen=True, slots=True)
class CallHolding:
    """The hold loop's first step: from now on the caller can be given to an agent."""

    at: float
    call: str
    queue: str  # as the channel's own variables say: enough to adopt an unknown call
    priority: int
    since: float  # virtual start, epoch seconds; 0 when not known
    caller: str = ""
    caller_kind: str = "unparsable"
    e164: str | None = None
    did: str = ""
    came: float = 0.0  # see CallArrived


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """The caller pressed a key in the hold loop."""

    at: float
    call: str
    key: str  # 0-9, * or #


@dataclass(frozen=True, slots=True)
class CallExited:
    """The caller reached the way out: overflow, or the menu's transfer."""

    at: float
    call: str
    target: str


@dataclass(frozen=True, slots=True)
class CallInFallback:
    """The PBX took the caller to its own fallback queue. The rest is as in ``CallHolding``."""

    at: float
    call: str
    caller: str = ""
    caller_kind: str = "unparsable"
    e164: str | None = None
    did: str = ""
    came: float = 0.0


@dataclass(frozen=True, slots=True)
class OfferReached:
    """The offer context's first step: the Redirect has arrived."""

    at: float
    call: str
    offer: str


@dataclass(frozen=True, slots=True)
class LegDialled:
    at: float
    call: str
    offer: str  # the round's
    leg: str
    device: str = ""  # the leg's: of several who are rung at once, whose it is


@dataclass(frozen=True, slots=True)
class LegRinging:
    at: float
    leg: str


@dataclass(frozen=True, slots=True)
class LegAsked:
    """Somebody, or a voicemail, has picked up a personal device and is asked to press 1."""

    at: float
    leg: str


@dataclass(frozen=True, slots=True)
class LegDeclined:
    """Whoever was asked to press 1 has pressed another key."""

    at: float
    leg: str


@dataclass(frozen=True, slots=True)
class OfferEnded:
    """Dial has returned. ``status`` is DIALSTATUS, ``cause`` HANGUPCAUSE of the caller's channel."""

    at: float
    call: str
    offer: str
    status: str
    cause: int


@dataclass(frozen=True, slots=True)
class BridgeEntered:
    at: float
    channel: str
    bridge: str
    name: str = ""  # the channel's, as in Place
    swap: str = ""  # the channel whose place it takes


@dataclass(frozen=True, slots=True)
class BridgeLeft:
    at: float
    channel: str
    bridge: str  # "" for whichever it is in


@dataclass(frozen=True, slots=True)
class LegHeld:
    at: float
    leg: str


@dataclass(frozen=True, slots=True)
class LegResumed:
    at: float
    leg: str


@dataclass(frozen=True, slots=True)
class LegTaken:
    """A supervisor has joined an agent and his caller, to have the caller from now on."""

    at: float
    leg: str  # the agent's
    channel: str  # the supervisor's
    by: str


@dataclass(frozen=True, slots=True)
class ChannelTransferred:
    """Somebody transferred away the other party of this channel (REFER, feature code, AMI)."""

    at: float
    channel: str  # the transferer's
    kind: str  # blind | attended
    target: str  # extension or endpoint; "" when not told


@dataclass(frozen=True, slots=True)
class CallParked:
    at: float
    call: str
    space: str  # the extension that takes him back


@dataclass(frozen=True, slots=True)
class HangupAsked:
    """The far end hung up (BYE, CANCEL); ``ChannelGone`` may come much later."""

    at: float
    channel: str


@dataclass(frozen=True, slots=True)
class ChannelCut:
    """The PBX stops, and hangs up this channel for that; ``ChannelGone`` follows."""

    at: float
    channel: str


@dataclass(frozen=True, slots=True)
class ChannelGone:
    at: float
    channel: str
    cause: int


@dataclass(frozen=True, slots=True)
class DeviceChanged:
    at: float
    device: str
    state: str  # NOT_INUSE, INUSE, BUSY, RINGING, RINGINUSE, ONHOLD, UNAVAILABLE, INVALID, UNKNOWN


@dataclass(frozen=True, slots=True)
class ContactSeen:
    """The phone registered anew or answers again."""

    at: float
    device: str


@dataclass(frozen=True, slots=True)
class MoveFailed:
    """A Redirect of this call was refused or its outcome is unknown."""

    at: float
    call: str
    offer: str  # "" for a move to the exit
    why: str


@dataclass(frozen=True, slots=True)
class CallLooked:
    """The answer to ``LookAt``: where the caller's channel is; None when there is no such channel."""

    at: float
    call: str
    place: Place | None


@dataclass(frozen=True, slots=True)
class CustomerFound:
    at: float
    call: str
    customer: int | None
    name: str
    priority: int = 0  # added for this customer, -100..100
    owner: str = ""  # his own agent
    last_agent: str = ""  # who talked with him last, within the plan's last_agent_days
    language: str = ""  # in which he is spoken to


@dataclass(frozen=True, slots=True)
class LogIn:
    """``device``: the phone at which he stands, and which rings for him from now on; "": his own."""

    at: float
    agent: str
    request: int
    device: str = ""


@dataclass(frozen=True, slots=True)
class LogOut:
    at: float
    agent: str
    request: int


@dataclass(frozen=True, slots=True)
class Pause:
    at: float
    agent: str
    reason: str
    request: int


@dataclass(frozen=True, slots=True)
class Unpause:
    at: float
    agent: str
    request: int


@dataclass(frozen=True, slots=True)
class WrapUpEnd:
    """He has finished: his wrap-up is over now."""

    at: float
    agent: str
    request: int


@dataclass(frozen=True, slots=True)
class WrapUpExtend:
    """He needs so many seconds more for his wrap-up, 1-3600."""

    at: float
    agent: str
    seconds: float
    request: int


@dataclass(frozen=True, slots=True)
class UsePersonal:
    """His next calls ring this personal device of his; "": his phone again."""

    at: float
    agent: str
    device: str  # a name of ``AgentPlan.personal``
    by: str  # a user of the machine, or the phone at which it was dialled
    door: str  # cli | api | phone
    request: int
    who: str = ""  # the agent himself, or a supervisor


@dataclass(frozen=True, slots=True)
class QueuePause:
    """Offer this queue's calls to nobody. ``by``: who asks, here and below."""

    at: float
    queue: str
    by: str
    request: int


@dataclass(frozen=True, slots=True)
class QueueDrain:
    """Let this queue take no new callers."""

    at: float
    queue: str
    by: str
    request: int


@dataclass(frozen=True, slots=True)
class QueueResume:
    """End both."""

    at: float
    queue: str
    by: str
    request: int


@dataclass(frozen=True, slots=True)
class QueueSet:
    """Another value for one of ``controls.SETTABLE``, checked as the file's are; None: the file's again."""

    at: float
    queue: str
    key: str
    value: bool | int | float | str | None
    by: str
    request: int


@dataclass(frozen=True, slots=True)
class CallPull:
    """Offer this waiting call to this agent, whoever's turn it is. ``call``: an account's id."""

    at: float
    call: str
    agent: str
    by: str
    request: int


@dataclass(frozen=True, slots=True)
class CallMove:
    """Put this waiting call into another queue."""

    at: float
    call: str
    queue: str
    by: str
    request: int


@dataclass(frozen=True, slots=True)
class CallPriority:
    """Give this waiting call another priority, -100..100, instead of the menu's and the queue's."""

    at: float
    call: str
    priority: int
    by: str
    request: int


@dataclass(frozen=True, slots=True)
class CallRedirect:
    """Send this waiting call to an extension of the site's exit context."""

    at: float
    call: str
    target: str
    by: str
    request: int


@dataclass(frozen=True, slots=True)
class CallHangup:
    """Hang up this waiting call."""

    at: float
    call: str
    by: str
    request: int


@dataclass(frozen=True, slots=True)
class RecordingCommand:
    """Pause the recording of a talk, let it go on, or begin one.

    Whose talk: exactly one of ``agent`` (his own), ``call`` (an account's id).
    """

    at: float
    do: str  # one of ``taping.COMMANDS``
    who: str  # the agent himself, or a supervisor
    by: str  # a user of the machine, or the device that was used
    door: str  # cli | api | phone
    request: int
    agent: str = ""
    call: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody has asked for, as every row of the audit about it says."""

    id: str  # its rows share it
    what: str
    who: str
    by: str
    whom: str
    door: str
    request: int


@dataclass(frozen=True, slots=True)
class RecorderAnswered:
    """What became of a ``MuteRecording`` or ``StartRecording``; ``asked`` and ``recording`` as there."""

    at: float
    call: str
    asked: Asked
    recording: str
    ok: bool
    why: str  # when not


@dataclass(frozen=True, slots=True)
class OutcomeKeyed:
    """An agent keyed his call's outcome. Exactly one of ``offer``, ``device`` says who."""

    at: float
    digit: str
    request: int
    offer: str = ""
    device: str = ""


@dataclass(frozen=True, slots=True)
class TicketTagged:
    """An agent gives the matter of his call a tag of the site's."""

    at: float
    agent: str
    tag: str
    request: int


@dataclass(frozen=True, slots=True)
class FollowUpSet:
    """An agent will come back to the matter of his call ``after`` so many seconds."""

    at: float
    agent: str
    after: float
    request: int


@dataclass(frozen=True, slots=True)
class FollowUpDone:
    """An agent has come back to this call's matter; it is closed."""

    at: float
    agent: str
    call: str
    request: int


@dataclass(frozen=True, slots=True)
class CustomerCalled:
    """An agent is being connected with the customer of this call, to come back to his matter."""

    at: float
    agent: str
    call: str
    request: int


@dataclass(frozen=True, slots=True)
class NoteAsked:
    """An agent wants to speak a note on his call, or on one that ended ``within`` so many seconds.

    Answered by the call and the note's name, with a blank between them.
    """

    at: float
    agent: str
    within: float
    request: int


@dataclass(frozen=True, slots=True)
class NoteSpoken:
    """He has, to the file ``path`` since ``began``; unless ``kept`` there is nothing on it."""

    at: float
    agent: str
    call: str
    note: str
    began: float
    path: str
    kept: bool
    request: int


@dataclass(frozen=True, slots=True)
class PlanLoaded:
    at: float
    plan: Plan


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: deadlines that are due are acted upon."""

    at: float


Input = (
    LinkUp
    | LinkDown
    | Swept
    | CallArrived
    | MenuStepped
    | CallQueued
    | FlowEnded
    | CallHolding
    | KeyPressed
    | CallExited
    | CallInFallback
    | OfferReached
    | LegDialled
    | LegRinging
    | LegAsked
    | LegDeclined
    | OfferEnded
    | BridgeEntered
    | BridgeLeft
    | LegHeld
    | LegResumed
    | LegTaken
    | ChannelTransferred
    | CallParked
    | HangupAsked
    | ChannelCut
    | ChannelGone
    | DeviceChanged
    | ContactSeen
    | MoveFailed
    | CallLooked
    | CustomerFound
    | LogIn
    | LogOut
    | Pause
    | Unpause
    | WrapUpEnd
    | WrapUpExtend
    | UsePersonal
    | QueuePause
    | QueueDrain
    | QueueResume
    | QueueSet
    | CallPull
    | CallMove
    | CallPriority
    | CallRedirect
    | CallHangup
    | RecordingCommand
    | RecorderAnswered
    | OutcomeKeyed
    | TicketTagged
    | FollowUpSet
    | FollowUpDone
    | CustomerCalled
    | NoteAsked
    | NoteSpoken
    | PlanLoaded
    | Tick
)
