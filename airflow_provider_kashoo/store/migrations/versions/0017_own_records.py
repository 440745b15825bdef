"""Records that we make in Salesforce: one for an invoice or a payment, Cases, files, and what Accounts were told."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.create_table(
        "own_records",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("scope_id", sa.Integer(), nullable=False),
        sa.Column("target", sa.String(80), nullable=False),
        sa.Column("external_id", sa.String(120), nullable=False),
        sa.Column("source_object", sa.String(80), nullable=False),
        sa.Column("source_id", sa.String(18), nullable=False),
        sa.Column("kashoo_id", sa.BigInteger()),
        sa.Column("salesforce_id", sa.String(18)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("told_read", sa.String(40), nullable=False),
        sa.Column("updated_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_own_records"),
        sa.ForeignKeyConstraint(["scope_id"], ["scopes.id"], name="fk_own_records_scope_id"),
        sa.UniqueConstraint("scope_id", "target", "external_id", name="uq_own_records_scope_id_target_external_id"),
    )
    op.create_index("ix_own_records_kashoo_id", "own_records", ["scope_id", "target", "kashoo_id"])
    op.create_index("ix_own_records_source_id", "own_records", ["scope_id", "source_id"])
