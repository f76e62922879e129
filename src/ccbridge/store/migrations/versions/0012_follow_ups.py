"""When a follow-up is due."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

# those that are there already are due since they were set
DUE = """
ALTER TABLE ticket ADD COLUMN due_at timestamptz;
UPDATE ticket SET due_at = updated_at WHERE state = 'follow_up';
CREATE INDEX ix_ticket_due_at ON ticket (due_at) WHERE state = 'follow_up';
"""


def upgrade() -> None:
    op.execute(DUE)
