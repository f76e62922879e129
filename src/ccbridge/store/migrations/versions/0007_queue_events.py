"""What people change of a queue while it runs."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

EVENTS = """
CREATE TABLE queue_event (
    node  uuid        NOT NULL,
    seq   bigint      NOT NULL,
    queue text        NOT NULL,
    at    timestamptz NOT NULL,
    kind  text        NOT NULL,
    by    text        NOT NULL,
    data  jsonb       NOT NULL,
    plan  text,
    CONSTRAINT pk_queue_event PRIMARY KEY (node, seq)
);
CREATE INDEX ix_queue_event_at ON queue_event (at);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON queue_event
    FOR EACH STATEMENT EXECUTE FUNCTION ccbridge_append_only();
"""


def upgrade() -> None:
    op.execute(EVENTS)
