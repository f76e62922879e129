"""A customer's own agent; and an index by which the lookup finds who talked with him last."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

STEPS = (
    "ALTER TABLE customer ADD COLUMN owner text",
    """CREATE INDEX ix_call_customer_id_answered_at ON call (customer_id, answered_at)
    WHERE agent IS NOT NULL""",
)


def upgrade() -> None:
    for step in STEPS:
        op.execute(step)
