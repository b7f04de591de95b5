"""What an import changed, so that it can be undone; choices of a field"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TEXT = sqlmodel.sql.sqltypes.AutoString()
_INSTANT = sqlmodel.sql.sqltypes.UTCDateTime()


def upgrade() -> None:
    op.add_column("batch", sa.Column("rejects_file", _TEXT, nullable=False, server_default=""))
    op.add_column("batch", sa.Column("undone_at", _INSTANT, nullable=True))
    op.add_column("field", sa.Column("choices", _TEXT, nullable=False, server_default=""))
    op.create_table(
        "batch_change",
        sa.Column("batch_id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("created", sa.Boolean(), nullable=False),
        sa.Column("status_before", _TEXT, nullable=True),
        sa.Column("since_before", _INSTANT, nullable=True),
        sa.Column("status_after", _TEXT, nullable=True),
        sa.Column("fields_before", _TEXT, nullable=True),
        sa.Column("language_before", _TEXT, nullable=True),
        sa.Column("undone_at", _INSTANT, nullable=True),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batch.id"], name=op.f("fk_batch_change_batch_id_batch")
        ),
        sa.PrimaryKeyConstraint("batch_id", "subscriber_id", name=op.f("pk_batch_change")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("batch_change")
    op.drop_column("field", "choices")
    op.drop_column("batch", "undone_at")
    op.drop_column("batch", "rejects_file")
