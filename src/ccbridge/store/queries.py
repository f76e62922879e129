"""What people ask of the store: one function per question.

Each takes an open connection and returns plain dicts (keys are the columns' names, times are aware
datetimes in UTC). ``reading`` opens one that answers or fails within some seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection, Select, Table, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import OperationalError, ProgrammingError

from ccbridge.store import urls
from ccbridge.store.tables import call_account as call  # each call once, from the best source
from ccbridge.store.tables import (
    call_event,
    call_opened,
    caller_list,
    control_audit,
    customer,
    menu_answer,
    phone_number,
    recording,
    score_card,
    ticket,
)

Row = dict[str, Any]
LIMIT = 50  # rows of a list, unless told otherwise


class StoreAway(Exception):
    """The database cannot be asked; the message is one sentence without user or password."""


@contextmanager
def reading(url: str, limit: float = 10.0) -> Iterator[Connection]:
    """A connection for some questions, ``limit`` seconds each; a transaction that is committed at the end.

    Raises StoreAway.
    """
    if not url:
        raise StoreAway("No database is configured: set database.url.")
    try:
        with urls.engine(url, limit).begin() as db:
            yield db
    except OperationalError as error:
        reason = (str(error.orig).strip().splitlines() or ["no answer"])[-1]
        raise StoreAway(f"The database {urls.address(url)} does not answer: {reason}") from error
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) not in ("42P01", "42703"):  # no such table, no such column
            raise
        raise StoreAway(
            f"The database {urls.address(url)} has not this version's tables: run `ccbridge db status`."
        ) from error


def _told(events: Table) -> list[Column[Any]]:
    """What an event says, without its place in a journal."""
    return [column for column in events.c if column.name not in ("node", "seq")]


def _all(db: Connection, query: Select[Any]) -> list[Row]:
    return [dict(row) for row in db.execute(query).mappings()]


def _one(db: Connection, query: Select[Any]) -> Row | None:
    row = db.execute(query).mappings().first()
    return None if row is None else dict(row)


# -- customers ------------------------------------------------------------------------------------


def customer_by_number(db: Connection, e164: str, limit: int = LIMIT) -> Row | None:
    """The customer of a number with ``numbers``, his last ``calls`` (open ones first) and ``tickets``."""
    found = _one(db, select(customer).join(phone_number).where(phone_number.c.e164 == e164))
    if found is None:
        return None
    numbers = select(phone_number.c.e164).where(phone_number.c.customer_id == found["id"])
    found["numbers"] = list(db.scalars(numbers.order_by(phone_number.c.e164)))
    found["calls"] = open_calls(db, customer_id=found["id"]) + calls(db, customer_id=found["id"], limit=limit)
    found["tickets"] = tickets(db, customer_id=found["id"], limit=limit)
    return found


def save_customer(db: Connection, e164: str, name: str) -> int:
    """Name the customer of a number; makes both when the number is new. Returns the customer's id."""
    owner = db.scalar(select(phone_number.c.customer_id).where(phone_number.c.e164 == e164).with_for_update())
    if owner is not None:
        db.execute(update(customer).where(customer.c.id == owner).values(name=name))
        return int(owner)
    values = {"name": name, "created_at": datetime.now(UTC)}
    new = db.execute(insert(customer).values(values).returning(customer.c.id)).scalar_one()
    taken = db.execute(upsert(phone_number).values(e164=e164, customer_id=new).on_conflict_do_nothing())
    if taken.rowcount == 0:  # his first call came at this very moment
        db.execute(customer.delete().where(customer.c.id == new))
        return save_customer(db, e164, name)
    return int(new)


def rank_customer(db: Connection, e164: str, priority: int) -> bool:
    """Give the customer of a number this priority, -100 to 100; False when nobody has the number."""
    return _change_customer(db, e164, priority=priority)


def own_customer(db: Connection, e164: str, agent: str | None) -> bool:
    """Make this agent the owner of a number's customer (None: nobody); False when nobody has the number."""
    return _change_customer(db, e164, owner=agent)


def _change_customer(db: Connection, e164: str, **values: Any) -> bool:
    his = select(phone_number.c.customer_id).where(phone_number.c.e164 == e164)
    done = db.execute(update(customer).where(customer.c.id == his.scalar_subquery()).values(**values))
    return done.rowcount == 1


# -- callers who arrive ---------------------------------------------------------------------------


def list_callers(db: Connection, kind: str) -> list[Row]:
    """Those on the VIP list or the block list (``kind`` vip or block), the newest first."""
    found = select(caller_list).where(caller_list.c.kind == kind).order_by(caller_list.c.added_at.desc())
    return [dict(row) for row in db.execute(found).mappings()]


def list_caller(db: Connection, e164: str, kind: str, note: str, who: str) -> str:
    """Put a number on a list; it leaves the other one. What it was on before: vip, block or ""."""
    was = db.execute(select(caller_list.c.kind).where(caller_list.c.e164 == e164)).scalar() or ""
    values = {"kind": kind, "note": note, "added_by": who, "added_at": func.now()}
    row = upsert(caller_list).values(e164=e164, **values)
    db.execute(row.on_conflict_do_update(index_elements=["e164"], set_=values))
    return str(was)


