"""Where a recording is silent because somebody paused it."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

COLUMN = "ALTER TABLE recording ADD COLUMN pauses jsonb NOT NULL DEFAULT '[]'"


def upgrade() -> None:
    op.execute(COLUMN)
