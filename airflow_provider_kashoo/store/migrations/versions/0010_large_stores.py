"""Indexes for a million links, and for SQLite how large tables are expected to become."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

TYPICAL = (
    ("links", "uq_links_sale", "1000000 1000000 500000 1 1"),
    ("links", "uq_links_kashoo_id", "1000000 1000000 500000 1 1"),
    ("links", "ix_links_source_id", "1000000 1000000 1"),
    ("links", "ix_links_sale_id", "1000000 1000000 1"),
    ("links", "ix_links_source_object", "1000000 1000000 10000 1"),
    ("links", "ix_links_state", "1000000 1000000 500000 20000 5000 50"),
    ("operations", "uq_operations_live_key", "100 100 1"),
    ("operations", "ix_operations_state", "1000000 1000000 2000"),
    ("operations", "ix_operations_source_id", "1000000 1000000 2"),
    ("operations", "ix_operations_run_id", "1000000 1000000 500"),
    ("review_items", "uq_review_items_open", "1000 1000 500 1 1"),
    ("audit", "ix_audit_source_id", "1000000 1000000 3"),
)
"""Table, index, and in the words of SQLite's ANALYZE: rows, and rows per value of the first columns.

It knows averages only. Where a value stands for nearly all rows and others for few, as with states and objects, these
say few: such an index is asked for the rare ones, or for a page.
"""


def upgrade() -> None:
    live = sa.text("state = 'live'")
    columns = ["scope_id", "source_object", "source_id"]
    op.create_index("ix_links_source_object", "links", columns, sqlite_where=live, postgresql_where=live)
    op.create_index("ix_links_state", "links", ["scope_id", "target", "state", "settlement", "journal_date"])
    op.create_index("ix_operations_run_id", "operations", ["scope_id", "run_id"])
    if op.get_bind().dialect.name != "sqlite":
        return  # PostgreSQL keeps its own statistics
    # Without statistics SQLite takes ten rows for all that a scope has, and reads all of them rather than look up the
    # 500 ids of a query. Nothing else writes this table, unless a person says ANALYZE.
    op.execute("ANALYZE settings")  # makes the table of the statistics
    op.execute("DELETE FROM sqlite_stat1")
    statistics = sa.table("sqlite_stat1", sa.column("tbl"), sa.column("idx"), sa.column("stat"))
    op.bulk_insert(statistics, [{"tbl": table, "idx": index, "stat": rows} for table, index, rows in TYPICAL])
    op.execute("ANALYZE sqlite_schema")  # so that this connection uses them as well
