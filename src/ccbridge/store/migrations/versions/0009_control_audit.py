"""Controls over people at work, step by step."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

AUDIT = """
CREATE TABLE control_audit (
    node    uuid        NOT NULL,
    seq     bigint      NOT NULL,
    control text        NOT NULL,
    at      timestamptz NOT NULL,
    what    text        NOT NULL,
    result  text        NOT NULL,
    who     text        NOT NULL,
    by      text        NOT NULL,
    whom    text        NOT NULL,
    door    text        NOT NULL,
    call_id text,
    seconds double precision,
    reason  text        NOT NULL,
    CONSTRAINT pk_control_audit PRIMARY KEY (node, seq)
);
CREATE INDEX ix_control_audit_at ON control_audit (at);
CREATE INDEX ix_control_audit_control ON control_audit (control);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON control_audit
    FOR EACH STATEMENT EXECUTE FUNCTION ccbridge_append_only();
"""


def upgrade() -> None:
    op.execute(AUDIT)
