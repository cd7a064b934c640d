"""Alembic's entry: migrate over the connection that ``Database.migrate`` hands in."""

from alembic import context

from app.storage.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    render_as_batch=True,
)
context.run_migrations()
