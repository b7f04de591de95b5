"""Fields that readers may fill in themselves"""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "field", sa.Column("opened", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("field", sa.Column("label", AutoString(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("field", "label")
    op.drop_column("field", "opened")
