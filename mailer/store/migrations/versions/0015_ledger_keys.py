"""The ledger's big tables without foreign keys on PostgreSQL

It checks each row by a query of its own. SQLite's are cheap and stay.
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_KEYS = (
    ("delivery", "campaign_id", "campaign"),
    ("delivery", "variant_id", "variant"),
    ("snapshot", "campaign_id", "campaign"),
)


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        for table, column, other in _KEYS:
            op.drop_constraint(op.f(f"fk_{table}_{column}_{other}"), table, type_="foreignkey")


def downgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        for table, column, other in _KEYS:
            name = op.f(f"fk_{table}_{column}_{other}")
            op.create_foreign_key(name, table, other, [column], ["id"])
