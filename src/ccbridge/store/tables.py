"""The tables, as SQLAlchemy sees them. The migrations make them; a test holds the two together.

Three kinds, and the grants in ``roles`` follow them:

- **events** are only ever inserted (a trigger refuses the rest, to the owner too) and hold ids, never a
  person's name or number: call_event, agent_event, queue_event,
  control_audit, score_card, plan_began, cdr;
- **accounts** derive from the events and are inserted once: call, agent_interval, ship_reject;
- **current** rows change: customer, phone_number, menu_answer, caller_list, ticket, recording, agent_state,
  what must be erasable on request (call_opened, cdr_party and the caller_* columns of call), and what is kept
  for some days only (cel, cel_call, file_reject).

The view ``call_account`` has each call once, from the best source that there is: what people read, and
every figure, comes from there.

Times are ``timestamptz``, durations are seconds.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, ExcludeConstraint

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Moment = DateTime(timezone=True)

customer = Table(
    "customer",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("name", Text, nullable=False),  # the number itself until somebody gives a name
    Column("language", Text),
    Column("created_at", Moment, nullable=False),
    Column("created_by_call", Text),
    Column("priority", Integer, nullable=False, server_default=text("0")),  # of his calls, added
    Column("owner", Text),  # his own agent
    CheckConstraint("priority BETWEEN -100 AND 100", name="priority"),
)

phone_number = Table(
    "phone_number",
    metadata,
    Column("e164", Text, primary_key=True),
    Column("customer_id", ForeignKey("customer.id", ondelete="CASCADE"), nullable=False, index=True),
    CheckConstraint(r"e164 ~ '^\+[0-9]{3,15}$'", name="e164"),
)

# What keys lead to in menus that ask here; the queues are the configuration's.
menu_answer = Table(
    "menu_answer",
    metadata,
    Column("menu", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("queue", Text, nullable=False),
    Column("changed_at", Moment, nullable=False, server_default=func.now()),
    Column("changed_by", Text, nullable=False, server_default=text("''")),
    CheckConstraint("key ~ '^[0-9*#]$'", name="key"),
)

# Who is put before others, or turned away, before his flow begins.
caller_list = Table(
    "caller_list",
    metadata,
    Column("e164", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("note", Text, nullable=False, server_default=text("''")),
    Column("added_at", Moment, nullable=False, server_default=func.now()),
    Column("added_by", Text, nullable=False, server_default=text("''")),
    CheckConstraint(r"e164 ~ '^\+[0-9]{3,15}$'", name="e164"),
    CheckConstraint("kind IN ('vip', 'block')", name="kind"),
)

# A call in progress; its row moves to ``call`` at the end.
call_opened = Table(
    "call_opened",
    metadata,
    Column("call_id", Text, primary_key=True),
    Column("arrived_at", Moment, nullable=False),
    Column("did", Text, nullable=False),
    Column("caller_kind", Text, nullable=False),
    Column("caller_e164", Text),
    Column("caller_raw", Text),
    Column("caller_name", Text),
    Column("customer_id", ForeignKey("customer.id", ondelete="SET NULL")),
    Column("inferred", Boolean, nullable=False),
)

call = Table(
    "call",
    metadata,
    Column("call_id", Text, primary_key=True),
    Column("arrived_at", Moment, nullable=False, index=True),
    Column("ended_at", Moment, nullable=False),
    Column("did", Text, nullable=False),
    Column("caller_kind", Text),
    Column("caller_e164", Text, index=True),
    Column("caller_raw", Text),
    Column("caller_name", Text),
    Column("customer_id", ForeignKey("customer.id", ondelete="SET NULL"), index=True),
    Column("queue", Text),
    Column("priority", Integer, nullable=False),
    Column("queued_at", Moment),
    Column("answered_at", Moment),
    Column("agent", Text),
    Column("wait_s", Double),
    Column("talk_s", Double, nullable=False),
    Column("hold_s", Double, nullable=False, server_default=text("0")),
    Column("offers", Integer, nullable=False),
    Column("disposition", Text, nullable=False),
    Column("ended_by", Text, nullable=False),
    Column("inferred", Boolean, nullable=False),
    # per agent leg: offer, agent, from, to, talk_s, hold_s, end
    Column("legs", JSONB, nullable=False, server_default=text("'[]'")),
    # former stays in queues: queue, answered, wait_s, talk_s, offers
    Column("stints", JSONB, nullable=False, server_default=text("'[]'")),
    # who talked with a customer last
    Index(None, "customer_id", "answered_at", postgresql_where=text("agent IS NOT NULL")),
)

ticket = Table(
    "ticket",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("call_id", Text, nullable=False, unique=True),
    Column("customer_id", ForeignKey("customer.id", ondelete="SET NULL"), index=True),
    Column("state", Text, nullable=False, server_default="open"),
    Column("outcome_set", Boolean, nullable=False, server_default=text("false")),
    Column("agent", Text),
    Column("queue", Text),
    Column("due_at", Moment),  # of a follow_up: when its agent is to come back to it
    Column("opened_at", Moment, nullable=False, index=True),
    Column("updated_at", Moment, nullable=False),
    CheckConstraint("state IN ('open', 'closed', 'resolved', 'follow_up')", name="state"),
    Index(None, "due_at", postgresql_where=text("state = 'follow_up'")),
)

call_event = Table(
    "call_event",
    metadata,
    Column("day", Date, nullable=False),  # of ``at``, in UTC: the partitions' key
    Column("node", Uuid, nullable=False),  # the journal it came from
    Column("seq", BigInteger, nullable=False),
    Column("call_id", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("kind", Text, nullable=False),
    Column("data", JSONB, nullable=False),
    Column("plan", Text),  # version of the plan in force: a row of plan_began has it whole
    PrimaryKeyConstraint("day", "node", "seq"),
    Index(None, "call_id"),
    postgresql_partition_by="RANGE (day)",
)

agent_event = Table(
    "agent_event",
    metadata,
    Column("day", Date, nullable=False),
    Column("node", Uuid, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("agent", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("call_id", Text),
    Column("data", JSONB, nullable=False),
    Column("plan", Text),
    PrimaryKeyConstraint("day", "node", "seq"),
    Index(None, "agent", "day"),
    postgresql_partition_by="RANGE (day)",
)

# When which plan came into force, with the plan: the configuration without secrets and names of people.
plan_began = Table(
    "plan_began",
    metadata,
    Column("node", Uuid, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("at", Moment, nullable=False, index=True),
    Column("version", Text, nullable=False, index=True),
    Column("plan", JSONB, nullable=False),
    PrimaryKeyConstraint("node", "seq"),
)

# What was changed of a queue while it ran, and who asked for it (a user of the machine).
queue_event = Table(
    "queue_event",
    metadata,
    Column("node", Uuid, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("queue", Text, nullable=False),
    Column("at", Moment, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("data", JSONB, nullable=False),
    Column("plan", Text),
    PrimaryKeyConstraint("node", "seq"),
)

# Controls over people at work, step by step: who asked for what with whom, and what became of it.
control_audit = Table(
    "control_audit",
    metadata,
    Column("node", Uuid, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("control", Text, nullable=False, index=True),
    Column("at", Moment, nullable=False, index=True),
    Column("what", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("whom", Text, nullable=False),
    Column("door", Text, nullable=False),
    Column("call_id", Text),
    Column("seconds", Double),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("node", "seq"),
)

score_card = Table(
    "score_card",
    metadata,
    Column("node", Uuid, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("at", Moment, nullable=False, index=True),
    Column("call_id", Text, nullable=False, index=True),
    Column("agent", Text, nullable=False, index=True),
    Column("who", Text, nullable=False),  # the supervisor
    Column("queue", Text),
    Column("form", Text, nullable=False),
    Column("version", Text, nullable=False),  # of the form
    Column("total", Double, nullable=False),
    Column("failed", Integer, nullable=False),  # critical items
    Column("items", JSONB, nullable=False),  # [{group, item, points, weight, group_weight, critical}]
    Column("listened_s", Double, nullable=False),
    Column("took_s", Double, nullable=False),
    CheckConstraint("total BETWEEN 0 AND 100", name="total"),
    PrimaryKeyConstraint("node", "seq"),
)

agent_state = Table(
    "agent_state",
    metadata,
    Column("agent", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("call_id", Text),
    Column("since", Moment, nullable=False),
    Column("node", Uuid, nullable=False),  # the event that made this state
    Column("seq", BigInteger, nullable=False),
)

agent_interval = Table(
    "agent_interval",
    metadata,
    Column("agent", Text, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("ended_at", Moment, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("call_id", Text),
    PrimaryKeyConstraint("agent", "started_at"),
    CheckConstraint("ended_at > started_at", name="order"),
    ExcludeConstraint(
        (Column("agent"), "="),
        (func.tstzrange(Column("started_at"), Column("ended_at")), "&&"),
        name="no_overlap",
        using="gist",
    ),
    Index(None, "started_at"),
)

cdr = Table(
    "cdr",
    metadata,
    Column("system", Text, nullable=False),
    Column("uniqueid", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("linkedid", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("fields", JSONB, nullable=False),  # the Cdr event without the headers of cdr_party
    Column("source", Text, nullable=False, server_default="ami"),  # who brought it first; else the same row
    CheckConstraint("source IN ('ami', 'file')", name="source"),
    PrimaryKeyConstraint("system", "uniqueid", "sequence"),
    Index(None, "linkedid"),
    Index(None, "at"),
)

# Who called whom: apart from cdr, because a person may ask for its erasure and cdr never changes.
cdr_party = Table(
    "cdr_party",
    metadata,
    Column("system", Text, nullable=False),
    Column("uniqueid", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    Column("fields", JSONB, nullable=False),
    PrimaryKeyConstraint("system", "uniqueid", "sequence"),
)

recording = Table(
    "recording",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("call_id", Text, nullable=False),
    Column("offer", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("started_at", Moment, nullable=False, index=True),
    Column("ended_at", Moment),
    Column("answered", Boolean),
    Column("path", Text, nullable=False),  # relative, without suffix
    Column("pauses", JSONB, nullable=False, server_default=text("'[]'")),  # [{from, to, reason}]
    Column("state", Text, nullable=False, server_default="writing"),
    Column("duration_s", Double),
    Column("bytes", BigInteger),
    Column("sha256", Text),
    Column("error", Text),
    UniqueConstraint("call_id", "offer"),
    CheckConstraint("state IN ('writing', 'ended', 'ready', 'failed', 'empty')", name="state"),
    Index("ix_recording_unfinished", "ended_at", postgresql_where=text("state = 'ended'")),
)

# How far each journal was copied; changed in the transaction that inserts the rows, hence exactly once.
ship_position = Table(
    "ship_position",
    metadata,
    Column("node", Uuid, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("updated_at", Moment, nullable=False),
)

# Records that the database refused: kept word for word, with the reason.
ship_reject = Table(
    "ship_reject",
    metadata,
    Column("node", Uuid, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("written_at", Moment, nullable=False),
    Column("record", Text, nullable=False),  # text: it may hold what jsonb refuses
    Column("error", Text, nullable=False),
    PrimaryKeyConstraint("node", "seq"),
)

# How far each of Asterisk's own files was read; changed in the transaction that inserts the rows.
file_position = Table(
    "file_position",
    metadata,
    Column("system", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("inode", BigInteger, nullable=False),
    Column("head", Text, nullable=False),  # digest of its first ``head_size`` bytes: knows a copy again
    Column("head_size", Integer, nullable=False),
    Column("byte", BigInteger, nullable=False),
    Column("line", BigInteger, nullable=False),
    Column("updated_at", Moment, nullable=False),
    PrimaryKeyConstraint("system", "path"),
)

# Lines of these files that are no rows: kept, with the place and the reason.
file_reject = Table(
    "file_reject",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("system", Text, nullable=False),
    Column("file", Text, nullable=False),
    Column("line", BigInteger, nullable=False),
    Column("found_at", Moment, nullable=False, index=True),
    Column("text", Text, nullable=False),
    Column("error", Text, nullable=False),
)

# Channel events as Asterisk writes them into its own file.
cel = Table(
    "cel",
    metadata,
    Column("digest", Uuid, primary_key=True),  # of the line: once, however often the file is read
    Column("id", BigInteger, Identity(), nullable=False),  # order of the file
    Column("system", Text, nullable=False),
    Column("at", Moment, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("uniqueid", Text, nullable=False),
    Column("linkedid", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("number", Text, nullable=False),  # number and name: of CHAN_START only
    Column("name", Text, nullable=False),
    Column("context", Text, nullable=False),
    Column("exten", Text, nullable=False),
    Column("app", Text, nullable=False),
    Column("extra", JSONB, nullable=False),
    Index(None, "system", "linkedid"),
)

# Our calls as CEL tells them. ``source`` is inferred where it breaks off: Asterisk was killed.
cel_call = Table(
    "cel_call",
    metadata,
    Column("call_id", Text, primary_key=True),
    Column("system", Text, nullable=False),
    Column("arrived_at", Moment, nullable=False, index=True),
    Column("ended_at", Moment, nullable=False),
    Column("did", Text, nullable=False),
    Column("caller_kind", Text, nullable=False),
    Column("caller_e164", Text),
    Column("caller_raw", Text),
    Column("caller_name", Text),
    Column("customer_id", ForeignKey("customer.id", ondelete="SET NULL"), index=True),
    Column("answered_at", Moment),
    Column("agent", Text),
    Column("talk_s", Double, nullable=False),
    Column("disposition", Text, nullable=False),
    Column("ended_by", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("legs", JSONB, nullable=False),  # [{agent, device, begun, ended}], epoch seconds
    Column("queue", Text),  # whose agents the fallback's script chose
    CheckConstraint("source IN ('cel', 'inferred')", name="source"),
)

# A view, so not in ``metadata``: each call once. ``source`` is events, cel or inferred.
call_account = Table(
    "call_account",
    MetaData(),
    *(Column(one.name, one.type) for one in call.columns),
    Column("source", Text),
)
