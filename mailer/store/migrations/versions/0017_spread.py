"""Until when a campaign is sent evenly"""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import UTCDateTime

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("campaign", sa.Column("spread_until", UTCDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("campaign", "spread_until")
