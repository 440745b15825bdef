"""Several invoices of one deal: which of them a person is asked about, and which deals have some."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    named = ["scope_id", "target", "source_id", "error_class", "part"]
    still_open = sa.text("closed_at IS NULL")
    op.add_column("review_items", sa.Column("part", sa.Integer(), nullable=False, server_default="1"))
    op.drop_index("uq_review_items_open", "review_items")
    op.create_index(
        "uq_review_items_open",
        "review_items",
        named,
        unique=True,
        sqlite_where=still_open,
        postgresql_where=still_open,
    )
    several = sa.text("state = 'live' AND part > 1")
    op.create_index("ix_links_part", "links", ["scope_id", "source_id"], sqlite_where=several, postgresql_where=several)
    if op.get_bind().dialect.name == "sqlite":  # dropping the index forgot what 0010 says of it
        statistics = sa.table("sqlite_stat1", sa.column("tbl"), sa.column("idx"), sa.column("stat"))
        rows = [
            ("review_items", "uq_review_items_open", "1000 1000 500 1 1 1"),
            ("links", "ix_links_part", "1000 1000 3"),
        ]
        op.bulk_insert(statistics, [{"tbl": table, "idx": index, "stat": stat} for table, index, stat in rows])
        op.execute("ANALYZE sqlite_schema")
