"""What a person left as it is, who that was, and why."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    with op.batch_alter_table("review_items") as items:
        items.add_column(sa.Column("dismissed_at", sa.Float(), nullable=True))
        items.add_column(sa.Column("dismissed_by", sa.String(length=250), nullable=True))
        items.add_column(sa.Column("dismissed_reason", sa.Text(), nullable=True))
