"""Which configuration was in force when: the rows of ``plan_began``."""

from __future__ import annotations

from sqlalchemy import Connection, select

from ccbridge.store.queries import Row
from ccbridge.store.tables import plan_began

LIMIT = 50


def history(db: Connection, limit: int = LIMIT) -> list[Row]:
    """The newest first: ``at``, ``version``, ``plan`` (see ``core.version.told``)."""
    columns = (plan_began.c.at, plan_began.c.version, plan_began.c.plan)
    query = select(*columns).order_by(plan_began.c.at.desc(), plan_began.c.seq.desc()).limit(limit)
    return [dict(row) for row in db.execute(query).mappings()]


def plan_of(db: Connection, version: str = "") -> Row | None:
    """The newest row of this version (""; of any): None where there is none."""
    columns = (plan_began.c.at, plan_began.c.version, plan_began.c.plan)
    query = select(*columns).order_by(plan_began.c.at.desc(), plan_began.c.seq.desc()).limit(1)
    if version:
        query = query.where(plan_began.c.version == version)
    row = db.execute(query).mappings().first()
    return None if row is None else dict(row)
