"""How many messages each route had on a day"""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "route_day",
        sa.Column("day", AutoString(), nullable=False),
        sa.Column("route", AutoString(), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("day", "route", name=op.f("pk_route_day")),
    )


def downgrade() -> None:
    op.drop_table("route_day")
