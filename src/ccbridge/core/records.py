"""Records: what is written to the append-only journal, and from there to PostgreSQL.

The core emits them inside ``Append`` effects; the journal writes them before any other effect of the
same decision is performed. A ``CallEvent``/``AgentEvent`` holds ids only: no names, numbers or keys;
those stand in ``CallOpened`` and are kept in erasable tables.

``at`` is the event's own time in seconds since the epoch (Asterisk's stamp where there is one).
``data`` holds JSON values only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class CallOpened:
    """A caller came in. Opens the call's ticket; creates the customer when ``e164`` is new."""

    call: str  # the caller's channel: its uniqueid, and ~2, ~3 ... for its later calls
    at: float
    did: str  # as the trunk dialled it; digits and + only
    caller_kind: str  # e164 | internal | anonymous | unparsable
    e164: str | None  # set for caller_kind e164
    raw: str  # what Asterisk said, at most 80 characters
    name: str  # the trunk's display name, at most 80 characters
    inferred: bool = False  # the daemon was away at the arrival: adopted from a snapshot


@dataclass(frozen=True, slots=True)
class CallEvent:
    """One step in a call's life. ``kind`` is one of ``CALL_KINDS``."""

    call: str
    at: float
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)
    plan: str = ""  # version of the plan in force: see ``core.version``; "" in journals of older versions


CALL_KINDS = (
    "arrived",
    "customer",  # the lookup's answer: customer id or none
    "menu_step",
    "queued",
    "holding",
    "waiting",  # nobody can take him now, and why: told when he gets in line, and when his rule relaxes
    "estimated",  # his place in line and his wait, as reckoned: when he enters it, and each time he is told
    "offered",
    "joined",  # an agent has the caller without an offer of ours: passed on to him, or taken by him
    "dialled",
    "ringing",
    "asked",  # his personal device was picked up: who has it is asked to press 1
    "answered",
    "held",
    "resumed",
    "recording_paused",  # silent from here on: recording, until (at the latest), and who asked for it
    "recording_resumed",  # has sound again, or is over: recording, from, reason: one of ``taping.ENDS``
    "recording_asked",  # on demand: recording, path
    "offer_ended",
    "overflowed",  # out of a queue: reason, and target or queue
    "left",  # out of a queue by a key: target or queue
    "in_fallback",
    "fallback_answered",  # by a member of the PBX's own fallback queue
    "transferred",
    "parked",  # right after the transfer to the parking extension
    "abandoned",
    "outcome",
    "noted",  # note: that the agent has spoken; a recording of this name
    "called_back",  # by the agent of its follow-up
    "tagged",  # tag: what the agent says that it was about
    # asked for by a supervisor (``by``) of a caller in line
    "pulled",  # offered to this agent, out of turn: agent
    "prioritised",  # priority
    "redirected",  # target
    "dropped",  # hung up
    "ended",
)


@dataclass(frozen=True, slots=True)
class CallClosed:
    """The whole account of a call, written exactly once, at its end. Times are epoch seconds."""

    call: str
    at: float  # end
    arrived: float
    did: str
    queue: str | None  # the last one
    priority: int
    queued_at: float | None  # entered the last queue
    answered_at: float | None  # first bridge with an agent, or with a member of the fallback queue
    agent: str | None  # the last agent who talked with him
    wait: float | None  # seconds in queue up to the answer or the end, ringing included
    talk: float  # seconds in a bridge with an agent, hold subtracted, all legs
    offers: int
    customer: int | None
    disposition: str  # one of DISPOSITIONS; the last stint decides
    ended_by: str  # caller | agent | target (of a transfer) | system | unknown
    inferred: bool = False
    hold: float = 0.0  # seconds that the agents' legs lasted beside their talk
    # per agent leg: offer, agent, from, to, talk_s, hold_s, end (who hung up, or how he passed the caller on)
    legs: Sequence[Mapping[str, Any]] = ()
    # former stays in queues: queue, answered, wait_s, talk_s, offers
    stints: Sequence[Mapping[str, Any]] = ()


