"""Schedules: when a campaign is to start; and which workers are alive to see to it"""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("campaign", sa.Column("start_at", UTCDateTime(), nullable=True))
    op.add_column("campaign", sa.Column("not_after", UTCDateTime(), nullable=True))
    op.add_column(
        "campaign", sa.Column("destination", AutoString(), server_default="", nullable=False)
    )
    op.create_table(
        "worker",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("process", AutoString(), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=False),
        sa.Column("heartbeat_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker")),
    )


def downgrade() -> None:
    op.drop_table("worker")
    with op.batch_alter_table("campaign") as table:
        table.drop_column("destination")
        table.drop_column("not_after")
        table.drop_column("start_at")