def unlist_caller(db: Connection, e164: str, kind: str) -> bool:
    """Take a number from a list; False when it is not on it."""
    gone = delete(caller_list).where(caller_list.c.e164 == e164, caller_list.c.kind == kind)
    return db.execute(gone).rowcount == 1


def menu_answers(db: Connection, menu: str | None = None) -> list[Row]:
    """What keys lead to in menus that ask the database."""
    found = select(menu_answer).order_by(menu_answer.c.menu, menu_answer.c.key)
    if menu is not None:
        found = found.where(menu_answer.c.menu == menu)
    return [dict(row) for row in db.execute(found).mappings()]


def answer_menu(db: Connection, menu: str, key: str, queue: str, who: str) -> None:
    """From now on this key leads to this queue."""
    values = {"queue": queue, "changed_by": who, "changed_at": func.now()}
    row = upsert(menu_answer).values(menu=menu, key=key, **values)
    db.execute(row.on_conflict_do_update(index_elements=["menu", "key"], set_=values))


def unanswer_menu(db: Connection, menu: str, key: str) -> bool:
    """This key means nothing any more; False when it did not."""
    gone = delete(menu_answer).where(menu_answer.c.menu == menu, menu_answer.c.key == key)
    return db.execute(gone).rowcount == 1


# -- tickets --------------------------------------------------------------------------------------

_TICKETS = (
    select(
        ticket,
        customer.c.name.label("customer"),
        func.coalesce(call.c.caller_e164, call_opened.c.caller_e164).label("caller_e164"),
    )
    .outerjoin(customer, customer.c.id == ticket.c.customer_id)
    .outerjoin(call, call.c.call_id == ticket.c.call_id)
    .outerjoin(call_opened, call_opened.c.call_id == ticket.c.call_id)
)


def tickets(
    db: Connection,
    *,
    state: str | None = None,
    agent: str | None = None,
    queue: str | None = None,
    customer_id: int | None = None,
    limit: int = LIMIT,
) -> list[Row]:
    """The newest first."""
    query = _TICKETS.order_by(ticket.c.opened_at.desc(), ticket.c.id.desc()).limit(limit)
    wanted = {"state": state, "agent": agent, "queue": queue, "customer_id": customer_id}
    query = query.where(*(ticket.c[name] == value for name, value in wanted.items() if value is not None))
    return _all(db, query)


def ticket_of(db: Connection, call: str) -> int | None:
    """The number of a call's ticket."""
    return db.execute(select(ticket.c.id).where(ticket.c.call_id == call)).scalar_one_or_none()


def ticket_by_id(db: Connection, number: int) -> Row | None:
    """One ticket with its ``call``."""
    found = _one(db, _TICKETS.where(ticket.c.id == number))
    if found is not None:
        found["call"] = call_by_id(db, found["call_id"])
    return found


def follow_ups(
    db: Connection, *, agent: str | None = None, due_by: datetime | None = None, limit: int = LIMIT
) -> list[Row]:
    """Tickets that their agent is to come back to, the longest due first, with the customers' ``number``.

    ``due_by``: only those that are due then.
    """
    his = (
        select(phone_number.c.e164)
        .where(phone_number.c.customer_id == ticket.c.customer_id)
        .order_by(
            (phone_number.c.e164 == func.coalesce(call.c.caller_e164, call_opened.c.caller_e164)).desc()
        )
        .order_by(phone_number.c.e164)
        .limit(1)
    )
    query = _TICKETS.add_columns(his.correlate(ticket, call, call_opened).scalar_subquery().label("number"))
    query = query.where(ticket.c.state == "follow_up").order_by(ticket.c.due_at, ticket.c.id).limit(limit)
    if agent is not None:
        query = query.where(ticket.c.agent == agent)
    if due_by is not None:
        query = query.where(ticket.c.due_at <= due_by)
    return _all(db, query)


# -- calls ----------------------------------------------------------------------------------------

_CALLS = select(call, customer.c.name.label("customer")).outerjoin(
    customer, customer.c.id == call.c.customer_id
)


def calls(
    db: Connection,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    queue: str | None = None,
    agent: str | None = None,
    disposition: str | None = None,
    customer_id: int | None = None,
    limit: int = LIMIT,
) -> list[Row]:
    """Ended calls that arrived from ``since`` on and before ``until``, the newest first."""
    query = _CALLS.order_by(call.c.arrived_at.desc(), call.c.call_id).limit(limit)
    wanted = {"queue": queue, "agent": agent, "disposition": disposition, "customer_id": customer_id}
    query = query.where(*(call.c[name] == value for name, value in wanted.items() if value is not None))
    if since is not None:
        query = query.where(call.c.arrived_at >= since)
    if until is not None:
        query = query.where(call.c.arrived_at < until)
    return _all(db, query)