DISPOSITIONS = (
    "answered",  # talked with an agent
    "abandoned",  # hung up while queued, unanswered; by an agent: see RELEASED in `calls`
    "menu_ended",  # ended inside the menu, never queued
    "overflowed",  # sent out of a queue unanswered, to an extension or a message
    "left",  # left our control unanswered: the menu's transfer, a key, or somebody else's doing
    "fallback",  # handed to the PBX's own fallback queue while the daemon was away
    "pbx_restart",  # cut off by a stop or a crash of the PBX; after a crash the end time is inferred
    "lost",  # ended while nobody watched; end time inferred
)


# How an offer ended: the ``result`` of ``offer_ended``.
OFFER_RESULTS = (
    "talked",
    "missed",  # it rang out
    "not_confirmed",  # his personal device was picked up, perhaps by a voicemail, and nobody pressed 1
    "refused",  # or his phone would have forwarded him: reason "forwarded"
    "busy",
    "unreachable",  # no phone, or it never rang
    "withdrawn",  # the caller was gone first
    "elsewhere",  # a colleague who was rung at the same time has answered
    "lost",  # its end was not seen
)


@dataclass(frozen=True, slots=True)
class AgentEvent:
    """The start of a state of an agent. ``state`` is one of ``AGENT_STATES``."""

    agent: str
    at: float
    state: str
    reason: str = ""  # pause reason, or why he is not available
    call: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    plan: str = ""  # as in CallEvent


AGENT_STATES = (
    "logged_out",
    "available",
    "offered",  # reserved for a call: his phone is being rung
    "talking",
    "wrap_up",
    "paused",
    "unreachable",  # phone not registered or dead; reason says which
    "cooldown",  # after a miss or refusal
    "busy_elsewhere",  # his phone is in a call that is not ours
)


@dataclass(frozen=True, slots=True)
class QueueEvent:
    """What somebody has changed of a queue while it runs. ``kind`` is one of ``QUEUE_KINDS``."""

    queue: str
    at: float
    kind: str
    by: str  # who asked for it: a user of the machine, or "reload"
    data: Mapping[str, Any] = field(default_factory=dict)
    plan: str = ""  # as in CallEvent


QUEUE_KINDS = (
    "paused",  # its calls are offered to nobody
    "draining",  # it takes no new callers
    "resumed",  # neither
    "set",  # another value than the file's: key, value, before, file
    "unset",  # the file's value again
)


@dataclass(frozen=True, slots=True)
class ControlEvent:
    """A step of a control over somebody at work. ``result`` is one of ``CONTROL_RESULTS``."""

    control: str  # the steps of one control share it
    at: float
    # monitor (the supervisor's phone), listen, whisper, barge (what he hears), take_over, score, stop;
    # record, record_pause, record_resume, log_in, log_out, pin (a wrong one), lock, unlock;
    # close_hours, open_hours: of opening hours (``seconds``: so long, None until it is lifted);
    # call_colleague, call_supervisor, escalate: of an agent; personal: his own telephone is to
    # ring, or his phone again; call_back: the customer of a follow-up. A code that is dialled where nobody is
    # logged in is refused under its own name
    what: str
    result: str
    who: str  # the supervisor, or the agent himself; "" where nobody of that name is configured, or known
    by: str  # who asked: a user of the machine, or the device that a key was pressed on
    whom: str  # the agent, the supervisor who is called, or the phone of a lock; "" as above
    door: str  # cli | api | phone
    call: str | None = None  # the caller's, where one is heard or recorded
    seconds: float | None = None  # how long it lasted: of what has ended
    reason: str = ""


CONTROL_RESULTS = (
    "asked",
    "refused",  # he may not, or it cannot be
    "failed",  # his phone was not answered, or there was no caller to be taken over; the PIN was wrong
    "done",  # it has begun
    "ended",
)


