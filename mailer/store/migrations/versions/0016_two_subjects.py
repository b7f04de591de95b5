"""Two subjects: which a variant has, whose lanes wait, and which was chosen"""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("variant", sa.Column("version", AutoString(), server_default="a", nullable=False))
    op.add_column("campaign", sa.Column("chosen", AutoString(), server_default="", nullable=False))
    op.add_column("lane", sa.Column("held", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("lane", "held")
    op.drop_column("campaign", "chosen")
    op.drop_column("variant", "version")
