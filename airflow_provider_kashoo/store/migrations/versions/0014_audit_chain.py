"""A hash in each row of the audit over itself and the row before it; what a person settled."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from airflow_provider_kashoo.store.audit import HASHED, hash_of

revision = "0014"
down_revision = "0013"

AUDIT = sa.table(
    "audit",
    *(sa.column(name) for name in ("id", "scope_id", "hash", "at", "run_id", "operation_id", "event", "target")),
    *(sa.column(name) for name in ("source_object", "source_id", "kashoo_id", "reason")),
    sa.column("fields", sa.JSON()),
)
APPROVALS = sa.table(
    "approvals",
    *(sa.column(name) for name in ("id", "scope_id", "sync", "run_id", "digest", "decision")),
    *(sa.column(name) for name in ("decided_at", "decided_by", "reason")),
)
PAGE = 5_000


def upgrade() -> None:
    for column in (
        sa.Column("settled_for", sa.String(16)),
        sa.Column("settled_by", sa.String(250)),
        sa.Column("settled_reason", sa.Text()),
    ):
        op.add_column("review_items", column)
    op.add_column("audit", sa.Column("hash", sa.String(64)))
    op.create_index("ix_audit_id", "audit", ["scope_id", "id"])
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        statistics = sa.table("sqlite_stat1", sa.column("tbl"), sa.column("idx"), sa.column("stat"))
        op.bulk_insert(statistics, [{"tbl": "audit", "idx": "ix_audit_id", "stat": "1000000 1000000 1"}])
        op.execute("ANALYZE sqlite_schema")
    _note_approvals(connection)
    _chain(connection)


def _note_approvals(connection: sa.Connection) -> None:
    """Add what was decided before: from now on each decision is in the trail."""
    for row in connection.execute(sa.select(APPROVALS).order_by(APPROVALS.c.id)).mappings().all():
        reason = f": {row['reason']}" if row["reason"] else ""
        plan = {"target": "plan", "source_object": row["sync"], "source_id": row["digest"][:18]}
        said = {"event": row["decision"], "reason": f"plan {row['digest']}, by {row['decided_by']}{reason}"}
        own = {"scope_id": row["scope_id"], "at": row["decided_at"], "run_id": row["run_id"], "fields": []}
        connection.execute(sa.insert(AUDIT).values(**plan, **said, **own))


def _chain(connection: sa.Connection) -> None:
    heads: dict[int, str] = {}
    after = 0
    change = sa.update(AUDIT).where(AUDIT.c.id == sa.bindparam("this_id")).values(hash=sa.bindparam("this_hash"))
    while page := (
        connection.execute(sa.select(AUDIT).where(AUDIT.c.id > after).order_by(AUDIT.c.id).limit(PAGE)).mappings().all()
    ):
        made = []
        for row in page:
            head = hash_of(heads.get(row["scope_id"], ""), {name: row[name] for name in HASHED})
            heads[row["scope_id"]] = head
            made.append({"this_id": row["id"], "this_hash": head})
        connection.execute(change, made)
        after = page[-1]["id"]
