"""Which plan was in force, and its version on every event."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

PLANS = """
ALTER TABLE call_event ADD COLUMN plan text;
ALTER TABLE agent_event ADD COLUMN plan text;

CREATE TABLE plan_began (
    node    uuid        NOT NULL,
    seq     bigint      NOT NULL,
    at      timestamptz NOT NULL,
    version text        NOT NULL,
    plan    jsonb       NOT NULL,
    CONSTRAINT pk_plan_began PRIMARY KEY (node, seq)
);
CREATE INDEX ix_plan_began_at ON plan_began (at);
CREATE INDEX ix_plan_began_version ON plan_began (version);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON plan_began
    FOR EACH STATEMENT EXECUTE FUNCTION ccbridge_append_only();
"""


def upgrade() -> None:
    op.execute(PLANS)
