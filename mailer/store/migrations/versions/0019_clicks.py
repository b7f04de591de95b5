"""Measured links, and who followed them"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("variant", sa.Column("measured", sa.String(), nullable=True))
    op.create_table(
        "campaign_link",
        sa.Column("campaign_id", sa.Integer(), sa.ForeignKey("campaign.id"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("campaign_id", "number"),
    )
    op.create_table(
        "link_click",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("campaign_id", sa.Integer(), sa.ForeignKey("campaign.id"), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=True),
        sa.Column("network", sa.LargeBinary(), nullable=True),
        sa.Column("verdict", sa.String(), nullable=False),
    )
    op.create_index("ix_link_click_campaign_id_at", "link_click", ["campaign_id", "at"])
    op.create_index("ix_link_click_subscriber_id", "link_click", ["subscriber_id"])


def downgrade() -> None:
    op.drop_table("link_click")
    op.drop_table("campaign_link")
    op.drop_column("variant", "measured")
