"""Score cards: what supervisors hold of agents' calls."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

CARDS = """
CREATE TABLE score_card (
    node       uuid             NOT NULL,
    seq        bigint           NOT NULL,
    at         timestamptz      NOT NULL,
    call_id    text             NOT NULL,
    agent      text             NOT NULL,
    who        text             NOT NULL,
    queue      text,
    form       text             NOT NULL,
    version    text             NOT NULL,
    total      double precision NOT NULL CONSTRAINT ck_score_card_total CHECK (total BETWEEN 0 AND 100),
    failed     integer          NOT NULL,
    items      jsonb            NOT NULL,
    listened_s double precision NOT NULL,
    took_s     double precision NOT NULL,
    CONSTRAINT pk_score_card PRIMARY KEY (node, seq)
);
CREATE INDEX ix_score_card_at ON score_card (at);
CREATE INDEX ix_score_card_call_id ON score_card (call_id);
CREATE INDEX ix_score_card_agent ON score_card (agent);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON score_card
    FOR EACH STATEMENT EXECUTE FUNCTION ccbridge_append_only();
"""


def upgrade() -> None:
    op.execute(CARDS)
