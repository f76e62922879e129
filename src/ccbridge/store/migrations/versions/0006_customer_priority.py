"""A priority of the customer's own."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COLUMN = """
ALTER TABLE customer ADD COLUMN priority integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT ck_customer_priority CHECK (priority BETWEEN -100 AND 100)"""


def upgrade() -> None:
    op.execute(COLUMN)
