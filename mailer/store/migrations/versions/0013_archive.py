"""The archive: what a page says of itself, withdrawals and corrections"""

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import AutoString, UTCDateTime

from mailer.compose.page_facts import page_facts
from mailer.contacts.rule import fold

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_OF_PAGES = ("title", "description", "picture", "words")


def upgrade() -> None:
    op.add_column(
        "campaign",
        sa.Column("in_archive", sa.Boolean(), server_default=sa.true(), nullable=False),
    )
    op.add_column("campaign", sa.Column("withdrawn_at", UTCDateTime(), nullable=True))
    op.add_column(
        "campaign", sa.Column("withdrawn_because", AutoString(), server_default="", nullable=False)
    )
    op.add_column("variant", sa.Column("corrected_page", AutoString(), nullable=True))
    for name in _OF_PAGES:
        op.add_column("variant", sa.Column(name, AutoString(), server_default="", nullable=False))
    op.create_table(
        "correction",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("campaign_id", sa.Integer(), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("note", AutoString(), nullable=False),
        sa.ForeignKeyConstraint(
            ["campaign_id"], ["campaign.id"], name=op.f("fk_correction_campaign_id_campaign")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correction")),
    )
    op.create_index(op.f("ix_correction_campaign_id"), "correction", ["campaign_id"])
    _read_pages()


def _read_pages() -> None:
    """Reads what earlier campaigns' pages say, so that the archive knows them too."""
    connection = op.get_bind()
    for number in connection.execute(sa.text("SELECT id FROM variant")).scalars().all():
        page = connection.execute(
            sa.text("SELECT web_page FROM variant WHERE id = :id"), {"id": number}
        ).scalar_one()
        facts = page_facts(page)
        words = fold(" ".join((facts.title, facts.description, facts.text)))
        connection.execute(
            sa.text(
                "UPDATE variant SET title = :title, description = :description,"
                " picture = :picture, words = :words WHERE id = :id"
            ),
            {
                "id": number,
                "title": facts.title,
                "description": facts.description,
                "picture": facts.picture,
                "words": words,
            },
        )


def downgrade() -> None:
    op.drop_table("correction")
    with op.batch_alter_table("variant") as table:
        for name in (*_OF_PAGES, "corrected_page"):
            table.drop_column(name)
    with op.batch_alter_table("campaign") as table:
        for name in ("withdrawn_because", "withdrawn_at", "in_archive"):
            table.drop_column(name)
