"""Alembic runs this file. The connection, with its transaction, is handed in by `mvpc.store.database`."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
context.run_migrations()
