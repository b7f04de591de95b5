"""Lanes that a provider wants left alone, and the day's count of messages.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("lane", schema=None) as batch_op:
        batch_op.add_column(sa.Column("resume_at", sa.BigInteger(), nullable=True))
        batch_op.add_column(
            sa.Column("why", sqlmodel.sql.sqltypes.AutoString(), server_default="", nullable=False)
        )
    op.create_table(
        "sent_day",
        sa.Column("day", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day"),
    )


def downgrade() -> None:
    op.drop_table("sent_day")
    with op.batch_alter_table("lane", schema=None) as batch_op:
        batch_op.drop_column("why")
        batch_op.drop_column("resume_at")
