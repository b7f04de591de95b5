"""Breaks from one list, and the wish for fewer mails"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("subscription", sa.Column("paused_until", sa.BigInteger(), nullable=True))
    op.add_column("subscriber", sa.Column("fewer_days", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("subscriber", "fewer_days")
    op.drop_column("subscription", "paused_until")
