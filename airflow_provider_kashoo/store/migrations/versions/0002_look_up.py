"""Columns for the look-up of unanswered writes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("operations") as operations:
        operations.add_column(sa.Column("fields", sa.JSON(), nullable=True))
    with op.batch_alter_table("scopes") as scopes:
        scopes.add_column(sa.Column("swept_at", sa.Float(), nullable=True))
        scopes.add_column(sa.Column("references_seen", sa.JSON(), server_default="[]", nullable=False))
