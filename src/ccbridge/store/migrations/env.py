"""Run by Alembic; ``store.schema`` hands it an open connection, so no URL is read from anywhere."""

from __future__ import annotations

from alembic import context

from ccbridge.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
