"""Loads of a campaign's counted picture"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "image_load",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("campaign_id", sa.Integer(), sa.ForeignKey("campaign.id"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=True),
        sa.Column("network", sa.LargeBinary(), nullable=True),
        sa.Column("verdict", sa.String(), nullable=False),
    )
    op.create_index("ix_image_load_campaign_id_at", "image_load", ["campaign_id", "at"])
    op.create_index("ix_image_load_subscriber_id", "image_load", ["subscriber_id"])


def downgrade() -> None:
    op.drop_table("image_load")
