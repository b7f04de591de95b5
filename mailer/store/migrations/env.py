"""Runs the migrations on the connection that ``upgrade`` hands over."""

from alembic import context
from sqlmodel import SQLModel

import mailer.model.campaigns
import mailer.model.people  # noqa: F401  # both register their tables

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
    compare_type=True,
    compare_server_default=False,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
