"""What people said about the differences of tie-outs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "differences",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("scope_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("source_id", sa.String(18)),
        sa.Column("kashoo_id", sa.BigInteger()),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("found_at", sa.Float(), nullable=False),
        sa.Column("resolved_at", sa.Float()),
        sa.Column("decided_at", sa.Float()),
        sa.Column("decided_by", sa.String(250)),
        sa.Column("reason", sa.Text()),
        sa.ForeignKeyConstraint(["scope_id"], ["scopes.id"], name="fk_differences_scope_id"),
        sa.PrimaryKeyConstraint("id", name="pk_differences"),
        sa.UniqueConstraint("scope_id", "key", name="uq_differences_scope_id_key"),
    )
    op.create_index("ix_differences_month", "differences", ["scope_id", "month"])
