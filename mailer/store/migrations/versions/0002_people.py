"""People: opt-in, consents that answer an auditor, tags, suppressions of one list"""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("opt_in", AutoString(), nullable=False, server_default="single"),
        sa.Column("asked_at", UTCDateTime(), nullable=True),
        sa.Column("ask_until", UTCDateTime(), nullable=True),
    ):
        op.add_column("list", column)
    for column in (
        sa.Column("ip", AutoString(), nullable=True),
        sa.Column("user_agent", AutoString(), nullable=True),
        sa.Column("confirmed_at", UTCDateTime(), nullable=True),
        sa.Column("confirmation_id", AutoString(), nullable=True),
    ):
        op.add_column("consent", column)
    op.create_table(
        "tracking_consent",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=False),
        sa.Column("answer", AutoString(), nullable=False),
        sa.Column("source", AutoString(), nullable=False),
        sa.Column("detail", AutoString(), nullable=False),
        sa.Column("wording_id", sa.Integer(), nullable=True),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("ip", AutoString(), nullable=True),
        sa.Column("user_agent", AutoString(), nullable=True),
        sa.ForeignKeyConstraint(
            ["wording_id"], ["wording.id"], name=op.f("fk_tracking_consent_wording_id_wording")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tracking_consent")),
    )
    op.create_index(
        op.f("ix_tracking_consent_subscriber_id"), "tracking_consent", ["subscriber_id"]
    )
    op.create_table(
        "subscriber_tag",
        sa.Column("tag", AutoString(), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("tag", "subscriber_id", name=op.f("pk_subscriber_tag")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_subscriber_tag_subscriber_id"), "subscriber_tag", ["subscriber_id"])
    op.create_table(
        "list_suppression",
        sa.Column("list_id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("reason", AutoString(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["list_id"], ["list.id"], name=op.f("fk_list_suppression_list_id_list")
        ),
        sa.PrimaryKeyConstraint("list_id", "hash", name=op.f("pk_list_suppression")),
        sqlite_with_rowid=False,
    )
