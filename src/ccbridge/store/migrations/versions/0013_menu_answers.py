"""What the keys of menus mean, and callers who are known by their number: both changed while it runs."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TABLES = r"""
CREATE TABLE menu_answer (
    menu       text        NOT NULL,
    key        text        NOT NULL CONSTRAINT ck_menu_answer_key CHECK (key ~ '^[0-9*#]$'),
    queue      text        NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now(),
    changed_by text        NOT NULL DEFAULT '',
    CONSTRAINT pk_menu_answer PRIMARY KEY (menu, key)
);
CREATE TABLE caller_list (
    e164     text        NOT NULL CONSTRAINT ck_caller_list_e164 CHECK (e164 ~ '^\+[0-9]{3,15}$'),
    kind     text        NOT NULL CONSTRAINT ck_caller_list_kind CHECK (kind IN ('vip', 'block')),
    note     text        NOT NULL DEFAULT '',
    added_at timestamptz NOT NULL DEFAULT now(),
    added_by text        NOT NULL DEFAULT '',
    CONSTRAINT pk_caller_list PRIMARY KEY (e164)
);
"""


def upgrade() -> None:
    op.execute(TABLES)
