"""Alembic's entry: migrate over the connection that :class:`~..database.Database` passes in."""

from __future__ import annotations

from alembic import context

from airflow_provider_kashoo.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