@dataclass(frozen=True, slots=True)
class ScoreCard:
    """What a supervisor holds of an agent's part in a call. His last card for both stands."""

    call: str
    at: float
    agent: str
    who: str  # the supervisor
    queue: str  # "" for none
    form: str
    version: str  # of the form: see ``supervision.forms``
    total: float  # 0-100; 0 where a critical item fails
    failed: int  # critical items
    # group, item, points (None: not judged), weight, group_weight, critical
    items: Sequence[Mapping[str, Any]]
    listened: float  # seconds of the call that he has heard
    took: float  # seconds of filling it in


@dataclass(frozen=True, slots=True)
class PlanBegan:
    """From now on another plan is in force: a start with one, a reload."""

    at: float
    version: str
    plan: Mapping[str, Any]  # ``core.version.told``: no secrets, no names of people


NOTE = "note-"


@dataclass(frozen=True, slots=True)
class RecordingStarted:
    """One per agent leg, and per spoken note (``offer`` begins with NOTE).

    ``path`` has no suffix: the PBX writes ``<path>-r.wav`` (caller) and ``-t.wav`` (agent, and any note).
    """

    call: str
    offer: str
    agent: str
    at: float
    path: str  # relative to recording.directory, built from our own ids only


@dataclass(frozen=True, slots=True)
class RecordingEnded:
    call: str
    offer: str
    at: float
    answered: bool  # False: nobody talked; its files, if any, are not to be kept
    # where it is silent because somebody paused it: from, to, reason (see ``taping.ENDS``)
    pauses: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class TicketOutcome:
    """The agent's outcome for a call's ticket; the last one stands."""

    call: str
    agent: str
    at: float
    outcome: str  # a value of Plan.outcomes
    due: float | None = None  # when to come back to it: of a follow_up


@dataclass(frozen=True, slots=True)
class CdrRow:
    """A call detail record from Asterisk's ``Cdr`` event; key (system, uniqueid, sequence)."""

    at: float
    system: str
    uniqueid: str
    sequence: int
    linkedid: str
    fields: Mapping[str, str]  # the event's other headers, names as Asterisk spells them


Record = (
    CallOpened
    | CallEvent
    | CallClosed
    | AgentEvent
    | PlanBegan
    | QueueEvent
    | ControlEvent
    | ScoreCard
    | RecordingStarted
    | RecordingEnded
    | TicketOutcome
    | CdrRow
)

_TYPES: dict[str, type[Any]] = {
    "call_opened": CallOpened,
    "call_event": CallEvent,
    "call_closed": CallClosed,
    "agent_event": AgentEvent,
    "plan_began": PlanBegan,
    "queue_event": QueueEvent,
    "control_event": ControlEvent,
    "score_card": ScoreCard,
    "recording_started": RecordingStarted,
    "recording_ended": RecordingEnded,
    "ticket_outcome": TicketOutcome,
    "cdr": CdrRow,
}
_NAMES = {cls: name for name, cls in _TYPES.items()}
_FIELDS = {cls: tuple(one.name for one in fields(cls)) for cls in _NAMES}


def name_of(record: Record) -> str:
    """The record's type, as ``to_dict`` writes it."""
    return _NAMES[type(record)]


def to_dict(record: Record) -> dict[str, Any]:
    """A JSON-ready dict with the record's type under ``t``; its mappings and lists are the record's own."""
    # dataclasses.asdict copies every value, which was most of what an append to the journal cost
    return {"t": name_of(record), **{name: getattr(record, name) for name in _FIELDS[type(record)]}}


def from_dict(data: Mapping[str, Any]) -> Record:
    """The reverse of ``to_dict``. Raises KeyError or TypeError on a dict that it did not make."""
    rest = dict(data)
    record: Record = _TYPES[rest.pop("t")](**rest)
    return record
