"""When a delivery was tried anew, and the day against whose cap a run counts"""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("delivery", sa.Column("retried_at", sa.BigInteger(), nullable=True))
    op.add_column("run", sa.Column("counted_day", AutoString(), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("run", "counted_day")
    op.drop_column("delivery", "retried_at")