def open_calls(db: Connection, *, customer_id: int | None = None) -> list[Row]:
    """Calls whose end has not been copied yet, the newest first."""
    query = select(call_opened, customer.c.name.label("customer")).outerjoin(customer)
    if customer_id is not None:
        query = query.where(call_opened.c.customer_id == customer_id)
    return _all(db, query.order_by(call_opened.c.arrived_at.desc()))


def call_by_id(db: Connection, call_id: str) -> Row | None:
    """One call, ended or open, with ``events`` (its timeline), ``tags``, ``recordings`` and ``ticket``."""
    found = _one(db, _CALLS.where(call.c.call_id == call_id))
    if found is None:
        opened = select(call_opened, customer.c.name.label("customer")).outerjoin(customer)
        found = _one(db, opened.where(call_opened.c.call_id == call_id))
    if found is None:
        return None
    found["events"] = timeline(db, call_id)
    found["tags"] = list(dict.fromkeys(e["data"]["tag"] for e in found["events"] if e["kind"] == "tagged"))
    found["recordings"] = recordings(db, call_id=call_id)
    found["ticket"] = _one(db, select(ticket).where(ticket.c.call_id == call_id))
    return found


def timeline(db: Connection, call_id: str) -> list[Row]:
    """A call's events in the order in which they were decided: ``at``, ``kind``, ``data``."""
    query = select(call_event.c.at, call_event.c.kind, call_event.c.data)
    # numbers only grow, also from a journal that was lost to the one in its place
    query = query.where(call_event.c.call_id == call_id)
    return _all(db, query.order_by(call_event.c.seq))


# -- controls over people at work -----------------------------------------------------------------


def controls(
    db: Connection, *, who: str | None = None, whom: str | None = None, limit: int = LIMIT
) -> list[Row]:
    """Steps of controls by this supervisor, over this agent, the newest first."""
    query = select(*_told(control_audit)).order_by(control_audit.c.at.desc(), control_audit.c.seq.desc())
    wanted = {"who": who, "whom": whom}
    query = query.where(*(control_audit.c[name] == one for name, one in wanted.items() if one is not None))
    return _all(db, query.limit(limit))


def times_done(db: Connection, what: str, whom: str, since: datetime) -> int:
    """How often this control was done over this agent, from that moment on."""
    mine = (control_audit.c.what == what, control_audit.c.whom == whom, control_audit.c.result == "done")
    query = select(func.count()).select_from(control_audit).where(*mine, control_audit.c.at >= since)
    return db.execute(query).scalar_one()


# -- score cards ----------------------------------------------------------------------------------


def score_cards(
    db: Connection,
    *,
    agent: str | None = None,
    who: str | None = None,
    call_id: str | None = None,
    limit: int = LIMIT,
) -> list[Row]:
    """The newest first. Of one call, agent and supervisor the last one ``stands``."""
    same = (score_card.c.call_id, score_card.c.agent, score_card.c.who)
    newest = (score_card.c.at.desc(), score_card.c.seq.desc())
    place = func.row_number().over(partition_by=same, order_by=newest)
    told = select(*_told(score_card), (place == 1).label("stands"))
    query = told.order_by(*newest).limit(limit)
    wanted = {"agent": agent, "who": who, "call_id": call_id}
    return _all(
        db, query.where(*(score_card.c[name] == one for name, one in wanted.items() if one is not None))
    )


# -- recordings -----------------------------------------------------------------------------------


def recordings(
    db: Connection, *, call_id: str | None = None, state: str | None = None, limit: int = LIMIT
) -> list[Row]:
    """The newest first."""
    query = select(recording).order_by(recording.c.started_at.desc(), recording.c.id.desc()).limit(limit)
    if call_id is not None:
        query = query.where(recording.c.call_id == call_id)
    if state is not None:
        query = query.where(recording.c.state == state)
    return _all(db, query)


def recordings_of(db: Connection, name: str) -> list[Row]:
    """Recordings by their own number, or all of a call by its id."""
    same = [recording.c.call_id == name]
    if name.isdecimal() and len(name) < 19:
        same.append(recording.c.id == int(name))
    return _all(db, select(recording).where(or_(*same)).order_by(recording.c.started_at))


def recordings_to_finish(db: Connection, limit: int = 500) -> list[Row]:
    """Ended ones, the oldest first."""
    query = select(recording).where(recording.c.state == "ended").order_by(recording.c.ended_at)
    return _all(db, query.limit(limit))


def finish_recording(
    db: Connection,
    number: int,
    state: str,
    *,
    duration_s: float | None = None,
    bytes_: int | None = None,
    sha256: str | None = None,
    error: str | None = None,
) -> None:
    """``state`` is ready, failed or empty. Does nothing to one that is finished already."""
    values = {"state": state, "duration_s": duration_s, "bytes": bytes_, "sha256": sha256, "error": error}
    db.execute(update(recording).where(recording.c.id == number, recording.c.state == "ended").values(values))
