"""Changes of address that wait for a yes from both"""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "address_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=False),
        sa.Column("address", AutoString(), nullable=False),
        sa.Column("key", AutoString(), nullable=False),
        sa.Column("asked_at", UTCDateTime(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("old_yes_at", UTCDateTime(), nullable=True),
        sa.Column("new_yes_at", UTCDateTime(), nullable=True),
        sa.Column("outcome", AutoString(), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_address_change")),
    )
    op.create_index(op.f("ix_address_change_subscriber_id"), "address_change", ["subscriber_id"])


def downgrade() -> None:
    op.drop_table("address_change")
